"""A forked job on the host: its channel, its control group, what it has made, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from quetzalcore.hypervisor import protocol
from quetzalcore.hypervisor.cgroups import Group
from quetzalcore.hypervisor.channel import Channel
from quetzalcore.hypervisor.runtime import Runtime, Stats
from quetzalcore.hypervisor.spec import Limit, VMSpec
from quetzalcore.hypervisor.started import StartedVM, VMLost
from quetzalcore.hypervisor.takeout import take_out

__all__ = ["Branch", "Dividing", "fork", "lose"]

_MIB = 1024**2
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BOUNDED_BY_GROUP = frozenset({Limit.CPU, Limit.MEMORY, Limit.PIDS})
_CONFIRM_S = 3.0  # for a VM to confirm that a killed job is gone, before it is ended itself
_BORN_S = 10.0
_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid
_FIRST_WORDS = 256


@runtime_checkable
class Dividing(Protocol):
    """A machine that gives each job that it forks a control group of its own."""

    space: int
    """A descriptor of the folder in memory that holds its ``out``."""

    def divide(self) -> None:
        """Make it ready to hold groups below its own."""
        ...

    def plot(self, name: str, spec: VMSpec) -> Group:
        """Make a group below its own, with these limits, for one of its processes."""
        ...

    def settle(self, group: Group, pid: int) -> None:
        """See that one of its processes is in a group; ``OSError`` if it is none of them."""
        ...


class Branch:
    """A forked job: ends alone, or with the VM that forked it."""

    def __init__(  # noqa: PLR0913 -- what a job has of its own and of its VM
        self,
        number: int,
        parent: StartedVM,
        ended: asyncio.Future[protocol.BranchEnded],
        *,
        channel: Channel,
        ground: Dividing | None,
        group: Group | None,
    ) -> None:
        self.number = number
        self.parent = parent
        self.ended = ended
        self.channel = channel
        self._ground = ground
        self._group = group

    @property
    def name(self) -> str:
        """Name its part of its VM's ``/in`` and ``/out``."""
        return str(self.number)

    @property
    def inputs(self) -> Path:
        """Give the folder on the host that its task sees as its inputs."""
        return self.parent.folder / "in" / self.name

    @property
    def runtime(self) -> Runtime:
        """Give the runtime of its VM."""
        return self.parent.runtime

    def enforces(self, limit: Limit) -> bool:
        """Say whether its runtime holds a limit for it alone."""
        if limit is Limit.SCRATCH or (limit in _BOUNDED_BY_GROUP and self._group is None):
            return False
        return self.parent.enforces(limit)

    async def take_products(self, folder: Path) -> Path:
        """Take what it made out of its VM, into a folder of its own; after ``end``."""
        target = folder / "out"
        if self._ground is None:
            return await asyncio.to_thread(_take_folder, self.parent, self.name, target)
        target.mkdir(parents=True)
        try:
            out = _open_folders(self._ground.space, "out", self.name)
        except FileNotFoundError:
            return target  # it ended before it made its folder, or has removed it
        try:
            if _holds_something(out):
                await asyncio.to_thread(
                    take_out, out, target, size=self.parent.spec.scratch_mib * _MIB
                )
        finally:
            os.close(out)
        return target

    async def exit_status(self) -> int:
        """Wait for the end; negative for a signal."""
        return (await asyncio.shield(self.ended)).status

    def terminate(self) -> None:
        """End it: it shares a VM, so there is no time for last words."""
        self.parent.channel.send({"type": "kill", "branch": self.number})

    def stats(self) -> Stats:
        """Say what it has used: its group, or without one what its VM told of it after its end."""
        if self._group is not None:
            return self._group.stats()
        if not self.ended.done():
            return Stats(cpu_s=0.0, peak_memory_mib=0.0, pids=1)
        end = self.ended.result()
        return Stats(cpu_s=end.cpu_s, peak_memory_mib=end.peak_memory_mib, pids=0)

    async def end(self) -> None:
        """End every process of it; with the whole VM if that cannot confirm it. Idempotent."""
        self.channel.close()
        if self._group is not None:
            await self._group.kill()
        if not self.ended.done():
            self.terminate()
            await asyncio.wait({self.ended}, timeout=_CONFIRM_S)
        if not self.ended.done():
            await self.parent.end()
            lose(self.ended, self.number)
        if self._group is not None:
            with contextlib.suppress(OSError):  # else it goes with its VM's
                self._group.remove()
        await self._drop_inputs()

    async def _drop_inputs(self) -> None:
        if self.inputs.exists():
            await asyncio.to_thread(shutil.rmtree, self.inputs, ignore_errors=True)


