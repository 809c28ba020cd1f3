"""The ``quetzal`` command: its sub-commands, its exit codes, and its one-sentence errors."""

from __future__ import annotations

import errno
import os
import signal
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

import quetzalcore
from quetzalcore.cli import (
    accounts,
    autoscale,
    balancer,
    cost,
    demo,
    deploy,
    doctor,
    igrf,
    jobs,
    roles,
    scale,
    status,
    stress,
    supervising,
    survey,
    up,
)
from quetzalcore.cli.console import note, warn
from quetzalcore.cli.secret_files import with_secret_files
from quetzalcore.errors import BadParameter, QuetzalError, Where
from quetzalcore.settings import Settings, load_settings

__all__ = ["app", "run"]

app = typer.Typer(
    name="quetzal",
    help="From a raw magnetic survey to corrected grids, depths and ranked drill targets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Add --debug anywhere to see a traceback. Example: quetzal survey run survey.csv -o out",
)
app.add_typer(survey.app, name="survey")
app.command("cost")(cost.cost)
app.command("igrf")(igrf.igrf)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("down")(up.down)
app.command("restart")(supervising.restart)
app.command("scale")(scale.scale)
app.command("status")(status.status)
app.command("logs")(up.logs)
app.add_typer(jobs.app, name="jobs")
app.command("submit")(jobs.submit)
app.command("gateway")(roles.gateway)
app.command("master")(roles.master)
app.command("worker")(roles.worker)
app.command("balancer")(balancer.balancer)
app.command("deploy")(deploy.deploy)
app.add_typer(accounts.user_app, name="user")
app.add_typer(accounts.key_app, name="key")
app.add_typer(autoscale.app, name="autoscale")
app.command("doctor")(doctor.doctor)
app.command("stress")(stress.stress)


_INTERRUPTED = 130
_TERMINATED = 143
_STOPPED = frozenset({_INTERRUPTED, _TERMINATED})


def _version(value: bool) -> None:  # noqa: FBT001 -- Typer's callback protocol
    if value:
        print(quetzalcore.__version__)
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Read the settings once, for every sub-command."""
    del version  # handled by its callback
    if context.resilient_parsing:
        return
    context.obj = _settings()


def _settings() -> Settings:
    path = Path("quetzal.toml")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadParameter(
            f"it is not TOML ({error})", hint="mend or remove it", where=Where(file=str(path))
        ) from None
    settings, warnings = load_settings(values, with_secret_files(os.environ))
    for warning in warnings:
        warn(warning)
    return settings


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 ok, 1 failed, 2 wrong usage, 130 or 143 stopped."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        with _ended_tidily():
            app([argument for argument in given if argument != "--debug"])
    except QuetzalError as error:
        if debug:
            raise
        note(f"Error: {error}")
        sys.exit(1)
    except SystemExit as stop:
        if stop.code in _STOPPED:  # Typer has turned Ctrl-C into this
            note("Stopped. Nothing was written.")
        raise
    except Exception as error:
        if debug:
            raise
        note(f"Error: {_sentence(error)}")
        sys.exit(1)


@contextmanager
def _ended_tidily() -> Iterator[None]:
    """Turn a request to end (kill, a closed terminal) into an exit that clears up behind itself."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(_TERMINATED)

    signals = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sentence(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "memory ran out: give a larger --cell-size, or a part of the survey."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "there is no room left to write to: make room on the disk and run again."
    kind = type(error).__name__
    return f"{kind}: {error}. This is a defect: run again with --debug and report it."
