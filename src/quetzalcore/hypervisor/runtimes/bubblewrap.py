"""Runs machines under bubblewrap, never as uid 0: it drops to a machine's own uid before it starts."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

from quetzalcore.hypervisor.cgroups import Groups
from quetzalcore.hypervisor.host_tree import read_host_tree
from quetzalcore.hypervisor.machines import WalledMachine, prepare, uid_of
from quetzalcore.hypervisor.mounts import MountRoom
from quetzalcore.hypervisor.plan.bubblewrap import Folders, command_line, options
from quetzalcore.hypervisor.plan.environment import environment
from quetzalcore.hypervisor.plan.seccomp import program
from quetzalcore.hypervisor.plan.view import plan_view
from quetzalcore.hypervisor.runtime import Capabilities, Launch, Machine, Stats
from quetzalcore.hypervisor.spawning import spawn, which
from quetzalcore.hypervisor.spec import Limit, VMSpec

__all__ = ["BubblewrapRuntime"]

_ARGS, _SECCOMP = 4, 5  # descriptors on which bubblewrap reads
_MIB = 1024**2


class BubblewrapRuntime:
    """Machines in all namespaces, the user's too, inside control groups of ours.

    bubblewrap is put into the machine's group before it is told what to do, so that nothing of it ever
    runs unlimited.
    """

    name = "bubblewrap"

    def __init__(self, *, room: MountRoom, groups: Groups) -> None:
        self._binary, self._setpriv = which("bwrap"), which("setpriv")
        self._room = room
        self._groups = groups
        self._host = read_host_tree()
        self._program = program()

    def probe(self) -> Capabilities:
        """Say what is enforced on this host."""
        return Capabilities(
            name=self.name, available=bool(self._binary), enforces=frozenset(Limit), missing={}
        )

    async def launch(self, launch: Launch) -> Machine:
        """Start a machine; it is limited and walled before its first instruction."""
        view = plan_view(
            self._host,
            readable=map(PurePosixPath, launch.readable),
            hidden=(PurePosixPath(launch.folder),),
        )
        root = PurePosixPath(self._room.view(view))
        machine = prepare(launch, self._room, self._groups.create(launch.vm_id))
        space = PurePosixPath(machine.folder / "space")
        folders = Folders(
            root=root,
            late=view.late,
            space=space,
            outputs=space / "out",
            inputs=PurePosixPath(machine.folder / "in"),
            scratch_bytes=launch.spec.scratch_mib * _MIB,
        )
        try:
            self._start(machine, options(folders, seccomp=_SECCOMP))
        except BaseException:
            await machine.end()
            raise
        return machine

    async def resize(self, machine: Machine, spec: VMSpec) -> None:
        """Change a running machine's limits."""
        _ours(machine).resize(spec)

    async def kill(self, machine: Machine) -> None:
        """End every process of it, fill ``folder/out``, and remove what it kept. Idempotent."""
        await _ours(machine).end()

    def stats(self, machine: Machine) -> Stats:
        """Say what it has used so far; also after its end."""
        return _ours(machine).stats()

    def _start(self, machine: WalledMachine, told: tuple[str, ...]) -> None:
        launch = machine.launch
        reading, writing = os.pipe()
        filtering = os.memfd_create("seccomp", os.MFD_CLOEXEC)
        try:
            os.pwrite(filtering, self._program, 0)
            machine.spawned = spawn(
                command_line(
                    self._binary,
                    launch.command,
                    args=_ARGS,
                    drop=(self._setpriv, uid_of(launch.vm_id)),
                ),
                environment=environment(launch.spec),
                descriptors={3: launch.channel, _ARGS: reading, _SECCOMP: filtering},
                inside=machine.room.call,
            )
            machine.group.add(machine.spawned.pid)
            os.write(writing, b"".join(part.encode() + b"\0" for part in told))
        finally:
            for descriptor in (reading, writing, filtering):
                os.close(descriptor)


def _ours(machine: Machine) -> WalledMachine:
    if not isinstance(machine, WalledMachine):
        raise TypeError(f"not a walled machine: {machine!r}")
    return machine
