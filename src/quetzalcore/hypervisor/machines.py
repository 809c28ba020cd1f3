"""What every walled machine has on the host: its group, its writable space, its launcher; made and undone in order."""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from quetzalcore.hypervisor.cgroups import Group
from quetzalcore.hypervisor.mounts import MountRoom, drop_folders, make_folders, resize_space
from quetzalcore.hypervisor.plan.limits import group_limits
from quetzalcore.hypervisor.runtime import Launch, Stats
from quetzalcore.hypervisor.spawning import Spawned
from quetzalcore.hypervisor.spec import VMSpec
from quetzalcore.hypervisor.takeout import take_out

__all__ = ["FIRST_UID", "WalledMachine", "prepare", "uid_of"]

FIRST_UID = 1_879_048_192
"""Guests run under uids from here on, which no distribution gives to anybody."""

_UIDS = 1 << 20
_MIB = 1024**2
_SIGNALLED = 128  # runtimes add the signal's number to this


def uid_of(vm_id: str) -> int:
    """Give the uid of a machine's guest on the host: of its own, but for rare collisions."""
    return FIRST_UID + zlib.crc32(vm_id.encode()) % _UIDS


@dataclass(slots=True, kw_only=True)
class WalledMachine:
    """A machine in a mount room and in control groups."""

    launch: Launch
    room: MountRoom
    group: Group
    space: int  # descriptor of its writable space: keeps it alive after the machine's end
    spawned: Spawned | None = None
    undo: list[Callable[[], None]] = field(default_factory=list)
    last: Stats | None = None
    ending: asyncio.Task[None] | None = None
    limits: VMSpec = field(init=False)

    def __post_init__(self) -> None:
        self.limits = self.launch.spec

    @property
    def folder(self) -> Path:
        """Give its folder within the room."""
        return self.room.top / "vm" / self.launch.vm_id

    @property
    def pid(self) -> int:
        """The pid, on the host, of the guest's first process: the newest but the launcher's."""
        own = self._child.pid
        return max(self.group.pids() - {own}, default=own)

    @property
    def _child(self) -> Spawned:
        if self.spawned is None:
            raise RuntimeError("the machine has not been started")
        return self.spawned

    async def wait(self) -> int:
        """Wait for the end; give the exit status (negative: the signal)."""
        status = await self._child.wait()
        return _SIGNALLED - status if status > _SIGNALLED else status

    def console(self) -> str:
        """Give the end of what it printed."""
        return self._child.console()

    def resize(self, spec: VMSpec) -> None:
        """Change its limits and the size of its space."""
        self.limits = spec
        self.group.limit(group_limits(spec))
        resize_space(self.space, spec.scratch_mib * _MIB)

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
        if self.spawned is not None:
            await self.spawned.wait()
        self.last = self.group.stats()
        await asyncio.to_thread(self._take_out)
        self.room.call(self._leave_room)
        os.close(self.space)
        self.group.remove()

    def _take_out(self) -> None:
        out = os.open("out", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.space)
        try:
            take_out(out, self.launch.folder / "out", size=self.limits.scratch_mib * _MIB)
        finally:
            os.close(out)

    def _leave_room(self) -> None:
        for step in self.undo:
            step()
        drop_folders(self.folder)


def prepare(launch: Launch, room: MountRoom, group: Group) -> WalledMachine:
    """Make a machine's group and space; nothing of it runs yet."""
    inputs = launch.folder / "in"
    for path in (inputs, launch.folder / "out"):
        path.mkdir(parents=True, exist_ok=True)
    inputs.chmod(0o755)
    group.limit(group_limits(launch.spec))
    folder = room.top / "vm" / launch.vm_id
    space = room.call(
        lambda: make_folders(
            folder,
            inputs=inputs,
            space_bytes=launch.spec.scratch_mib * _MIB,
            owner=uid_of(launch.vm_id),
        )
    )
    return WalledMachine(launch=launch, room=room, group=group, space=space)
