"""Runs machines under an OCI runtime: runc, crun, or runsc, by name."""

from __future__ import annotations

import functools
import json
import os
import shutil
from pathlib import Path, PurePosixPath

from quetzalcore.hypervisor.cgroups import Groups
from quetzalcore.hypervisor.host_tree import read_host_tree
from quetzalcore.hypervisor.machines import WalledMachine, prepare, uid_of
from quetzalcore.hypervisor.mounts import MountRoom
from quetzalcore.hypervisor.plan.oci import Places, command_line, configuration
from quetzalcore.hypervisor.plan.seccomp import oci_profile, program
from quetzalcore.hypervisor.plan.view import plan_view
from quetzalcore.hypervisor.runtime import Capabilities, Launch, Machine, Stats
from quetzalcore.hypervisor.spawning import spawn, which
from quetzalcore.hypervisor.spec import Limit, VMSpec

__all__ = ["OciRuntime"]

_CONFIG = 4  # the descriptor on which crun reads its configuration
_OWN_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class OciRuntime:
    """Machines in all namespaces but the user's, under a uid of their own without capabilities.

    The runtime is started inside the machine's control group and is told what to make only then, so
    that nothing of it ever runs unlimited.
    """

    def __init__(self, name: str, *, room: MountRoom, groups: Groups) -> None:
        self.name = name
        self._binary = which(name)
        self._room = room
        self._groups = groups
        self._host = read_host_tree()
        self._profile, self._program = oci_profile(), program()

    def probe(self) -> Capabilities:
        """Say what is enforced on this host."""
        return Capabilities(
            name=self.name, available=bool(self._binary), enforces=frozenset(Limit), missing={}
        )

    async def launch(self, launch: Launch) -> Machine:
        """Start a machine; it is limited and walled before its first instruction."""
        root, late = self._root(launch)
        machine = prepare(launch, self._room, self._groups.create(launch.vm_id))
        places = Places(
            root=root,
            late=late,
            inputs=PurePosixPath(machine.folder / "in"),
            space=PurePosixPath(machine.folder / "space"),
            uid=uid_of(launch.vm_id),
            group="" if self.name == "crun" else f"box-{launch.vm_id}",
        )
        config = json.dumps(
            configuration(launch, places, seccomp=self._profile, program=self._program)
        ).encode()
        try:
            (_start_crun if self.name == "crun" else _start_runc)(machine, self._binary, config)
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

    def _root(self, launch: Launch) -> tuple[PurePosixPath, tuple[PurePosixPath, ...]]:
        view = plan_view(
            self._host,
            readable=map(PurePosixPath, launch.readable),
            hidden=(PurePosixPath(launch.folder),),
        )
        return PurePosixPath(self._room.view(view)), view.late


def _ours(machine: Machine) -> WalledMachine:
    if not isinstance(machine, WalledMachine):
        raise TypeError(f"not a walled machine: {machine!r}")
    return machine


def _start_crun(machine: WalledMachine, binary: str, config: bytes) -> None:
    state = machine.room.top / "crun"
    argv = command_line(
        binary,
        name=machine.launch.vm_id,
        bundle=PurePosixPath(machine.folder),
        state=PurePosixPath(state),
        config=f"/proc/self/fd/{_CONFIG}",
    )
    machine.undo.append(
        functools.partial(shutil.rmtree, state / machine.launch.vm_id, ignore_errors=True)
    )
    reading, writing = os.pipe()
    try:
        machine.spawned = spawn(
            argv,
            environment=_OWN_ENVIRONMENT,
            descriptors={3: machine.launch.channel, _CONFIG: reading},
            inside=machine.room.call,
        )
        machine.group.add(machine.spawned.pid)
        os.write(writing, config)
    finally:
        os.close(reading)
        os.close(writing)


def _start_runc(machine: WalledMachine, binary: str, config: bytes) -> None:
    state = machine.room.top / Path(binary).name
    argv = command_line(
        binary,
        name=machine.launch.vm_id,
        bundle=PurePosixPath(machine.folder),
        state=PurePosixPath(state),
    )
    pipe = machine.folder / "config.json"

    def make() -> int:
        os.mkfifo(pipe)
        return os.open(pipe, os.O_RDWR | os.O_CLOEXEC)

    writing = machine.room.call(make)
    machine.undo += [
        functools.partial(os.close, writing),
        functools.partial(pipe.unlink, missing_ok=True),
        functools.partial(shutil.rmtree, state / machine.launch.vm_id, ignore_errors=True),
    ]
    machine.spawned = spawn(
        argv,
        environment=_OWN_ENVIRONMENT,
        descriptors={3: machine.launch.channel},
        inside=machine.room.call,
    )
    machine.group.add(machine.spawned.pid)
    os.write(writing, config)
