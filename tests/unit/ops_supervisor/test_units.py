"""The systemd units: what systemd itself says of them where it is there, and what they have to promise everywhere."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quetzalcore.cli.main import app

UNITS = Path(__file__).resolve().parents[3] / "deploy" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
WALLED = [
    name for name in SERVICES if name not in {"quetzalcore.service", "quetzalcore-hv.service"}
]
PROGRAM = "/opt/quetzalcore/bin/quetzal"


def settings_of(name: str) -> dict[str, list[str]]:
    """Read a unit as ``Section.Key`` to values; a line that is none fails."""
    found: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in (UNITS / name).read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        key, equals, value = line.partition("=")
        assert equals, f"{name}: {line}"
        assert key.isalnum(), f"{name}: {line}"
        found[f"{section}.{key}"].append(value)
    return found


def seconds(value: str) -> float:
    return float(value)


def test_every_role_has_its_unit() -> None:
    assert SERVICES == [
        "quetzalcore-balancer.service",
        "quetzalcore-gateway@.service",
        "quetzalcore-hv.service",
        "quetzalcore-master.service",
        "quetzalcore.service",
    ]


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_is_restarted_when_it_fails_but_not_without_end(name: str) -> None:
    unit = settings_of(name)
    assert unit["Service.Restart"] == ["on-failure"]
    assert seconds(unit["Service.RestartSec"][0]) >= 1
    assert seconds(unit["Unit.StartLimitBurst"][0]) >= 5
    assert unit["Service.EnvironmentFile"] == ["/etc/quetzalcore/quetzal.env"]
    state = unit["Service.StateDirectory"][0]
    assert unit["Service.Environment"] == [f"QUETZAL_DATA_DIR=/var/lib/{state}"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_runs_a_command_that_there_is(name: str) -> None:
    program, *words = settings_of(name)["Service.ExecStart"][0].split()
    assert program == PROGRAM
    given = [word.replace("%i", "8001") for word in words]
    shown = CliRunner().invoke(app, [given[0], "--help"])
    assert shown.exit_code == 0, shown.output
    for option in (word for word in given if word.startswith("--")):
        assert option in shown.output


def test_a_unit_waits_longer_than_its_role_takes_to_leave() -> None:
    gateway = settings_of("quetzalcore-gateway@.service")
    words = gateway["Service.ExecStart"][0].split()
    drain_s = seconds(words[words.index("--drain") + 1])
    assert seconds(gateway["Service.TimeoutStopSec"][0]) > drain_s + 1 + 20
    assert seconds(settings_of("quetzalcore-hv.service")["Service.TimeoutStopSec"][0]) > 600
    assert seconds(settings_of("quetzalcore.service")["Service.TimeoutStopSec"][0]) > 40


@pytest.mark.parametrize("name", WALLED)
def test_a_role_that_runs_no_jobs_has_no_rights_that_it_does_not_need(name: str) -> None:
    unit = settings_of(name)
    assert unit["Service.User"] == ["quetzalcore"]
    assert unit["Service.NoNewPrivileges"] == ["yes"]
    assert unit["Service.ProtectSystem"] == ["strict"]
    assert unit["Service.CapabilityBoundingSet"] in ([""], ["CAP_NET_BIND_SERVICE"])


@pytest.mark.parametrize("name", ["quetzalcore-hv.service", "quetzalcore.service"])
def test_what_makes_sandboxes_owns_its_control_groups(name: str) -> None:
    assert settings_of(name)["Service.Delegate"] == ["yes"]


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    names = [*SERVICES, "quetzalcore-gateway.target"]
    for name in names:
        text = (UNITS / name).read_text("utf-8")
        (tmp_path / name).write_text(
            text.replace(PROGRAM, "/bin/true")
        )  # verified only if it is there
    analyze = shutil.which("systemd-analyze")
    if analyze is None:  # then what the other tests read has to do
        assert all(settings_of(name) for name in names)
        return
    command = (analyze, "verify", "--man=no", "--recursive-errors=no", *names)
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    ours = [line for line in said.stderr.splitlines() if "quetzalcore" in line]
    assert ours == []
    (tmp_path / names[0]).write_text("[Service]\nExecStart=/bin/true\nRestarts=always\n")
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Unknown key" in said.stderr, "it looks at these files at all"
