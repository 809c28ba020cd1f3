"""Runs tasks in VMs: takes warm ones or starts them, watches, limits and ends them, says how it went."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from quetzalcore.errors import BadParameter, QuetzalError
from quetzalcore.hypervisor.branch import Branch
from quetzalcore.hypervisor.channel import Listener
from quetzalcore.hypervisor.folders import Folders
from quetzalcore.hypervisor.inputs import place
from quetzalcore.hypervisor.lodging import Lodging
from quetzalcore.hypervisor.outcome import outcome_of, refused
from quetzalcore.hypervisor.running import converse, task_message
from quetzalcore.hypervisor.runtime import Runtime
from quetzalcore.hypervisor.spec import Limit, Outcome, Task, Tier, Trust, VMSpec
from quetzalcore.hypervisor.started import StartedVM
from quetzalcore.jobs.ids import new_id

_log = logging.getLogger(__name__)

__all__ = ["VM", "Hypervisor", "HypervisorStats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VM:
    """A VM that was asked for; it begins to exist with its task."""

    vm_id: str
    spec: VMSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class HypervisorStats:
    """What a hypervisor does now and has done.

    ``start_s`` counts starts by upper bound in seconds; ``idle_memory_mib`` is what VMs that wait hold.
    """

    active: int
    warm: Mapping[str, int]
    parents: int
    cold_starts: int
    warm_starts: int
    forks: int
    start_s: Mapping[float, int]
    idle_memory_mib: float


@dataclass(slots=True, kw_only=True)
class _Run:
    vm_id: str
    spec: VMSpec
    task: Task
    on_event: Listener | None
    killed: asyncio.Future[None]
    over: asyncio.Future[None]


class Hypervisor:
    """The VMs of one node. Everything in it runs on the loop that opened it."""

    def __init__(
        self,
        folders: Folders,
        runtimes: Sequence[Runtime],
        *,
        trust: Trust,
        clock: Callable[[], float],
        modules: Sequence[Path] = (),
    ) -> None:
        self._folders = folders
        self._lodging = Lodging(folders, runtimes, trust=trust, clock=clock, modules=modules)
        self._trust = trust
        self._clock = clock
        self._created: dict[str, VM] = {}
        self._runs: dict[str, _Run] = {}

    @classmethod
    @asynccontextmanager
    async def open(  # noqa: PLR0913 -- each is one decision of the node's operator
        cls,
        *,
        folder: Path,
        runtimes: Sequence[Runtime],
        warm: Mapping[Tier, int] | None = None,
        trust: Trust = Trust.TENANT,
        clock: Callable[[], float] = time.monotonic,
        modules: Sequence[Path] = (),
        kernels: Path | None = None,
    ) -> AsyncIterator[Hypervisor]:
        """Take over ``folder`` and keep ``warm`` VMs ready; at the end no VM of it is left.

        The first of ``runtimes`` that holds every limit is used; ``trust`` is whose work the warm VMs are for;
        ``modules`` are folders of Python modules that guests see besides the installed ones; ``kernels`` is
        where compiled kernels are kept, shared by hypervisors of one host, by default in ``folder``.
        """
        with Folders.take(folder, kernels) as folders:
            hypervisor = cls(folders, runtimes, trust=trust, clock=clock, modules=modules)
            hypervisor._lodging.open(warm or {})
            try:
                yield hypervisor
            finally:
                await hypervisor._close()

    def create_vm(
        self,
        spec: VMSpec | None = None,
        *,
        cpu_cores: float | None = None,
        memory_mb: int | None = None,
        gpu_enabled: bool = False,
    ) -> VM:
        """Name a VM by its spec, or by its size alone; ``CannotEnforce`` if no runtime holds it."""
        spec = spec or VMSpec(trust=self._trust)
        spec = replace(
            spec,
            cpus=spec.cpus if cpu_cores is None else cpu_cores,
            memory_mib=spec.memory_mib if memory_mb is None else memory_mb,
            vgpu=max(spec.vgpu, int(gpu_enabled)),
        )
        self._lodging.check(spec.trust)
        vm = VM(vm_id=new_id(), spec=spec)
        self._created[vm.vm_id] = vm
        return vm

    async def start_vm(
        self, vm_id: str, task: Task, *, on_event: Listener | None = None
    ) -> Outcome:
        """Run a task in a VM that was created; once."""
        vm = self._created.pop(vm_id, None)
        if vm is None:
            raise BadParameter(
                f"there is no VM {vm_id!r} that waits for a task",
                hint="create one with create_vm; a VM runs one task",
            )
        return await self.run(vm.spec, task, on_event=on_event, vm_id=vm_id)

    def stop_vm(self, vm_id: str) -> asyncio.Task[None]:
        """Kill a VM and discard what it made; the task is done once nothing of it is left."""

        async def stop() -> None:
            await self.kill(vm_id)
            self.discard(vm_id)

        return asyncio.get_running_loop().create_task(stop())

    async def run(
        self,
        spec: VMSpec,
        task: Task,
        *,
        on_event: Listener | None = None,
        forkable: bool = False,
        vm_id: str = "",
    ) -> Outcome:
        """Run a task in a VM of its own and say how it ended; whatever failed is in the outcome.

        A ``forkable`` task may run in a fork of a VM that serves its tenant only. Cancelling kills the
        VM, and the cancellation is raised once nothing of it is left. Products stay until ``discard``.
        """
        vm_id = vm_id or new_id()
        if vm_id in self._runs:
            raise BadParameter(f"the VM {vm_id!r} runs a task already", hint="give a new vm_id")
        loop = asyncio.get_running_loop()
        run = _Run(
            vm_id=vm_id,
            spec=spec,
            task=task,
            on_event=on_event,
            killed=loop.create_future(),
            over=loop.create_future(),
        )
        self._runs[vm_id] = run
        work = asyncio.ensure_future(self._attempt(run, forkable=forkable))
        work.add_done_callback(lambda _: self._forget(vm_id))
        try:
            outcome = await asyncio.shield(work)
        except asyncio.CancelledError:
            await _outlast(self.kill(vm_id))
            self.discard(vm_id)
            raise
        if outcome.failure is not None:
            self.discard(vm_id)
        return outcome

    async def kill(self, vm_id: str) -> None:
        """End a VM and wait until nothing of it is left. Idempotent."""
        self._created.pop(vm_id, None)
        run = self._runs.get(vm_id)
        if run is None:
            return
        if not run.killed.done():
            run.killed.set_result(None)
        await asyncio.shield(run.over)

    def discard(self, vm_id: str) -> None:
        """Remove a VM's products from this host. Idempotent."""
        self._folders.discard(vm_id)

    def stats(self) -> HypervisorStats:
        """Say what it does now and has done."""
        idle = self._lodging.idle()
        counts = self._lodging.counts
        return HypervisorStats(
            active=len(self._runs),
            warm={str(tier): len(vms) for tier, vms in idle.items()},
            parents=len(self._lodging.parents()),
            cold_starts=counts.cold,
            warm_starts=counts.warm,
            forks=counts.forked,
            start_s=dict(counts.start_s),
            idle_memory_mib=sum(vm.idle_memory_mib() for vms in idle.values() for vm in vms),
        )

    def _forget(self, vm_id: str) -> None:
        run = self._runs.pop(vm_id)
        run.over.set_result(None)

    async def _attempt(self, run: _Run, *, forkable: bool) -> Outcome:
        began = self._clock()
        try:
            where = await self._lodging.put_up(run.spec, vm_id=run.vm_id, forkable=forkable)
        except (QuetzalError, OSError) as error:
            return refused(error)
        if isinstance(where, StartedVM):
            self._folders.adopt(run.vm_id, where.folder)
        try:
            await _place_inputs(run.task, where)
            return await self._converse(run, where, began)
        except (QuetzalError, OSError) as error:
            if isinstance(error, OSError):
                _log.exception("a task could not be run", extra={"vm_id": run.vm_id})
            return refused(error)
        finally:
            await where.end()
            self._lodging.release(where)

    async def _converse(self, run: _Run, where: StartedVM | Branch, began: float) -> Outcome:
        if run.on_event is not None:
            where.channel.listener = run.on_event
        message = task_message(
            run.task, run.spec, folder=where.name, enforced=where.enforces(Limit.MEMORY)
        )
        told = self._clock()
        ending = await converse(where, message, wall_s=run.spec.wall_s, killed=run.killed)
        wall_s = self._clock() - told
        out = await where.take_products(self._folders.path(run.vm_id))
        self._folders.adopt(run.vm_id, out.parent)
        return await outcome_of(
            ending,
            out,
            spec=run.spec,
            start_s=told - began,
            wall_s=wall_s,
            runtime=where.runtime.name,
        )

    async def _close(self) -> None:
        for vm_id in list(self._runs):
            await self.kill(vm_id)
        await self._lodging.close()


async def _outlast(work: Awaitable[None]) -> None:
    """Wait for work to be done, however often the waiting is cancelled."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            continue


async def _place_inputs(task: Task, where: StartedVM | Branch) -> None:
    if task.inputs:
        share = where.enforces(Limit.FILESYSTEM)
        await asyncio.to_thread(place, task.inputs, where.inputs, share=share)
