"""Runs locust in a process group of its own and gives what it wrote down, however it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from quetzalcore.errors import Permanent
from quetzalcore.ops.stress.plan import (
    PLAN_FILE,
    RECORD_FILE,
    REQUEST_S,
    Action,
    LoadPlan,
    locust_command,
    locust_environment,
)
from quetzalcore.ops.stress.record import Record, read_record

__all__ = ["LoadFailed", "Users", "run_load"]

_LOOK_S = 0.2
_START_S = 60.0  # locust is slow to load
_END_S = 5.0
_SAID = 600


class LoadFailed(Permanent):
    """The process that makes the load did not begin to."""

    code = "load_failed"
    title = "The load test did not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """What the users need to know: what they do how often, what they show, and which jobs they read."""

    weights: Mapping[Action, int]
    headers: Mapping[str, str] = field(repr=False)
    jobs: tuple[str, ...] = ()


def run_load(
    plan: LoadPlan,
    users: Users,
    *,
    environment: Mapping[str, str],
    advanced: Callable[[float], None] = lambda _share: None,
) -> Record:
    """Make the load until it is over, or until this process is told to end; give what was measured.

    Raises
    ------
    LoadFailed
        If nothing was written down.
    """
    with TemporaryDirectory(prefix="quetzal-stress-") as name, _told_to_end() as told:
        folder = Path(name)
        _write_secret(folder / PLAN_FILE, plan, users)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 -- a command of ours
                locust_command(plan),
                cwd=folder,
                env=locust_environment(environment, folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a terminal's Ctrl-C is for us: we still have a report to write
            )
        try:
            why = _watch(process, plan, told, advanced)
        finally:
            _end(process)
        path = folder / RECORD_FILE
        record = read_record(path.read_text("utf-8").splitlines() if path.is_file() else ())
        if not record.seconds and not why:
            said = (folder / "log").read_text("utf-8", "replace").strip()[-_SAID:]
            raise LoadFailed(
                f"locust ended with {process.returncode} and measured nothing ({said or 'it said nothing'})",
                hint="see that quetzalcore[stress] is installed as a whole",
            )
        return replace(record, stopped=why or record.stopped)


def _watch(
    process: subprocess.Popen[bytes],
    plan: LoadPlan,
    told: list[int],
    advanced: Callable[[float], None],
) -> str:
    """Wait for its end; give why it has to be ended, if it has to."""
    began = time.monotonic()
    while process.poll() is None:
        past_s = time.monotonic() - began
        if told:
            return f"it was interrupted after {past_s:.0f} s"
        if past_s > _START_S + plan.total_s + 2 * REQUEST_S:
            return "locust did not end by itself"
        advanced(min(1.0, past_s / plan.total_s))
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_S)
    return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group, at last by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)


@contextmanager
def _told_to_end() -> Iterator[list[int]]:
    """Note Ctrl-C and a request to end instead of breaking off."""
    told: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        told.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write_secret(path: Path, plan: LoadPlan, users: Users) -> None:
    """Hand the key over in a file that only its owner reads, gone with the folder."""
    text = json.dumps(
        {
            "total_s": plan.total_s,  # locust's own clock runs before the first user does
            "weights": users.weights,
            "headers": dict(users.headers),
            "jobs": users.jobs,
        }
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
