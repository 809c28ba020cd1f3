"""Start, watch and end the processes of one Ray node, by pid only.

A small shell stands guard: it leads the daemons' process group, holds a pipe from us, and kills the
group when the pipe closes, so that nothing is left when we are killed. What left the group (workers
have their own) is found by a mark in its environment: the node's folder.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from quetzalcore.cluster.ray_access import FOLDER_VARIABLE, restart_delay_s
from quetzalcore.cluster.ray_node import RayNode, node_environment, ray_folder, start_command
from quetzalcore.errors import Permanent, Retryable

__all__ = ["RayNodeProcess", "RayNotStarted", "marked_processes", "running_node"]

_GUARD = (
    '"$@" </dev/null >"$QUETZAL_RAY_LOG" 2>&1 || exit 1; echo ready; cat >/dev/null; kill -KILL 0'
)
_START_LIMIT_S = 60.0
_KILL_LIMIT_S = 10.0
_STEADY_S = 60.0  # a node that lived so long has not failed "again"


class RayNotStarted(Retryable):
    """Ray did not come up on this host."""

    code = "ray_not_started"
    title = "Ray did not start"


def marked_processes(folder: Path, *, proc: Path = Path("/proc")) -> tuple[int, ...]:
    """Give the pids of a node's processes: those with its mark, and all of their sessions.

    Ray's Python daemons write their titles over their environment, so the mark alone is not enough;
    our own session is never taken for a node's.
    """
    mark = f"{FOLDER_VARIABLE}={folder}".encode()
    sessions: dict[int, int] = {}
    marked = set()
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        with suppress(OSError, IndexError):
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                sessions[pid] = int(fields[3])
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                marked.add(pid)
    foreign = {sessions[os.getpid()]} if os.getpid() in sessions else set()
    theirs = {sessions[pid] for pid in marked if pid in sessions} - foreign
    return tuple(pid for pid, session in sessions.items() if session in theirs)


class RayNodeProcess:
    """A Ray node on this host: ``start``, ``ended``, ``stop``."""

    def __init__(self, node: RayNode, inherited: Mapping[str, str]) -> None:
        self.node = node
        self._inherited = dict(inherited)
        self._guard: asyncio.subprocess.Process | None = None
        self._daemons: dict[str, int] = {}
        self._ended = asyncio.Event()
        self._watched: list[int] = []

    @property
    def daemons(self) -> Mapping[str, int]:
        """The pids of the daemons, by name: ``raylet`` and, on a head, ``gcs_server``."""
        return dict(self._daemons)

    @property
    def log(self) -> Path:
        """Where Ray's start says what went wrong; the daemons' logs lie in ``ray_folder``."""
        return self.node.folder / "start.log"

    async def start(self) -> None:
        """Bring the node up; what an earlier run left of it is ended first. ``RayNotStarted``."""
        await asyncio.to_thread(_end_processes, self.node.folder)
        await asyncio.to_thread(_clear, self.node.folder)
        command = start_command(self.node, python=sys.executable)
        self._ended = asyncio.Event()
        self._guard = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", _GUARD, "ray-guard", *command),
            env=node_environment(self.node, self._inherited) | {"QUETZAL_RAY_LOG": str(self.log)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            await self._until_ready(self._guard)
        except BaseException:
            await self.stop()
            raise

    async def ended(self) -> None:
        """Wait until a daemon of the node has died."""
        await self._ended.wait()

    async def stop(self) -> None:
        """End every process of the node. Idempotent."""
        self._unwatch()
        guard, self._guard = self._guard, None
        if guard is not None:
            if guard.stdin is not None:
                guard.stdin.close()
            with suppress(ProcessLookupError):
                os.killpg(guard.pid, signal.SIGKILL)
            await guard.wait()
        self._daemons = {}
        await asyncio.to_thread(_end_processes, self.node.folder)
        self._ended.set()

    async def _until_ready(self, guard: asyncio.subprocess.Process) -> None:
        said = b""
        if guard.stdout is not None:
            with suppress(TimeoutError):
                said = await asyncio.wait_for(guard.stdout.readline(), _START_LIMIT_S)
        if said.strip() != b"ready":
            raise RayNotStarted(
                f"the Ray node {self.node.name} at {self.node.host} did not come up: {self._last_words()}",
                hint=f"see {self.log}",
            )
        await asyncio.to_thread(self._find_daemons)
        self._watch()

    def _last_words(self) -> str:
        with suppress(OSError):
            lines = [line for line in self.log.read_text(errors="replace").splitlines() if line]
            return lines[-1][-300:] if lines else "it said nothing"
        return "it said nothing"

    def _find_daemons(self) -> None:
        """Learn the daemons' pids, and end the dashboard: it has no work here and holds 60 MB."""
        for pid in marked_processes(self.node.folder):
            command = _command_line(pid)
            program = Path(command[0]).name
            if program in {"raylet", "gcs_server"}:
                self._daemons[program] = pid
            elif any(part.endswith("dashboard/dashboard.py") for part in command):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        for name in ("raylet", "gcs_server") if self.node.head else ("raylet",):
            try:
                descriptor = os.pidfd_open(self._daemons[name])
            except (KeyError, ProcessLookupError):
                self._ended.set()
                return
            self._watched.append(descriptor)
            loop.add_reader(descriptor, self._ended.set)

    def _unwatch(self) -> None:
        for descriptor in self._watched:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)
        self._watched.clear()


