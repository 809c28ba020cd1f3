"""Where a task is put up: warm, forked or cold, whichever serves its spec soonest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from quetzalcore.hypervisor.branch import Branch
from quetzalcore.hypervisor.branching import Forks
from quetzalcore.hypervisor.choosing import pick
from quetzalcore.hypervisor.folders import Folders
from quetzalcore.hypervisor.forks import ForkLimits
from quetzalcore.hypervisor.kernels import Kernels
from quetzalcore.hypervisor.pool import Bounds
from quetzalcore.hypervisor.runtime import Runtime
from quetzalcore.hypervisor.spec import Tier, Trust, VMSpec
from quetzalcore.hypervisor.started import Birth, StartedVM, installed_modules, start
from quetzalcore.hypervisor.warm import WarmPool
from quetzalcore.jobs.ids import new_id

__all__ = ["Lodging", "StartCounts"]

_log = logging.getLogger(__name__)
_WARM = VMSpec(cpus=4.0, memory_mib=4096, wall_s=86400.0)  # a taken VM gets its job's limits
_BUCKETS_S = (0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf"))


@dataclass(slots=True)
class StartCounts:
    """How tasks came to their VMs, and how long it took, by upper bound in seconds."""

    cold: int = 0
    warm: int = 0
    forked: int = 0
    start_s: dict[float, int] = field(default_factory=lambda: dict.fromkeys(_BUCKETS_S, 0))

    def time(self, seconds: float) -> None:
        """Count one start."""
        self.start_s[next(bound for bound in _BUCKETS_S if seconds <= bound)] += 1


class Lodging:
    """The VMs of a node: those kept ready, those that fork, and new ones."""

    def __init__(
        self,
        folders: Folders,
        runtimes: Sequence[Runtime],
        *,
        trust: Trust,
        clock: Callable[[], float],
        modules: Sequence[Path] = (),
    ) -> None:
        self._modules = tuple(dict.fromkeys([*modules, *installed_modules()]))
        self.counts = StartCounts()
        self._folders = folders
        self._kernels = Kernels(folders.kernels)
        self._filling: asyncio.Task[None] | None = None
        self._runtimes = tuple(runtimes)
        self._trust = trust
        self._clock = clock
        self._pools: dict[Tier, WarmPool] = {}
        self._forks = Forks(ForkLimits(), claim=self._claim, clock=clock)

    def open(self, warm: Mapping[Tier, int]) -> None:
        """Begin to keep VMs ready; ``CannotEnforce`` if no runtime holds what they are for."""
        runtime = pick(self._runtimes, self._trust)
        for tier, wanted in warm.items():
            begin = partial(self._start_warm, replace(_WARM, tier=tier, trust=self._trust), runtime)
            self._pools[tier] = WarmPool(Bounds(wanted=wanted), start=begin, clock=self._clock)
            self._pools[tier].open()
        self._forks.open()

    async def close(self) -> None:
        """End every VM that nobody has."""
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait({self._filling})
        await self._forks.close()
        for pool in self._pools.values():
            await pool.close()

    async def put_up(self, spec: VMSpec, *, vm_id: str, forkable: bool) -> StartedVM | Branch:
        """Give a place for one task, the caller's to end and then to ``release``."""
        began = self._clock()
        place: StartedVM | Branch | None = None
        if forkable and spec.tenant:
            place = await self._forks.fork(spec)
            self.counts.forked += place is not None
        place = place or await self._alone(spec, vm_id)
        self.counts.time(self._clock() - began)
        return place

    def release(self, place: StartedVM | Branch) -> None:
        """Say that a task's place has ended and its products are taken."""
        if isinstance(place, Branch):
            self._forks.release(place)
        elif place.spec.tier is Tier.NUMERIC and self._filling is None:
            self._filling = asyncio.create_task(self._fill_kernels())

    def check(self, trust: Trust) -> None:
        """Raise ``CannotEnforce`` if no runtime holds what the trust demands."""
        pick(self._runtimes, trust)

    def idle(self) -> Mapping[Tier, tuple[StartedVM, ...]]:
        """Give the VMs that wait, by tier."""
        return {tier: pool.idle() for tier, pool in self._pools.items()}

    def parents(self) -> tuple[StartedVM, ...]:
        """Give the VMs that fork."""
        return self._forks.parents()

    async def _fill_kernels(self) -> None:
        if await asyncio.to_thread(self._kernels.complete):
            return
        if await self._kernels.fill():
            if pool := self._pools.get(Tier.NUMERIC):
                pool.renew()
        else:
            _log.warning("kernels could not be compiled ahead: VMs compile their own")

    async def _claim(self, spec: VMSpec) -> StartedVM:
        return await self._alone(spec, new_id())

    async def _alone(self, spec: VMSpec, vm_id: str) -> StartedVM:
        runtime = pick(self._runtimes, spec.trust)
        pool = self._pools.get(spec.tier)
        if pool is None or runtime is not pick(self._runtimes, self._trust):
            return await self._start(spec, runtime, vm_id)
        warm = await pool.take()
        if warm is not None:
            return await self._fit(warm, spec)
        try:
            return await self._start(spec, runtime, vm_id)
        finally:
            pool.cold_ended()

    async def _fit(self, warm: StartedVM, spec: VMSpec) -> StartedVM:
        try:
            await warm.resize(spec)
        except BaseException:
            await warm.remove()
            raise
        self.counts.warm += 1
        return warm

    async def _start_warm(self, spec: VMSpec, runtime: Runtime) -> StartedVM:
        return await start(self._birth(spec, runtime, new_id()))

    async def _start(self, spec: VMSpec, runtime: Runtime, vm_id: str) -> StartedVM:
        vm = await start(self._birth(spec, runtime, vm_id))
        self.counts.cold += 1
        return vm

    def _birth(self, spec: VMSpec, runtime: Runtime, vm_id: str) -> Birth:
        return Birth(
            vm_id=vm_id,
            spec=spec,
            folder=self._folders.make(vm_id),
            runtime=runtime,
            modules=self._modules,
            kernels=self._kernels.folder,
            clock=self._clock,
        )