def lose(ended: asyncio.Future[protocol.BranchEnded], number: int) -> None:
    """Note that a job ended with its VM."""
    if not ended.done():
        ended.set_result(protocol.BranchEnded(branch=number, status=-signal.SIGKILL))


async def fork(  # noqa: PLR0913 -- likewise
    parent: StartedVM,
    number: int,
    ended: asyncio.Future[protocol.BranchEnded],
    *,
    ground: Dividing | None,
    spec: VMSpec,
    clock: Callable[[], float],
) -> Branch:
    """Fork a job's process, which waits for its task, in a group of its own where groups are ours.

    ``VMLost`` or ``OSError`` if it did not come up, or could not be limited; then it runs nothing.
    """
    ours, theirs = socket.socketpair()
    group: Group | None = None
    try:
        ours.setblocking(False)
        with contextlib.closing(theirs):
            if ground is not None:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
                group = ground.plot(f"job-{number}", spec)
            _order(parent.channel, number, theirs, group)
        if ground is not None and group is not None:
            ground.settle(group, await _pid_of(ours))
        channel = await Channel.over(ours, clock)
        return Branch(number, parent, ended, channel=channel, ground=ground, group=group)
    except BaseException:
        ours.close()  # a child that hears nothing more ends
        if group is not None:
            await group.kill()
            group.remove()
        raise


def _order(channel: Channel, number: int, theirs: socket.socket, group: Group | None) -> None:
    """Tell a VM to fork a job, which gets its channel, and goes into its group by itself if it can."""
    doors = () if group is None else group.doors()
    message = {
        "type": "fork", "branch": number, "introduce": group is not None, "doors": len(doors),
    }  # fmt: skip
    try:
        channel.send_descriptors(message, (theirs.fileno(), *doors))
    finally:
        for door in doors:
            os.close(door)


async def _pid_of(ours: socket.socket) -> int:
    """Wait for the child's first words and give its pid on this host, which the kernel attests."""
    loop = asyncio.get_running_loop()
    spoken: asyncio.Future[None] = loop.create_future()
    loop.add_reader(ours, _settle, spoken)
    try:
        await asyncio.wait_for(spoken, _BORN_S)
    except TimeoutError as error:
        raise VMLost("a forked job did not come up", hint="it is tried again") from error
    finally:
        loop.remove_reader(ours)
    _, control, _, _ = ours.recvmsg(_FIRST_WORDS, socket.CMSG_SPACE(_CREDENTIALS.size))
    for level, kind, data in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            pid, _, _ = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
            return int(pid)
    raise VMLost("a forked job ended at once", hint="it is tried again")


def _settle(spoken: asyncio.Future[None]) -> None:
    if not spoken.done():
        spoken.set_result(None)


def _take_folder(parent: StartedVM, name: str, target: Path) -> Path:
    made = parent.folder / "out" / name
    if made.is_dir() and not made.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        made.rename(target)
    return target


def _holds_something(folder: int) -> bool:
    with os.scandir(folder) as entries:
        return next(entries, None) is not None


def _open_folders(descriptor: int, *names: str) -> int:
    opened = os.dup(descriptor)
    for name in names:
        outer, opened = opened, -1
        try:
            opened = os.open(name, _FOLDER, dir_fd=outer)
        finally:
            os.close(outer)
    return opened
