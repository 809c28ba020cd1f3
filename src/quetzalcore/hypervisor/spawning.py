"""Starting a host process cheaply from an event loop: posix_spawn, a pidfd, and the end of what it prints."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["CONSOLE_BYTES", "Spawned", "Started", "follow", "sealed_copy", "start", "which"]

CONSOLE_BYTES = 8192
"""How much of the end of a machine's standard output and error is kept."""

_READ_BYTES = 65536
_STDERR = 2

_Action = tuple[int, int] | tuple[int, int, int]


@dataclass(slots=True, kw_only=True)
class Spawned:
    """A child of this process; its exit is seen by the loop that started it."""

    pid: int
    ended: asyncio.Future[int]
    usage: dict[str, float] = field(default_factory=dict)
    tail: bytearray = field(default_factory=bytearray)

    async def wait(self) -> int:
        """Wait for the end; give the exit status (negative: the signal). Any number may wait."""
        return await asyncio.shield(self.ended)

    def signal(self, number: int = signal.SIGKILL) -> None:
        """Send a signal unless it has been reaped, so that a reused pid is never hit."""
        if not self.ended.done():
            os.kill(self.pid, number)

    def console(self) -> str:
        """Give the end of what it printed, undecodable bytes replaced."""
        return bytes(self.tail).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A child that no loop watches yet, and the descriptor from which what it prints can be read."""

    pid: int
    console: int


def start(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    descriptors: Mapping[int, int],
    program: str = "",
) -> Started:
    """Start a process in a session of its own; ``descriptors`` maps its numbers to ours.

    ``program`` is what is run if that is not ``argv[0]``. Nothing else that is open here is inherited.
    From any thread: the process is in its namespaces, and a death signal follows it.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    null = os.open(os.devnull, os.O_RDONLY)
    high = [(_above(source), number) for number, source in descriptors.items()]
    actions: list[_Action] = [
        (os.POSIX_SPAWN_DUP2, null, 0),
        (os.POSIX_SPAWN_DUP2, writing, 1),
        (os.POSIX_SPAWN_DUP2, writing, 2),
        *((os.POSIX_SPAWN_DUP2, source, number) for source, number in high),
        *((os.POSIX_SPAWN_CLOSE, number) for number in _inheritable() - set(descriptors)),
    ]
    try:
        pid = _posix_spawn(program or argv[0], argv, dict(environment), actions)
        return Started(pid=pid, console=reading)
    except OSError:
        os.close(reading)
        raise
    finally:
        for number in (null, writing, *(source for source, _ in high)):
            os.close(number)


def follow(started: Started) -> Spawned:
    """Watch a child from the running loop until it ends."""
    loop = asyncio.get_running_loop()
    child = Spawned(pid=started.pid, ended=loop.create_future())
    loop.add_reader(started.console, _drain, loop, started.console, child)
    _watch(loop, child)
    return child


def which(
    name: str, path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
) -> str:
    """Find a program in the system's folders; empty where there is none."""
    for folder in path.split(":"):
        candidate = Path(folder) / name
        if os.access(candidate, os.X_OK):
            return str(candidate)
    return ""


def _above(descriptor: int) -> int:
    """Duplicate above every number that the child uses, so that no dup2 overwrites another's source."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 64)


def _inheritable() -> set[int]:
    """Find what a child would inherit although nobody meant it to: this process's own inheritance."""
    found = set()
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 -- numbers, on Linux and macOS; a Path for each costs more
        with contextlib.suppress(OSError):  # the listing's own
            if int(name) > _STDERR and os.get_inheritable(int(name)):
                found.add(int(name))
    return found


def sealed_copy(path: str) -> int:
    """Copy a program into memory that nothing can write to any more; give a descriptor above 63.

    A runtime that finds itself in such memory need not make the same copy at every start to keep its
    own file from what it runs.
    """
    made = os.memfd_create(Path(path).name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        content = memoryview(Path(path).read_bytes())
        while content:
            content = content[os.write(made, content) :]
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(made, fcntl.F_ADD_SEALS, seals)
        return _above(made)
    finally:
        os.close(made)


def _posix_spawn(
    program: str, argv: Sequence[str], environment: dict[str, str], actions: list[_Action]
) -> int:
    try:
        return os.posix_spawn(
            program,
            tuple(argv),
            environment,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGPIPE),
        )
    except NotImplementedError:  # a C library without POSIX_SPAWN_SETSID: a group, not a session
        return os.posix_spawn(program, tuple(argv), environment, file_actions=actions, setpgroup=0)


def _watch(loop: asyncio.AbstractEventLoop, child: Spawned) -> None:
    if sys.platform == "linux":
        handle = os.pidfd_open(child.pid)
        loop.add_reader(handle, _reap, loop, handle, child)
    else:
        loop.run_in_executor(None, _block, loop, child)


def _reap(loop: asyncio.AbstractEventLoop, handle: int, child: Spawned) -> None:
    _, status, usage = os.wait4(child.pid, 0)
    loop.remove_reader(handle)
    os.close(handle)
    _finish(child, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def _block(loop: asyncio.AbstractEventLoop, child: Spawned) -> None:
    _, status, usage = os.wait4(child.pid, 0)
    loop.call_soon_threadsafe(
        _finish, child, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss
    )


def _finish(child: Spawned, status: int, cpu_s: float, peak: float) -> None:
    per_mib = 1024.0 if sys.platform == "linux" else 1024.0**2  # ru_maxrss: KiB, on macOS bytes
    child.usage.update(cpu_s=cpu_s, peak_memory_mib=peak / per_mib)
    if not child.ended.done():
        child.ended.set_result(os.waitstatus_to_exitcode(status))


def _drain(loop: asyncio.AbstractEventLoop, reading: int, child: Spawned) -> None:
    try:
        block = os.read(reading, _READ_BYTES)
    except BlockingIOError:
        return
    if not block:
        loop.remove_reader(reading)
        os.close(reading)
        return
    child.tail += block
    del child.tail[:-CONSOLE_BYTES]
