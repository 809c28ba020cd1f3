"""The command line's side of the supervisor: becoming one, restarting what it keeps, telling how that is."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

import psutil
import typer

from quetzalcore.cli.clock import now
from quetzalcore.cli.console import note, print_table, say
from quetzalcore.cli.host_files import HostFiles
from quetzalcore.errors import BadParameter, Permanent
from quetzalcore.ops.supervisor.control import RestartRequest, StatusRequest, StopRequest
from quetzalcore.ops.supervisor.control_client import NoSupervisor, ask
from quetzalcore.ops.supervisor.plan import SupervisorPlan
from quetzalcore.settings import Settings, with_options

__all__ = [
    "RUN",
    "become_supervisor",
    "failing",
    "print_processes",
    "restart",
    "stop_supervisor",
    "supervised",
    "with_numbers",
]

RUN = "from quetzalcore.cli.main import run; run()"
_SYSTEM_PATH = "/usr/sbin:/sbin:/usr/local/sbin"  # where nginx is, and people's PATH may not lead
_NOTICED_S = (
    5.0  # by then nginx sends nothing more to an instance that leaves: it was told a second before
)
_RESTART_S = 600.0
_STOP_S = 60.0
_POLL_S = 0.1


class NotRestarted(Permanent):
    """A new process did not get ready; the old ones go on."""

    code = "not_restarted"
    title = "The restart stopped half-way"


def with_numbers(
    given: Settings, settings: Settings, *, instances: int | None, workers: int | None
) -> Settings:
    """Let the numbers that were asked for be the least ones too, unless a lower least one was set on purpose."""
    changes: dict[str, int] = {}
    for name, count in (("instances", instances), ("workers", workers)):
        if count is None:
            continue
        least, most = f"scaling_min_{name}", f"scaling_max_{name}"
        set_one = getattr(settings, least) if least in given.model_fields_set else count
        changes |= {least: min(set_one, count), most: max(getattr(settings, most), count)}
    return with_options(settings, **changes)


def become_supervisor(
    settings: Settings, files: HostFiles, environment: Mapping[str, str], *, instances: int
) -> NoReturn:
    """Replace this process by the supervisor, which is light and keeps the process id."""
    path = f"{environment.get('PATH', os.defpath)}:{_SYSTEM_PATH}"
    plan = _plan(settings, files, instances=instances, nginx=shutil.which("nginx", path=path))
    command = (sys.executable, "-m", "quetzalcore.cli.supervised", "--plan", plan.to_json())
    os.execve(sys.executable, command, {**environment, "PATH": path})  # noqa: S606 -- a command of ours


def supervised(files: HostFiles) -> dict[str, Any] | None:
    """Give how the supervisor of this host and its processes are; None if there is none."""
    try:
        status: dict[str, Any] = ask(files.run, StatusRequest())["status"]
    except NoSupervisor:
        return None
    return status


def failing(files: HostFiles) -> str:
    """Say which process dies again and again, and of what; nothing if none does."""
    status = supervised(files) or {"processes": ()}
    for process in status["processes"]:
        if process["state"] == "failing":
            return f"{process['name']} {process['said']}"
    return ""


def stop_supervisor(files: HostFiles) -> bool:
    """Stop a supervisor that never got as far as saying where it serves; False if there is none."""
    try:
        ask(files.run, StopRequest())
    except NoSupervisor:
        return False
    deadline = time.monotonic() + _STOP_S
    while supervised(files) is not None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return True


def restart(
    context: typer.Context,
    what: Annotated[
        str, typer.Argument(help="How many instances, or one service; default: every instance.")
    ] = "",
) -> None:
    """Put new processes in the places of old ones: instances one after the other, without a gap.

    Example: quetzal restart 2
    """
    files = HostFiles.of(context.obj)
    if supervised(files) is None:
        raise BadParameter(
            "nothing here can be restarted without a gap",
            hint="start the platform with quetzal up --instances 2, or use quetzal down and up",
        )
    request = RestartRequest(count=int(what)) if what.isdecimal() else RestartRequest(service=what)
    names: list[str] = ask(files.run, request)["restarting"]
    note(f"Restarting {', '.join(names)}.")
    deadline = time.monotonic() + _RESTART_S
    while time.monotonic() < deadline:
        status = supervised(files)
        if status is None or status["trouble"]:
            trouble = status["trouble"] if status else "the supervisor has ended"
            raise NotRestarted(trouble, hint=f"see the logs in {files.logs}")
        if not _busy(status, names):
            say(f"Restarted {len(names)}.")
            return
        time.sleep(_POLL_S)
    raise NotRestarted("it takes too long", hint="see quetzal status")


def print_processes(status: Mapping[str, Any]) -> None:
    """Print a supervisor's processes as a table."""
    rows = [
        [
            process["name"],
            "" if process["pid"] is None else str(process["pid"]),
            process["state"],
            _age(now().timestamp() - process["since"]),
            str(process["restarts"]),
            process["said"] or process["url"],
        ]
        for process in status["processes"]
    ]
    print_table("Processes", ["process", "pid", "is", "for", "restarts", "at"], rows)
    if status["trouble"]:
        note(f"The last restart stopped half-way: {status['trouble']}.")


def _plan(
    settings: Settings, files: HostFiles, *, instances: int, nginx: str | None
) -> SupervisorPlan:
    if settings.balancer == "nginx" and nginx is None:
        raise BadParameter(
            "there is no nginx on this host",
            hint="install it (Debian: nginx-light), or set balancer to socket",
        )
    shared = settings.balancer == "socket" or nginx is None
    if shared and settings.tls_port:
        raise BadParameter("TLS needs nginx", hint="install it, or set tls_port to 0")
    roles = ("gateway", "master") if shared else ("gateway", "master", "balancer")
    return SupervisorPlan(
        run=files.run,
        logs=files.logs,
        commands={role: (sys.executable, "-c", RUN, role) for role in roles},
        instances=instances,
        most_instances=settings.scaling_max_instances,
        host=settings.host,
        port=settings.port,
        master_host=settings.master_host,
        master_port=settings.master_port,
        shared=shared,
        drain_s=0.0 if shared else _NOTICED_S,
        started_at=psutil.Process().create_time(),
    )


def _busy(status: Mapping[str, Any], names: list[str]) -> bool:
    """Say whether any of these is not yet where it should be."""
    asked = [process for process in status["processes"] if process["name"] in names]
    moving = any(process["state"] != "ready" or process["leaving"] for process in asked)
    return moving or bool(status["rolling"])


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