@asynccontextmanager
async def running_node(
    node: RayNode,
    inherited: Mapping[str, str],
    *,
    said: Callable[[str, Mapping[str, object]], None] = lambda _event, _fields: None,
) -> AsyncIterator[RayNodeProcess]:
    """Keep a node up while the block runs: a node that dies is ended whole and started again.

    The first start must succeed (``RayNotStarted``); later ones are tried again with growing pauses.
    ``said`` is told ``ray.started``, ``ray.died`` and ``ray.not_started``.
    """
    process = RayNodeProcess(node, inherited)
    await process.start()
    said("ray.started", {"node": node.name, **process.daemons})
    watcher = asyncio.create_task(_keep_up(process, said))
    try:
        yield process
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
        await process.stop()


async def _keep_up(
    process: RayNodeProcess, said: Callable[[str, Mapping[str, object]], None]
) -> None:
    failures, name = 0, process.node.name
    while True:
        began = time.monotonic()
        await process.ended()
        failures = 1 if time.monotonic() - began > _STEADY_S else failures + 1
        said("ray.died", {"node": name, "failures": failures})
        await process.stop()
        await asyncio.sleep(restart_delay_s(failures))
        try:
            await process.start()
        except RayNotStarted as error:
            said("ray.not_started", {"node": name, "error": str(error)})
        else:
            said("ray.started", {"node": name, **process.daemons})


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return [""]


def _end_processes(folder: Path) -> None:
    """Kill what carries the node's mark, until nothing does."""
    deadline = time.monotonic() + _KILL_LIMIT_S
    while pids := marked_processes(folder):
        if time.monotonic() > deadline:
            raise RayNotStarted(
                f"processes of an earlier Ray node in {folder} do not end: {pids}",
                hint="they hang in the kernel; restart the host",
            )
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _clear(folder: Path) -> None:
    """Make the node's folders, ours alone, and empty Ray's."""
    folder.mkdir(parents=True, exist_ok=True)
    sessions = ray_folder(folder)
    if sessions.exists() and sessions.lstat().st_uid != os.getuid():
        raise Permanent(
            f"{sessions} belongs to another user", hint="remove it or choose another data folder"
        )
    before = sessions.with_name(f"{sessions.name}.before")  # its logs say why it died
    shutil.rmtree(before, ignore_errors=True)
    with suppress(FileNotFoundError):
        sessions.rename(before)
    sessions.mkdir(mode=0o700)
