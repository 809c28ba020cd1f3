"""Child processes of a supervisor: started with what they inherit, heard, ended, and never left behind."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from quetzalcore.ops.supervisor.log_files import RotatingFile

__all__ = ["Birth", "Child", "spawn"]

_READ_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20  # what a process may say while its supervisor is busy
_LAST_BYTES = 2000
_PR_SET_PDEATHSIG = 1
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)


@dataclass(slots=True, kw_only=True)
class Child:
    """A process that runs, or has ended and is still heard."""

    run_id: str
    process: subprocess.Popen[bytes]
    log: RotatingFile
    output: int
    ready: int
    open_files: set[int] = field(default_factory=set)
    last: bytes = b""

    @property
    def pid(self) -> int:
        """Its process id; not given to another before ``ended`` was asked."""
        return self.process.pid

    @property
    def last_line(self) -> str:
        """What it said last."""
        lines = self.last.decode("utf-8", "replace").strip().splitlines()
        return lines[-1][-300:] if lines else ""

    def ended(self) -> int | None:
        """Give its exit status, negative for a signal; None while it lives."""
        return self.process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; too late is no error."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def close(self) -> None:
        """Write down what is left of its output, and let go of the pipes."""
        while self.output in self.open_files and self._read():
            pass
        for number in tuple(self.open_files):
            self._drop(number)

    def hear(self, on_ready: Callable[[], None]) -> None:
        """Write its output to its log from now on, and call when it says that it serves."""
        loop = asyncio.get_running_loop()
        self.open_files = {self.output, self.ready}
        loop.add_reader(self.output, self._read)

        def listen() -> None:
            said = os.read(self.ready, 64)
            self._drop(self.ready)
            if said:
                on_ready()

        loop.add_reader(self.ready, listen)

    def _read(self) -> bool:
        """Move some output to the log; say whether there was any."""
        try:
            data = os.read(self.output, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._drop(self.output)
            return False
        self.log.write(data)
        self.last = (self.last + data)[-_LAST_BYTES:]
        return True

    def _drop(self, number: int) -> None:
        if number in self.open_files:
            self.open_files.discard(number)
            asyncio.get_running_loop().remove_reader(number)
            os.close(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """How a process begins.

    ``command`` is given the number of the pipe on which the process says that it serves. ``last_signal`` is what
    the kernel sends it should this process die (Linux only).
    """

    command: Callable[[int], tuple[str, ...]]
    environment: Mapping[str, str]
    inherited: tuple[int, ...] = ()
    last_signal: signal.Signals = signal.SIGKILL


def spawn(run_id: str, birth: Birth, *, log: RotatingFile) -> Child:
    """Start a process in a session of its own that ends with this one; raises ``OSError``."""
    output, sink = os.pipe()
    ready, told = os.pipe()
    os.set_blocking(output, False)
    if _SET_PIPE_SIZE is not None:
        with suppress(OSError):
            fcntl.fcntl(output, _SET_PIPE_SIZE, _PIPE_BYTES)
    try:
        process = subprocess.Popen(  # noqa: S603 -- a command of ours
            birth.command(told),
            env=birth.environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            pass_fds=(*birth.inherited, told),
            start_new_session=True,  # a terminal's Ctrl-C is for the supervisor alone
            preexec_fn=_tied_to(os.getpid(), birth.last_signal),  # noqa: PLW1509 -- one thread here
        )
    except OSError:
        os.close(output)
        os.close(ready)
        raise
    finally:
        os.close(sink)
        os.close(told)
    return Child(run_id=run_id, process=process, log=log, output=output, ready=ready)


def _tied_to(parent: int, number: signal.Signals) -> Callable[[], None] | None:
    """Give what makes a child end with its parent, however that ends; None where the kernel knows no such thing."""
    if not sys.platform.startswith("linux"):
        return None
    control = ctypes.CDLL(None, use_errno=True).prctl

    def tie() -> None:
        control(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it died in between
            os.kill(os.getpid(), signal.SIGKILL)

    return tie
