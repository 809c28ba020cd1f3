"""Services come from the units; settings are read strictly; commands are tuples."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from quetzalcore.cli.deploy_inputs import (
    given_package,
    host_names,
    host_settings,
    layout_below,
    read_units,
)
from quetzalcore.errors import BadParameter, UserMistake
from quetzalcore.ops.deploy import texts
from quetzalcore.ops.deploy.environment import environment_text, read_environment
from quetzalcore.ops.deploy.model import DeployFailed, Layout, Package
from quetzalcore.ops.deploy.running import Outcome, verdict
from quetzalcore.ops.deploy.scripts import Commands
from quetzalcore.ops.deploy.services import GatewayShape, gateway_services, worker_services

UNITS = read_units()
SCRIPTS = [name for name in texts.__all__ if name not in {"AS_ROOT", "KEEP", "PROBE"}]


def test_a_gateways_command_is_its_units_with_port_address_and_prefix() -> None:
    first, target, balancer = gateway_services(
        UNITS, Layout(prefix="/srv/q"), GatewayShape(ports=range(8001, 8002), bind="10.0.0.5")
    )
    assert first.name == "quetzalcore-gateway@8001"
    assert first.command == (
        "/srv/q/opt/quetzalcore/bin/quetzal", "gateway",
        "--host", "10.0.0.5", "--port", "8001", "--drain", "5",
    )  # fmt: skip
    assert first.data_folder == "/srv/q/var/lib/quetzalcore"
    assert first.ready_url == "http://10.0.0.5:8001/ready"
    assert "--host 10.0.0.5 --port %i" in first.content
    assert target.is_group
    assert balancer.command[1:] == ("balancer", "--listen", "0.0.0.0:80")


def test_what_changes_a_unit_is_in_it_exactly_once() -> None:
    assert UNITS["quetzalcore-gateway@.service"].count("--host 127.0.0.1") == 1
    assert UNITS["quetzalcore-balancer.service"].count("--listen 0.0.0.0:80") == 1


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8001/ready"),  # noqa: S104 -- only told
        ("::", "http://[::1]:8001/ready"),
        ("2001:db8::1", "http://[2001:db8::1]:8001/ready"),
    ],
)
def test_an_instance_is_asked_where_it_listens(bind, url) -> None:
    shape = GatewayShape(ports=range(8001, 8002), bind=bind, listen="")
    assert gateway_services(UNITS, Layout(), shape)[0].ready_url == url


@pytest.mark.parametrize(
    "shape",
    [
        GatewayShape(ports=range(8001, 8002), bind="localhost; reboot"),
        GatewayShape(ports=range(8001, 8002), listen="80"),
        GatewayShape(ports=range(8001, 8002), listen="0.0.0.0:0"),
        GatewayShape(ports=range(65535, 65537)),
        GatewayShape(ports=range(8001, 8001)),
    ],
)
def test_an_address_that_is_none_is_refused(shape) -> None:
    with pytest.raises(BadParameter):
        gateway_services(UNITS, Layout(), shape)


def test_a_master_comes_first_and_a_worker_may_take_its_time_to_leave() -> None:
    shape = GatewayShape(ports=range(8001, 8002), listen="", master=True)
    assert gateway_services(UNITS, Layout(), shape)[0].name == "quetzalcore-master"
    (worker,) = worker_services(UNITS, Layout(), settle_s=7.0)
    assert (worker.name, worker.settle_s, worker.stop_s) == ("quetzalcore-hv", 7.0, 660.0)


def test_settings_are_read_as_systemd_reads_them() -> None:
    text = "# a comment\n\nA=1\n  B= two words \nC='quo#ted'\nD=\"$not expanded\"\nE=\n"
    assert read_environment(text, source="file") == {
        "A": "1", "C": "quo#ted", "D": "$not expanded", "E": "",
    } | {"B": "two words"}  # fmt: skip


@pytest.mark.parametrize(
    "line", ["no equals", "1A=2", "A=it's", "A=back\\slash", "A=\x07", "export A=1", "B=1\nB=2"]
)
def test_a_line_that_cannot_be_carried_is_refused_without_showing_it(line) -> None:
    with pytest.raises(BadParameter) as caught:
        read_environment(line, source="quetzal.env")
    assert "quetzal.env, row" in str(caught.value)
    assert "slash" not in caught.value.detail.replace("backslash", "")


def test_a_shell_reads_settings_as_they_were_written(tmp_path) -> None:
    values = {"URL": "postgresql://u:p$w@h/d?a=b&c=d", "SPACE": " two  words ", "STAR": "*;`id`"}
    path = tmp_path / "quetzal.env"
    path.write_bytes(environment_text(values))
    script = '. "$1"; printf "%s\\n" "$URL" "$SPACE" "$STAR"'
    said = subprocess.check_output(("sh", "-c", script, "sh", str(path)), text=True)
    assert said.splitlines() == list(values.values())


def test_what_pip_is_told_follows_from_how_requirements_are_met() -> None:
    def asked(**how: object) -> tuple[str, ...]:
        package = Package(name="q.whl", version="1", wheel=b"", **how)  # type: ignore[arg-type]
        command = Commands(Layout()).release(package)
        return command[command.index("--root-user-action=ignore") + 1 :]

    wheel = "/opt/quetzalcore/incoming/q.whl"
    assert asked() == (f"{wheel}[cluster]",)
    assert asked(constraints=b"numpy==2.0")[:2] == (
        "--constraint", "/etc/quetzalcore/constraints.txt",
    )  # fmt: skip
    assert asked(wheelhouse="/w") == ("--no-index", "--find-links", "/w", f"{wheel}[cluster]")
    assert asked(packages="/p") == ("--no-deps", "--no-index", wheel)


def test_commands_run_as_root_but_below_a_prefix_as_whoever_logs_in(tmp_path) -> None:
    assert Commands(Layout(prefix="/srv/q")).link("1.0-a")[:2] == ("sh", "-c")
    command = Commands(Layout()).reload()
    assert command[-2:] == ("systemctl", "daemon-reload")
    for name, text in {
        "id": "echo 1000", "sudo": 'echo "sudo $*"', "systemctl": 'echo "systemctl $*"',
    }.items():  # fmt: skip
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    said = subprocess.check_output(command, env={"PATH": path}, text=True)
    assert said == "sudo -n -- systemctl daemon-reload\n"
    (tmp_path / "id").write_text("#!/bin/sh\necho 0\n")
    said = subprocess.check_output(command, env={"PATH": path}, text=True)
    assert said == "systemctl daemon-reload\n"


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_posix_shell(name) -> None:
    shell = shutil.which("dash") or "sh"
    for text in (getattr(texts, name), texts.AS_ROOT, texts.KEEP):
        body = text if text in {texts.KEEP, texts.AS_ROOT} else texts.SHARED + text
        subprocess.run((shell, "-n", "-c", body), check=True)


def test_a_verdict_names_who_failed_who_is_done_and_who_was_left() -> None:
    verdict([Outcome(host="a", state="changed"), Outcome(host="b", state="unchanged")])
    with pytest.raises(DeployFailed) as caught:
        verdict(
            [
                Outcome(host="a", state="changed"),
                Outcome(host="b", state="as before", reason="it is not ready"),
                Outcome(host="c", state="not touched"),
            ]
        )
    assert caught.value.detail == (
        "b is as before (it is not ready); done and kept: a; not touched: c"
    )


def test_hosts_prefixes_and_wheels_are_checked_before_anything_is_asked(tmp_path) -> None:
    assert host_names("a, b") == ("a", "b")
    for text in ("", "a,a"):
        with pytest.raises(BadParameter):
            host_names(text)
    assert layout_below("/srv/q").opt == "/srv/q/opt/quetzalcore"
    for text in ("relative", "/srv/", "/srv/../etc", "/a b"):
        with pytest.raises(BadParameter):
            layout_below(text)
    other = tmp_path / "numpy-2.0-py3-none-any.whl"
    with pytest.raises(BadParameter, match="no wheel of quetzalcore"):
        given_package(other, None)
    with pytest.raises(UserMistake, match="cannot be read"):
        given_package(tmp_path / "quetzalcore-1.0-py3-none-any.whl", None)


def test_settings_for_hosts_are_held_against_what_they_would_accept(tmp_path: Path) -> None:
    file = tmp_path / "quetzal.env"
    file.write_text("QUETZAL_MASTER=https://g\nQUETZAL_JOIN_KEY_FILE=/run/key\nQUETZAL_PORT=80\n")
    found = host_settings(file)
    assert found is not None
    assert (found.joins, found.shares) == (True, False)
    assert found.values["QUETZAL_JOIN_KEY_FILE"] == "/run/key"
    file.write_text("QUETZAL_PORT=eighty\n")
    with pytest.raises(BadParameter, match="port"):
        host_settings(file)
    assert host_settings(None) is None
