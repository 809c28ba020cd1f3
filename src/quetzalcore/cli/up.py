"""``quetzal up``, ``down`` and ``logs``: the whole platform as one process tree on this host."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from quetzalcore.cli.console import note, print_json, say
from quetzalcore.cli.host_files import HostFiles, Running
from quetzalcore.cli.supervising import (
    RUN,
    become_supervisor,
    failing,
    stop_supervisor,
    with_numbers,
)
from quetzalcore.errors import BadParameter, Permanent
from quetzalcore.ops.supervisor.log_files import read_lines
from quetzalcore.settings import Settings, with_options

__all__ = ["down", "logs", "start_in_background", "stop", "up"]

_START_S = 60.0
_START_MANY_S = 180.0
_STOP_S = 50.0
_POLL_S = 0.02
_SHOWN_LINES = 200
_SILENCE = ["it said nothing"]


class NotStarted(Permanent):
    """The platform's process ended before it was ready."""

    code = "not_started"
    title = "The platform did not start"


def up(
    context: typer.Context,
    *,
    env: Annotated[
        str | None, typer.Option(help="development or production; default: as set.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the gateway.")] = None,
    instances: Annotated[
        int | None, typer.Option(min=1, help="Gateway processes, behind a load balancer.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Workers on this host.")] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay here until stopped, log to stderr.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Start the platform on this host: gateway, master and worker, kept in one folder.

    With numbers, every part is a process of its own under a supervisor, and they come and go with the load.

    Example: quetzal up --instances 3 --workers 2
    """
    settings = with_options(context.obj, env=env, host=host, port=port)
    _check_here(settings)
    many = instances is not None or workers is not None
    settings = with_numbers(context.obj, settings, instances=instances, workers=workers)
    files = HostFiles.of(settings)
    running = files.running()
    if running is not None:
        note(f"It runs already, as process {running.pid}.")
    elif foreground and many:
        environment = {**os.environ, **_as_environment(settings)}
        become_supervisor(settings, files, environment, instances=instances or 1)
    elif foreground:
        from quetzalcore.cli.serving import serve_platform  # noqa: PLC0415 -- heavy

        asyncio.run(serve_platform(settings, files))
        return
    else:
        fresh = not files.credentials.exists()
        numbers = ("--instances", str(instances or 1)) if many else ()
        running = start_in_background(settings, files, *numbers)
        if fresh and not as_json:
            _show_credentials(files)
    if as_json:
        print_json({"url": running.url, "master_url": running.master_url, "pid": running.pid})
    else:
        say(f"Gateway: {running.url} (documentation at {running.url}/docs)")


def _check_here(settings: Settings) -> None:
    if settings.engine != "local":
        raise BadParameter(
            "quetzal up keeps everything on this host, and the engine is set to ray",
            hint="run quetzal gateway, quetzal master and quetzal worker, or unset QUETZAL_ENGINE",
        )


def down(context: typer.Context) -> None:
    """Stop the platform on this host; what ran goes back to the queue and runs at the next start.

    Example: quetzal down
    """
    files = HostFiles.of(context.obj)
    running = files.running()
    if running is not None:
        stop(running)
    elif not stop_supervisor(files):
        note("Nothing runs here.")
        return
    say("Stopped.")


def logs(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="Which log: platform, agent, ...")] = "platform",
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Wait for more.")] = False,
) -> None:
    """Print the end of a service's log.

    Example: quetzal logs platform -f
    """
    files = HostFiles.of(context.obj)
    path = files.log(service)
    if not path.is_file():
        there = ", ".join(sorted(log.stem for log in files.logs.glob("*.log"))) or "none yet"
        raise BadParameter(f"there is no log {service!r}", hint=f"the logs are: {there}")
    for line in read_lines(path, last=_SHOWN_LINES, follow=follow):
        say(line)


def start_in_background(settings: Settings, files: HostFiles, *options: str) -> Running:
    """Start ``quetzal up OPTIONS`` in a session of its own and wait until it is ready.

    Raises
    ------
    NotStarted
        With the end of its log, if it stops before that.
    """
    files.forget()
    log = files.log("platform")
    before = log.stat().st_size if log.is_file() else 0
    pid = _spawn(log, {**os.environ, **_as_environment(settings)}, options)
    deadline = time.monotonic() + (_START_MANY_S if options else _START_S)
    trouble = ""
    while time.monotonic() < deadline and not trouble:
        running = files.running()
        if running is not None and running.pid == pid:
            return running
        if os.waitpid(pid, os.WNOHANG)[0]:
            break
        trouble = failing(files) if options else ""
        time.sleep(_POLL_S)
    else:
        _give_up(pid)
    with log.open("rb") as source:
        source.seek(before)
        said = source.read().decode("utf-8", "replace").strip().splitlines()
    raise NotStarted(
        f"the platform stopped before it was ready ({trouble or (said or _SILENCE)[-1]})",
        hint=f"see {log}",
    )


def _give_up(pid: int) -> None:
    """End a child that does not get ready, with all that it has started."""
    for request in (signal.SIGTERM, signal.SIGKILL):
        os.kill(pid, request)
        deadline = time.monotonic() + _STOP_S
        while time.monotonic() < deadline:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
            time.sleep(_POLL_S)


def _spawn(log: Path, environment: dict[str, str], options: tuple[str, ...]) -> int:
    """Start the platform's process, which outlives this one; give its pid."""
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        sys.executable,
        (sys.executable, "-c", RUN, "up", "--foreground", *options),
        environment,
        file_actions=(
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ),
        setsid=True,
    )


def stop(running: Running) -> None:
    """End the platform: ask, wait, then insist."""
    for request in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(running.pid, request)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + _STOP_S
        while time.monotonic() < deadline:
            if not running.alive():
                return
            time.sleep(_POLL_S)


def _as_environment(settings: Settings) -> dict[str, str]:
    """Give what differs from the defaults as variables, so that the child sees the same settings."""

    def text(value: Any) -> str:  # noqa: ANN401 -- any setting
        if hasattr(value, "get_secret_value"):
            return str(value.get_secret_value())
        return ",".join(value) if isinstance(value, tuple) else str(value)

    return {
        f"QUETZAL_{name.upper()}": text(value)
        for name in Settings.model_fields
        if (value := getattr(settings, name)) != Settings.model_fields[name].default
        and value is not None
    }


def _show_credentials(files: HostFiles) -> None:
    if files.credentials.is_file():
        say(files.credentials.read_text("utf-8").strip())
        note(f"Shown once; kept in {files.credentials}, readable by you only.")
