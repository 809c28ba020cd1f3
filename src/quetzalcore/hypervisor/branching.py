"""Forks a tenant's jobs from VMs of its own: does what ``forks.decide`` says."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Protocol, runtime_checkable

from quetzalcore.errors import QuetzalError
from quetzalcore.hypervisor import protocol
from quetzalcore.hypervisor.channel import Channel
from quetzalcore.hypervisor.forks import (
    Asked,
    Bond,
    BranchEnded,
    Claim,
    Claimed,
    ClaimFailed,
    Closed,
    Died,
    End,
    Event,
    Fork,
    ForkLimits,
    ForkState,
    GoAlone,
    Ticked,
    bond_of,
    decide,
)
from quetzalcore.hypervisor.runtime import Runtime, Stats
from quetzalcore.hypervisor.spec import Limit, VMSpec
from quetzalcore.hypervisor.started import StartedVM, VMLost
from quetzalcore.hypervisor.takeout import take_out

__all__ = ["Branch", "Forks"]

_TICK_S = 5.0
_MIB = 1024**2
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SHARED = frozenset({Limit.CPU, Limit.MEMORY, Limit.PIDS, Limit.SCRATCH})
_SERVE_S = 10.0
_CONFIRM_S = 3.0  # for a VM to confirm that a killed job is gone, before it is ended itself
_log = logging.getLogger(__name__)


class Branch:
    """A forked job: ends alone, or with the VM that forked it."""

    def __init__(self, number: int, parent: StartedVM, channel: Channel) -> None:
        self.number = number
        self.parent = parent
        self.channel = channel
        self.ended: asyncio.Future[protocol.BranchEnded] = (
            asyncio.get_running_loop().create_future()
        )

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
        return limit not in _SHARED and self.parent.enforces(limit)

    async def take_products(self, folder: Path) -> Path:
        """Take what it made out of its VM, into a folder of its own; after ``end``."""
        return await asyncio.to_thread(_take, self.parent, self.name, folder)

    async def exit_status(self) -> int:
        """Wait for the end; negative for a signal."""
        return (await asyncio.shield(self.ended)).status

    def terminate(self) -> None:
        """End it: it shares a VM, so there is no time for last words."""
        self.parent.channel.send({"type": "kill", "branch": self.number})

    def stats(self) -> Stats:
        """Say what its process and those it waited for have used; zeros until it has ended."""
        if not self.ended.done():
            return Stats(cpu_s=0.0, peak_memory_mib=0.0, pids=1)
        end = self.ended.result()
        return Stats(cpu_s=end.cpu_s, peak_memory_mib=end.peak_memory_mib, pids=0)

    async def end(self) -> None:
        """End every process of it; with the whole VM if that cannot confirm it. Idempotent."""
        self.channel.close()
        if not self.ended.done():
            self.terminate()
            await asyncio.wait({self.ended}, timeout=_CONFIRM_S)
        if not self.ended.done():
            await self.parent.end()
            self.lose()

    def lose(self) -> None:
        """Note that it ended with its VM."""
        if not self.ended.done():
            self.ended.set_result(protocol.BranchEnded(branch=self.number, status=-signal.SIGKILL))


class _Parent:
    """A VM that forks and the jobs that it has forked."""

    def __init__(self, vm: StartedVM) -> None:
        self.vm = vm
        self.branches: dict[int, Branch] = {}
        self.forked = 0
        vm.channel.on_branch = self._note

    def _note(self, ended: protocol.BranchEnded) -> None:
        branch = self.branches.get(ended.branch)
        if branch is not None and not branch.ended.done():
            branch.ended.set_result(ended)

    async def fork(self, clock: Callable[[], float]) -> Branch:
        self.forked += 1
        ours, theirs = socket.socketpair()
        branch = Branch(self.forked, self.vm, await Channel.over(ours, clock))
        self.branches[branch.number] = branch
        try:
            self.vm.channel.send_descriptor(
                {"type": "fork", "branch": branch.number}, theirs.fileno()
            )
        finally:
            theirs.close()
        return branch


class Forks:
    """The VMs that fork, each bound to one tenant for life."""

    def __init__(
        self,
        limits: ForkLimits,
        *,
        claim: Callable[[VMSpec], Awaitable[StartedVM]],
        clock: Callable[[], float],
    ) -> None:
        self._limits = limits
        self._claim = claim
        self._clock = clock
        self._state = ForkState()
        self._parents: dict[str, _Parent] = {}
        self._askers: dict[Bond, deque[asyncio.Future[_Parent | None]]] = defaultdict(deque)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticks: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to end VMs that have nothing to do."""
        self._ticks = asyncio.create_task(self._tick())

    async def close(self) -> None:
        """End every VM; their jobs must have ended."""
        if self._ticks is not None:
            self._ticks.cancel()
        self._handle(Closed(at_s=self._clock()))
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def fork(self, spec: VMSpec) -> Branch | None:
        """Fork a job's process, to be given back with ``release``; None: give it a VM of its own."""
        bond = bond_of(spec)
        asker: asyncio.Future[_Parent | None] = asyncio.get_running_loop().create_future()
        self._askers[bond].append(asker)
        self._handle(Asked(at_s=self._clock(), bond=bond))
        parent = await asker
        if parent is None:
            return None
        try:
            return await parent.fork(self._clock)
        except OSError as error:
            self._handle(BranchEnded(at_s=self._clock(), vm_id=parent.vm.vm_id))
            raise VMLost("the VM that forks has gone", hint="it is tried again") from error

    def release(self, branch: Branch) -> None:
        """Say that nothing of a job runs any more."""
        parent = self._parents.get(branch.parent.vm_id)
        if parent is not None:
            parent.branches.pop(branch.number, None)
            branch.parent.channel.send({"type": "forget", "branch": branch.number})
        self._handle(BranchEnded(at_s=self._clock(), vm_id=branch.parent.vm_id))

    def parents(self) -> tuple[StartedVM, ...]:
        """Give the VMs that fork."""
        return tuple(parent.vm for parent in self._parents.values())

    def _handle(self, event: Event) -> None:
        self._state, actions = decide(self._state, event, self._limits)
        for action in actions:
            match action:
                case Fork(bond=bond, vm_id=vm_id):
                    self._answer(bond, self._parents[vm_id])
                case GoAlone(bond=bond):
                    self._answer(bond, None)
                case Claim(bond=bond):
                    self._spawn(self._bind(bond))
                case End(vm_id=vm_id):
                    self._spawn(self._parents.pop(vm_id).vm.remove())

    def _answer(self, bond: Bond, parent: _Parent | None) -> None:
        askers = self._askers[bond]
        askers.popleft().set_result(parent)
        if not askers:
            del self._askers[bond]

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bind(self, bond: Bond) -> None:
        try:
            vm = await self._serving(_room_for(bond, self._limits))
        except (QuetzalError, OSError) as error:
            _log.warning("no VM to fork from came up: %s", error)
            self._handle(ClaimFailed(at_s=self._clock(), bond=bond))
            return
        self._parents[vm.vm_id] = _Parent(vm)
        vm.channel.end.add_done_callback(lambda _: self._miss(vm.vm_id))
        self._handle(Claimed(at_s=self._clock(), bond=bond, vm_id=vm.vm_id))

    async def _serving(self, spec: VMSpec) -> StartedVM:
        vm = await self._claim(spec)
        vm.channel.send({"type": "serve"})
        await asyncio.wait({vm.channel.serving}, timeout=_SERVE_S)
        if not (vm.channel.serving.done() and vm.channel.serving.result()):
            await vm.remove()
            raise VMLost("the VM does not fork", hint="the job gets a VM of its own")
        return vm

    def _miss(self, vm_id: str) -> None:
        """Lose a VM that has ended by itself, and with it the jobs it had forked."""
        parent = self._parents.pop(vm_id, None)
        if parent is None:
            return
        self._handle(Died(at_s=self._clock(), vm_id=vm_id))
        self._spawn(self._bury(parent))

    @staticmethod
    async def _bury(parent: _Parent) -> None:
        await parent.vm.remove()
        for branch in parent.branches.values():
            branch.lose()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._handle(Ticked(at_s=self._clock()))


