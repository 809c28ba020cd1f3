"""A VM that forks its tenant's jobs: each child has a channel, folders and processes of its own."""

from __future__ import annotations

import array
import gc
import os
import signal
import time
from _socket import CMSG_LEN, SCM_RIGHTS, SOL_SOCKET, socket
from typing import Any

from quetzalcore.hypervisor.guest import wire

__all__ = ["serve"]

_MESSAGE = 4096
_PR_SET_CHILD_SUBREAPER = 36
_SWEEP_S = 2.0
_CANNOT_SWEEP = 71  # the exit status of a VM that cannot get rid of a job's processes
_WORD = 4  # bytes of a descriptor in a control message


def serve() -> Any:  # noqa: ANN401 -- a JSON object
    """Fork a child for every request; in a child return its task, in the parent None at the end."""
    jobs = _Jobs()
    adopt_orphans()
    import quetzalcore.workloads.task  # noqa: F401, PLC0415 -- shared by every child

    gc.collect()
    gc.freeze()  # pages that no child's collector touches stay shared
    signal.signal(signal.SIGCHLD, lambda *_: jobs.reap())
    host = socket(fileno=wire.CHANNEL)
    while True:
        data, control, _, _ = host.recvmsg(_MESSAGE, CMSG_LEN(_WORD))
        if not data:
            return None
        said = wire.decode(data)
        if said["type"] == "kill":
            jobs.kill(said["branch"])
        elif jobs.fork(said["branch"], _descriptor(control)):
            host.detach()
            return wire.receive()


def adopt_orphans() -> None:
    """Become the parent of whatever loses its own below us, so that it can be found and ended."""
    import ctypes  # noqa: PLC0415 -- 10 ms, once for many jobs

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _descriptor(control: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in control:
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
            return array.array("i", data[:_WORD])[0]
    raise ValueError("a request to fork came without a channel")


class _Jobs:
    """The children that run a job, by pid."""

    def __init__(self) -> None:
        self._branch: dict[int, int] = {}

    def fork(self, branch: int, channel: int) -> bool:
        """Fork; True in the child, whose descriptor 3 is its own channel."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # not before the pid is known
        pid = os.fork()
        if pid:
            self._branch[pid] = branch
            os.close(channel)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            return False
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
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
