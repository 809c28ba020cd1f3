"""Forks a tenant's jobs from VMs of its own: does what ``forks.decide`` says."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine

from quetzalcore.errors import QuetzalError
from quetzalcore.hypervisor import protocol
from quetzalcore.hypervisor.branch import Branch, Dividing, fork, lose
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
from quetzalcore.hypervisor.spec import VMSpec
from quetzalcore.hypervisor.started import StartedVM, VMLost

__all__ = ["Forks"]

_TICK_S = 5.0
_SERVE_S = 10.0
_OWN_PIDS = 16
_OWN_MIB = 256  # for a VM that forks itself, so that its jobs may all use what they were given
_log = logging.getLogger(__name__)


class _Parent:
    """A VM that forks and the ends of the jobs that it has forked."""

    def __init__(self, vm: StartedVM) -> None:
        self.vm = vm
        self.forked = 0
        self._ground = vm.machine if isinstance(vm.machine, Dividing) else None
        self._ends: dict[int, asyncio.Future[protocol.BranchEnded]] = {}
        vm.channel.on_branch = self._note

    async def fork(self, spec: VMSpec, clock: Callable[[], float]) -> Branch:
        self.forked += 1
        number = self.forked
        ended = self._ends[number] = asyncio.get_running_loop().create_future()
        try:
            return await fork(self.vm, number, ended, ground=self._ground, spec=spec, clock=clock)
        except BaseException:
            self.forget(number)
            raise

    def forget(self, number: int) -> None:
        self._ends.pop(number, None)
        self.vm.channel.send({"type": "forget", "branch": number})

    def lose_all(self) -> None:
        for number, ended in self._ends.items():
            lose(ended, number)

    def _note(self, said: protocol.BranchEnded) -> None:
        ended = self._ends.get(said.branch)
        if ended is not None and not ended.done():
            ended.set_result(said)


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
            return await parent.fork(spec, self._clock)
        except OSError as error:
            self._handle(BranchEnded(at_s=self._clock(), vm_id=parent.vm.vm_id))
            raise VMLost("the VM that forks has gone", hint="it is tried again") from error
        except BaseException:
            self._handle(BranchEnded(at_s=self._clock(), vm_id=parent.vm.vm_id))
            raise

    def release(self, branch: Branch) -> None:
        """Say that nothing of a job runs any more."""
        parent = self._parents.get(branch.parent.vm_id)
        if parent is not None:
            parent.forget(branch.number)
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
        if isinstance(vm.machine, Dividing):
            try:
                vm.machine.divide()
            except OSError:
                await vm.remove()
                raise
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
        parent.lose_all()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._handle(Ticked(at_s=self._clock()))


def _room_for(bond: Bond, limits: ForkLimits) -> VMSpec:
    """Give the size of a VM that holds as many jobs of the bond as run at once."""
    return VMSpec(
        cpus=bond.cpus * limits.at_once,
        memory_mib=bond.memory_mib * limits.at_once + _OWN_MIB,
        vgpu=bond.vgpu,
        wall_s=float(limits.in_all) * 3600,
        pids=bond.pids * limits.at_once + _OWN_PIDS,
        scratch_mib=bond.scratch_mib * limits.at_once,
        tenant=bond.tenant,
        trust=bond.trust,
        tier=bond.tier,
    )