def _take(parent: StartedVM, name: str, folder: Path) -> Path:
    target = folder / "out"
    if isinstance(parent.machine, _WithSpace):  # a walled VM's /out is memory of its own
        target.mkdir(parents=True, exist_ok=True)
        out = _open_folders(parent.machine.space, "out", name)
        try:
            take_out(out, target, size=parent.spec.scratch_mib * _MIB)
        finally:
            os.close(out)
        return target
    made = parent.folder / "out" / name
    if made.is_dir() and not made.is_symlink():
        folder.mkdir(parents=True, exist_ok=True)
        made.rename(target)
    return target


def _open_folders(descriptor: int, *names: str) -> int:
    opened = os.dup(descriptor)
    for name in names:
        outer, opened = opened, -1
        try:
            opened = os.open(name, _FOLDER, dir_fd=outer)
        finally:
            os.close(outer)
    return opened


@runtime_checkable
class _WithSpace(Protocol):
    """A machine whose files are memory; ``space`` is a descriptor of the folder that holds ``out``."""

    space: int


def _room_for(bond: Bond, limits: ForkLimits) -> VMSpec:
    """Give the size of a VM that holds as many jobs of the bond as run at once."""
    return VMSpec(
        cpus=bond.cpus * limits.at_once,
        memory_mib=bond.memory_mib * limits.at_once,
        vgpu=bond.vgpu,
        wall_s=float(limits.in_all) * 3600,
        pids=bond.pids * limits.at_once,
        scratch_mib=bond.scratch_mib * limits.at_once,
        tenant=bond.tenant,
        trust=bond.trust,
        tier=bond.tier,
    )
