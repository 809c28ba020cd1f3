from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
from pathlib import Path

import pytest

from quetzalcore.cli import main, supervising
from quetzalcore.cli.host_files import HostFiles
from quetzalcore.cli.inherited import Inherited
from quetzalcore.errors import BadParameter
from quetzalcore.ops.supervisor.plan import SupervisorPlan
from quetzalcore.settings import Settings, load_settings


def given(**values: str) -> Settings:
    return load_settings({}, {f"QUETZAL_{name.upper()}": value for name, value in values.items()})[
        0
    ]


def numbers(settings: Settings) -> tuple[int, int, int, int]:
    return (
        settings.scaling_min_instances, settings.scaling_max_instances,
        settings.scaling_min_workers, settings.scaling_max_workers,
    )  # fmt: skip


def test_the_numbers_asked_for_are_the_least_ones() -> None:
    settings = given()
    scaled = supervising.with_numbers(settings, settings, instances=3, workers=2)
    assert numbers(scaled) == (3, 20, 2, 10)


def test_a_lower_least_number_that_was_set_stays() -> None:
    settings = given(scaling_min_workers="1", scaling_min_instances="5")
    scaled = supervising.with_numbers(settings, settings, instances=3, workers=2)
    assert numbers(scaled) == (3, 20, 1, 10)


def test_more_than_the_most_raises_the_most() -> None:
    settings = given(scaling_max_workers="3")
    scaled = supervising.with_numbers(settings, settings, instances=None, workers=12)
    assert numbers(scaled) == (2, 20, 12, 12)


def become(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, nginx: str | None, **values: str
) -> tuple[SupervisorPlan, dict[str, str]]:
    """Give the plan and the environment that a supervisor would be started with."""
    started: list[tuple[tuple[str, ...], dict[str, str]]] = []

    def execute(_program: str, command: tuple[str, ...], environment: dict[str, str]) -> None:
        started.append((command, environment))

    monkeypatch.setattr(os, "execve", execute)
    monkeypatch.setattr(shutil, "which", lambda _name, **_where: nginx)
    settings = given(data_dir=str(folder), **values)
    supervising.become_supervisor(
        settings, HostFiles.of(settings), {"PATH": "/bin", "SECRET_KEY": "hush"}, instances=3
    )
    ((command, environment),) = started
    assert "hush" not in str(command), "everybody sees a command"
    return SupervisorPlan.of_json(command[-1]), environment


def test_with_nginx_there_is_a_balancer_and_instances_wait_until_it_has_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan, environment = become(monkeypatch, tmp_path, nginx="/usr/sbin/nginx")
    assert set(plan.commands) == {"gateway", "master", "balancer"}
    assert (plan.shared, plan.drain_s, plan.instances) == (False, 5.0, 3)
    assert environment["PATH"].startswith("/bin:/usr/sbin")
    assert environment["SECRET_KEY"] == "hush"  # noqa: S105 -- none


def test_without_nginx_instances_share_a_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan, _ = become(monkeypatch, tmp_path, nginx=None)
    assert set(plan.commands) == {"gateway", "master"}
    assert plan.shared
    plan, _ = become(monkeypatch, tmp_path, nginx="/usr/sbin/nginx", balancer="socket")
    assert plan.shared


@pytest.mark.parametrize(
    ("values", "said"),
    [({"balancer": "nginx"}, "no nginx"), ({"tls_port": "443"}, "TLS needs nginx")],
    ids=["nginx", "tls"],
)
def test_what_needs_nginx_is_refused_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, values: dict[str, str], said: str
) -> None:
    with pytest.raises(BadParameter, match=said):
        become(monkeypatch, tmp_path, nginx=None, **values)


def test_a_role_says_that_it_serves_to_its_supervisor_and_to_systemd(tmp_path: Path) -> None:
    heard, told = os.pipe()
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        Inherited(ready_fd=told).say_ready(path)
        assert systemd.recv(100) == b"READY=1"
    assert os.read(heard, 100) == b"ready\n"
    assert os.read(heard, 100) == b"", "it is said once"
    os.close(heard)
    Inherited().say_ready(str(tmp_path / "nobody"))  # no error


def test_inherited_sockets_are_not_handed_on_to_children() -> None:
    with socket.socket() as own, socket.socket() as shared:
        numbers = [os.dup(own.fileno()), os.dup(shared.fileno())]
        heard, told = os.pipe()
        for number in (*numbers, told):
            os.set_inheritable(number, True)
        taken = Inherited(fd=numbers[0], shared_fd=numbers[1], ready_fd=told).sockets()
        assert [one.fileno() for one in taken] == numbers
        assert not any(os.get_inheritable(number) for number in (*numbers, told))
        for one in taken:
            one.close()
        os.close(heard)
        os.close(told)
    assert Inherited().sockets() == []


def test_without_a_supervisor_there_is_nothing_to_restart_or_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUETZAL_DATA_DIR", str(tmp_path))
    with pytest.raises(SystemExit) as refused:
        main.run(["restart", "2"])
    assert refused.value.code == 1
    assert "quetzal up --instances 2" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main.run(["down"])
    assert not ended.value.code
    assert "Nothing runs here" in capsys.readouterr().err


def test_processes_are_shown_with_how_long_and_how_often(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    monkeypatch.setattr(supervising, "now", lambda: now)
    process = {
        "name": "gateway-1",
        "pid": 42,
        "state": "ready",
        "restarts": 3,
        "said": "",
        "url": "u",
    }
    ages = {"gateway-1": 5, "gateway-2": 300, "gateway-3": 10_000, "gateway-4": 400_000}
    processes = [
        {**process, "name": name, "since": now.timestamp() - age} for name, age in ages.items()
    ]
    supervising.print_processes({"processes": processes, "trouble": "gateway-1: it failed"})
    said = capsys.readouterr()
    for age in ("5 s", "5 min", "3 h", "5 d"):
        assert age in said.out
    assert "stopped half-way: gateway-1: it failed." in said.err
