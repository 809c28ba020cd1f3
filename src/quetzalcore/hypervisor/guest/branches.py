"""A VM that forks its tenant's jobs: each child has a channel, folders and processes of its own."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from _socket import CMSG_LEN, SCM_RIGHTS, SOL_SOCKET, socket
from select import POLLIN, poll
from typing import Any

from quetzalcore.hypervisor.guest import wire

__all__ = ["serve"]

_MESSAGE = 4096
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_DUMPABLE = 4
_SWEEP_S = 2.0
_CANNOT_SWEEP = 71  # the exit status of a VM that cannot get rid of a job's processes
_DESCRIPTORS = 64  # more than this process ever has open
_WORD = 4  # bytes of a descriptor in a control message
_AT_ONCE = 16  # descriptors of one message


def serve() -> Any:  # noqa: ANN401 -- a JSON object
    """Fork a child for every request; in a child return its task, in the parent None at the end."""
    jobs = _Jobs()
    adopt_orphans()
    _close_memory()
    import quetzalcore.workloads.task  # noqa: F401, PLC0415 -- shared by every child

    gc.collect()
    gc.freeze()  # pages that no child's collector touches stay shared
    ended = _wake_at_ends()
    wire.send({"type": "ready", "tier": "serving"})  # the host sends no descriptor before
    host = socket(fileno=wire.CHANNEL)
    ready = poll()
    ready.register(host, POLLIN)
    ready.register(ended, POLLIN)
    heard = _Heard()
    while True:
        for number, _ in ready.poll():
            if number == ended:
                os.read(ended, _MESSAGE)
                jobs.reap()
            elif not heard.more(host):
                return None
            elif jobs.obey(heard):
                host.detach()
                signal.set_wakeup_fd(-1)
                os.closerange(wire.CHANNEL + 1, _DESCRIPTORS)
                if jobs.introduce:  # the kernel tells the host who speaks, and it limits us alone
                    wire.send({"type": "born"})
                return wire.receive()


def _wake_at_ends() -> int:
    """Give a descriptor that can be read when a child has ended: no handler runs in between."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading


class _Heard:
    """What the host has said and sent: lines, and the open files that came with them."""

    def __init__(self) -> None:
        self._kept = b""
        self.lines: list[bytes] = []
        self.files: list[int] = []

    def more(self, host: socket) -> bool:
        data, control, _, _ = host.recvmsg(_MESSAGE, CMSG_LEN(_WORD * _AT_ONCE))
        self.files += [
            int.from_bytes(words[place : place + _WORD], sys.byteorder)
            for level, kind, words in control
            if (level, kind) == (SOL_SOCKET, SCM_RIGHTS)
            for place in range(0, len(words) - _WORD + 1, _WORD)
        ]
        *lines, self._kept = (self._kept + data).split(b"\n")
        self.lines += lines
        return bool(data)

    def take(self, count: int) -> list[int]:
        taken, self.files = self.files[:count], self.files[count:]
        return taken


def adopt_orphans() -> None:
    """Become the parent of whatever loses its own below us, so that it can be found and ended."""
    import ctypes  # noqa: PLC0415 -- 10 ms, once for many jobs

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _close_memory() -> None:
    """Let no job look into this process or into another job, though all of them are one user.

    What is forked from here inherits it. A plain process is told by its environment, which its host must
    be able to read, and has no walls anyway.
    """
    if "QUETZAL_VM" not in os.environ:  # noqa: TID251 -- a process's edge
        import ctypes  # noqa: PLC0415 -- loaded already

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def enter(door: int) -> None:
    """Go into a control group by its open file; where that fails the host sees to it."""
    try:
        os.write(door, b"0")
    except OSError:
        return
    finally:
        os.close(door)


def forget(branch: int) -> None:
    """Remove what a job left in ``/out``, which the host has taken, and make room for others."""
    folder = f"{os.environ.get('QUETZAL_OUT', '/out')}/{branch}"  # noqa: TID251 -- a process's edge
    try:
        os.rmdir(folder)  # noqa: PTH106 -- pathlib costs 5 ms
    except FileNotFoundError:
        return
    except OSError:
        import shutil  # noqa: PLC0415 -- most jobs leave nothing

        shutil.rmtree(folder, ignore_errors=True)


class _Jobs:
    """The children that run a job, by pid."""

    def __init__(self) -> None:
        self._branch: dict[int, int] = {}
        self.introduce = False

    def obey(self, heard: _Heard) -> bool:
        """Do what the host has said; True in a child, for which it is over."""
        while heard.lines:
            said = wire.decode(heard.lines.pop(0))
            if said["type"] == "kill":
                self.kill(said["branch"])
            elif said["type"] == "forget":
                forget(said["branch"])
            elif self.fork(said["branch"], *heard.take(1 + said["doors"])):
                self.introduce = said["introduce"]
                return True
        return False

    def fork(self, branch: int, channel: int, *doors: int) -> bool:
        """Fork; True in the child, which is in its own groups and whose descriptor 3 is its own channel."""
        pid = os.fork()
        if pid:
            self._branch[pid] = branch
            for number in (channel, *doors):
                os.close(number)
            return False
        for door in doors:
            enter(door)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(channel, wire.CHANNEL)
        os.close(channel)
        os.setsid()
        adopt_orphans()
        return True

    def kill(self, branch: int) -> None:
        """End a job's first process; what it leaves behind is swept when that is reaped."""
        for pid, number in list(self._branch.items()):
            if number == branch:
                os.kill(pid, signal.SIGKILL)

    def reap(self) -> None:
        """Tell the host of every job that has ended, once none of its processes is left."""
        ended = []
        while (found := _wait()) is not None:
            pid, status, usage = found
            if pid in self._branch:
                ended.append((self._branch.pop(pid), status, usage))
        self._sweep()
        for branch, status, usage in ended:
            wire.send(
                {
                    "type": "branch",
                    "branch": branch,
                    "status": os.waitstatus_to_exitcode(status),
                    "cpu_s": usage.ru_utime + usage.ru_stime,
                    "peak_memory_mib": usage.ru_maxrss / 1024,
                }
            )

    def _sweep(self) -> None:
        # A live job adopts its own orphans: whom we have adopted has lost its job.
        until = time.monotonic() + _SWEEP_S
        while strays := [pid for pid in _children() if pid not in self._branch]:
            if time.monotonic() > until:
                os._exit(_CANNOT_SWEEP)
            for pid in strays:
                os.kill(pid, signal.SIGKILL)
            for pid in strays:
                os.waitpid(pid, 0)


def _wait() -> tuple[int, int, Any] | None:
    try:
        pid, status, usage = os.wait4(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status, usage) if pid else None


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as listed:  # noqa: PTH123 -- pathlib costs 5 ms
            return [int(pid) for pid in listed.read().split()]
    except OSError:
        return []  # no /proc: only the job's own process is ended
