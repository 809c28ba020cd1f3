"""Runs tasks in VMs: takes warm ones or starts them, watches, limits and ends them, says how it went."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from quetzalcore.errors import BadParameter, QuetzalError
from quetzalcore.hypervisor.channel import Listener
from quetzalcore.hypervisor.choice import choose
from quetzalcore.hypervisor.folders import Folders
from quetzalcore.hypervisor.inputs import place
from quetzalcore.hypervisor.outcome import outcome_of, refused
from quetzalcore.hypervisor.pool import Bounds
from quetzalcore.hypervisor.running import converse, task_message
from quetzalcore.hypervisor.runtime import Runtime
from quetzalcore.hypervisor.spec import Limit, Outcome, Task, Tier, Trust, VMSpec
from quetzalcore.hypervisor.started import Birth, StartedVM, guest_paths, start
from quetzalcore.hypervisor.warm import WarmPool
from quetzalcore.jobs.ids import new_id

__all__ = ["VM", "Hypervisor", "HypervisorStats"]

_WARM = VMSpec(cpus=4.0, memory_mib=4096, wall_s=86400.0)  # a taken VM gets its job's limits
_BUCKETS_S = (0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class VM:
    """A VM that was asked for; it begins to exist with its task."""

    vm_id: str
    spec: VMSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class HypervisorStats:
    """What a hypervisor does now and has done; ``start_s`` counts starts by their upper bound in seconds."""

    active: int
    warm: Mapping[str, int]
    starts: int
    warm_starts: int
    start_s: Mapping[float, int]
    idle_memory_mib: float


@dataclass(slots=True, kw_only=True)
class _Run:
    spec: VMSpec
    killed: asyncio.Future[None]
    over: asyncio.Future[None]


@dataclass(slots=True)
class _Counts:
    starts: int = 0
    warm: int = 0
    buckets: dict[float, int] = field(
        default_factory=lambda: dict.fromkeys((*_BUCKETS_S, float("inf")), 0)
    )

    def count(self, start_s: float, *, warm: bool) -> None:
        self.starts += 1
        self.warm += warm
        self.buckets[next(bound for bound in self.buckets if start_s <= bound)] += 1


class Hypervisor:
    """The VMs of one node. Everything in it runs on the loop that opened it."""

    def __init__(
        self,
        folders: Folders,
        runtimes: Sequence[Runtime],
        *,
        trust: Trust,
        clock: Callable[[], float],
    ) -> None:
        self._folders = folders
        self._runtimes = tuple(runtimes)
        self._trust = trust
        self._clock = clock
        self._created: dict[str, VM] = {}
        self._runs: dict[str, _Run] = {}
        self._pools: dict[Tier, WarmPool] = {}
        self._counts = _Counts()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        folder: Path,
        runtimes: Sequence[Runtime],
        warm: Mapping[Tier, int] | None = None,
        trust: Trust = Trust.TENANT,
        clock: Callable[[], float] = time.monotonic,
    ) -> AsyncIterator[Hypervisor]:
        """Take over ``folder`` and keep ``warm`` VMs ready; at the end no VM of it is left.

        ``runtimes`` are tried in their order; ``trust`` is whose work the warm VMs are for.
        """
        with Folders.take(folder) as folders:
            hypervisor = cls(folders, runtimes, trust=trust, clock=clock)
            hypervisor._open_pools(warm or {})
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
        choose(self._runtimes, spec.trust)
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
        run = _Run(spec=spec, killed=loop.create_future(), over=loop.create_future())
        self._runs[vm_id] = run
        work = asyncio.ensure_future(self._attempt(vm_id, run, task, on_event, forkable=forkable))
        work.add_done_callback(lambda _: self._forget(vm_id))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await _outlast(self.kill(vm_id))
            self.discard(vm_id)
            raise

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
        idle = {tier: pool.idle() for tier, pool in self._pools.items()}
        return HypervisorStats(
            active=len(self._runs),
            warm={str(tier): len(vms) for tier, vms in idle.items()},
            starts=self._counts.starts,
            warm_starts=self._counts.warm,
            start_s=dict(self._counts.buckets),
            idle_memory_mib=sum(vm.stats().peak_memory_mib for vms in idle.values() for vm in vms),
        )

    def _forget(self, vm_id: str) -> None:
        run = self._runs.pop(vm_id)
        run.over.set_result(None)

    async def _attempt(
        self,
        vm_id: str,
        run: _Run,
        task: Task,
        on_event: Listener | None,
        *,
        forkable: bool,  # noqa: ARG002 -- until VMs fork
    ) -> Outcome:
        began = self._clock()
        try:
            vm = await self._obtain(vm_id, run.spec)
        except QuetzalError as error:
            return refused(error)
        self._folders.adopt(vm_id, vm.folder)
        try:
            if task.inputs:
                share = vm.enforces(Limit.FILESYSTEM)
                await asyncio.to_thread(place, task.inputs, vm.folder / "in", share=share)
        except (QuetzalError, OSError) as error:
            await vm.end()
            return refused(error)
        if on_event is not None:
            vm.channel.listener = on_event
        message = task_message(task, run.spec, enforced=vm.enforces(Limit.MEMORY))
        start_s = self._clock() - began
        ending = await converse(vm, message, wall_s=run.spec.wall_s, killed=run.killed)
        wall_s = self._clock() - began - start_s
        return await outcome_of(
            ending,
            vm.folder / "out",
            spec=run.spec,
            start_s=start_s,
            wall_s=wall_s,
            runtime=vm.runtime.name,
        )

    async def _obtain(self, vm_id: str, spec: VMSpec) -> StartedVM:
        began = self._clock()
        runtime = choose(self._runtimes, spec.trust)
        pool = self._pools.get(spec.tier)
        if pool is None or runtime is not choose(self._runtimes, self._trust):
            vm = await self._start(vm_id, spec, runtime)
            self._counts.count(self._clock() - began, warm=False)
            return vm
        warm = await pool.take()
        if warm is not None:
            await warm.resize(spec)
            self._counts.count(self._clock() - began, warm=True)
            return warm
        try:
            vm = await self._start(vm_id, spec, runtime)
        finally:
            pool.cold_ended()
        self._counts.count(self._clock() - began, warm=False)
        return vm

    async def _start(self, vm_id: str, spec: VMSpec, runtime: Runtime) -> StartedVM:
        return await start(
            Birth(
                vm_id=vm_id,
                spec=spec,
                folder=self._folders.make(vm_id),
                runtime=runtime,
                readable=guest_paths(),
                clock=self._clock,
            )
        )

    async def _start_warm(self, spec: VMSpec, runtime: Runtime) -> StartedVM:
        return await self._start(new_id(), spec, runtime)

    def _open_pools(self, warm: Mapping[Tier, int]) -> None:
        for tier, wanted in warm.items():
            spec = replace(_WARM, tier=tier, trust=self._trust)
            runtime = choose(self._runtimes, self._trust)
            begin = partial(self._start_warm, spec, runtime)
            pool = WarmPool(Bounds(wanted=wanted), start=begin, clock=self._clock)
            self._pools[tier] = pool
            pool.open()

    async def _close(self) -> None:
        for vm_id in list(self._runs):
            await self.kill(vm_id)
        for pool in self._pools.values():
            await pool.close()


async def _outlast(work: Awaitable[None]) -> None:
    """Wait for work to be done, however often the waiting is cancelled."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            continue
