"""What every walled machine has on the host: its group, its writable space, its launcher; made and undone in order."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import os
import shutil
import signal
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from quetzalcore.hypervisor.cgroups import Group, Groups
from quetzalcore.hypervisor.mounts import MountRoom, drop_folders, make_folders, resize_space
from quetzalcore.hypervisor.plan.limits import group_limits
from quetzalcore.hypervisor.runtime import Launch, Stats
from quetzalcore.hypervisor.spawning import Spawned, Started, follow, start
from quetzalcore.hypervisor.spec import VMSpec
from quetzalcore.hypervisor.takeout import take_out

__all__ = ["CHANNEL", "FIRST_UID", "TOLD", "Call", "Place", "WalledMachine", "begin", "uid_of"]

FIRST_UID = 1_879_048_192
"""Guests run under uids from here on, which no distribution gives to anybody."""

CHANNEL, TOLD = 3, 4
"""The descriptors on which a guest speaks, and on which its launcher reads what to make."""

_UIDS = 1 << 20
_MIB = 1024**2
_SIGNALLED = 128  # runtimes add the signal's number to this


def uid_of(vm_id: str) -> int:
    """Give the uid of a machine's guest on the host: of its own, but for rare collisions."""
    return FIRST_UID + zlib.crc32(vm_id.encode()) % _UIDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a machine lies within the room: ``in`` and ``space`` are below ``folder``."""

    folder: Path
    uid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How to start a machine's launcher.

    The launcher is put into the machine's group and only then given ``told``, what it is to make: on
    descriptor 4, or through a pipe at ``pipe`` if it reads nothing but a file. ``files`` are further
    descriptors with their contents; ``state`` is what it leaves behind when it is killed. ``program`` is
    what is run if that is not ``argv[0]``.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    told: bytes
    pipe: Path | None = None
    files: Mapping[int, bytes] = field(default_factory=dict)
    state: Path | None = None
    groups_without: tuple[str, ...] = ("devices",)
    program: str = ""


@dataclass(slots=True, kw_only=True)
class WalledMachine:
    """A machine in a mount room and in control groups."""

    launch: Launch
    room: MountRoom
    group: Group
    place: Place
    space: int  # descriptor of its writable space: keeps it alive after the machine's end
    state: Path | None
    spawned: Spawned
    limits: VMSpec
    last: Stats | None = None
    ending: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The pid, on the host, of the guest's first process: the oldest but the launcher's."""
        return min(self.group.pids() - {self.spawned.pid}, default=self.spawned.pid)

    async def wait(self) -> int:
        """Wait for the end; give the exit status (negative: the signal)."""
        status = await self.spawned.wait()
        return _SIGNALLED - status if status > _SIGNALLED else status

    def console(self) -> str:
        """Give the end of what it printed."""
        return self.spawned.console()

    def resize(self, spec: VMSpec) -> None:
        """Change its limits and the size of its space."""
        self.limits = spec
        self.group.limit(group_limits(spec))
        resize_space(self.space, spec.scratch_mib * _MIB)

    def divide(self) -> None:
        """Make it ready to hold groups below its own."""
        self.group.divide()

    def plot(self, name: str, spec: VMSpec) -> Group:
        """Make a group below its own, with these limits, for one of its processes."""
        group = self.group.within(name)
        try:
            group.limit(group_limits(spec))
        except OSError:
            group.remove()
            raise
        return group

    def settle(self, group: Group, pid: int) -> None:
        """See that one of its processes is in a group; ``OSError`` if it is none of them."""
        if group.holds(pid):
            return
        if pid not in self.group.pids():
            raise ProcessLookupError(errno.ESRCH, "a forked job is no process of its machine")
        group.add(pid)

    def stats(self) -> Stats:
        """Measure; after ``end``, what it had used at its end."""
        return self.last or self.group.stats()

    async def end(self) -> None:
        """Kill everything in it, take over what it wrote to ``/out``, and undo the rest. Idempotent."""
        if self.ending is None:
            self.ending = asyncio.create_task(self._end())
        await asyncio.shield(self.ending)

    async def _end(self) -> None:
        await self.group.kill()
        await self.spawned.wait()
        self.last = dataclasses.replace(self.group.stats(), pids=len(self.group.pids()))
        try:
            if self._left_something():
                await asyncio.to_thread(self._take_out)
        finally:
            os.close(self.space)
            await self.room.run(self._leave)

    def _left_something(self) -> bool:
        with os.scandir(f"/proc/self/fd/{self.space}/out") as entries:
            return next(entries, None) is not None

    def _take_out(self) -> None:
        out = os.open("out", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.space)
        try:
            take_out(out, self.launch.folder / "out", size=self.limits.scratch_mib * _MIB)
        finally:
            os.close(out)

    def _leave(self) -> None:
        if self.state is not None:
            shutil.rmtree(self.state, ignore_errors=True)
        drop_folders(self.place.folder)
        self.group.remove()


async def begin(
    launch: Launch, *, room: MountRoom, groups: Groups, plan: Callable[[Place], Call]
) -> WalledMachine:
    """Start a machine: limited before its launcher knows what to make. Leaves nothing if it fails."""
    place = Place(folder=room.top / "vm" / launch.vm_id, uid=uid_of(launch.vm_id))
    group, call, space, started = await room.run(lambda: _make(launch, place, groups, plan))
    return WalledMachine(
        launch=launch,
        room=room,
        group=group,
        place=place,
        space=space,
        state=call.state,
        spawned=follow(started),
        limits=launch.spec,
    )


def _make(
    launch: Launch, place: Place, groups: Groups, plan: Callable[[Place], Call]
) -> tuple[Group, Call, int, Started]:
    inputs = launch.folder / "in"
    for path in (inputs, launch.folder / "out"):
        path.mkdir(parents=True, exist_ok=True)
    inputs.chmod(0o755)
    call = plan(place)
    with contextlib.ExitStack() as undo:
        group = groups.create(launch.vm_id, without=call.groups_without)
        undo.callback(group.remove)
        group.limit(group_limits(launch.spec))
        undo.callback(drop_folders, place.folder)
        size = launch.spec.scratch_mib * _MIB
        space = make_folders(place.folder, inputs=inputs, space_bytes=size, owner=place.uid)
        undo.callback(os.close, space)
        started = _start(launch, call, group)
        undo.pop_all()
    return group, call, space, started


def _start(launch: Launch, call: Call, group: Group) -> Started:
    reading, writing = _pipe(call.pipe)
    descriptors = {CHANNEL: launch.channel, TOLD: reading}
    descriptors |= {number: _file(content) for number, content in call.files.items()}
    try:
        started = start(
            call.argv,
            environment=call.environment,
            descriptors=descriptors,
            program=call.program,
        )
        try:
            group.add(started.pid)
            os.write(writing, call.told)
        except BaseException:
            os.kill(started.pid, signal.SIGKILL)
            os.waitpid(started.pid, 0)
            os.close(started.console)
            raise
        return started
    finally:
        for descriptor in (reading, writing, *(descriptors[number] for number in call.files)):
            os.close(descriptor)


def _pipe(path: Path | None) -> tuple[int, int]:
    """Make a pipe. One with a name must stay open until it is read, so its reading end is handed down."""
    if path is None:
        return os.pipe()
    os.mkfifo(path)
    both = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    return os.dup(both), both


def _file(content: bytes) -> int:
    descriptor = os.memfd_create("quetzal", os.MFD_CLOEXEC)
    os.pwrite(descriptor, content, 0)
    return descriptor
