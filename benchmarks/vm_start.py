"""How soon a VM has a job: warm, cold and forked, and how many jobs a second come through."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.race import Figure
from quetzalcore.hypervisor import Hypervisor
from quetzalcore.hypervisor.kernels import Kernels
from quetzalcore.hypervisor.opening import open_runtimes
from quetzalcore.hypervisor.runtime import Runtime
from quetzalcore.hypervisor.spec import Outcome, Task, Tier, Trust, VMSpec

_RUNS = 15
_JOBS = 200
_AT_ONCE = 4
_NOOP = Task(run="quetzalcore.workloads.noop:run", params={"sleep_s": 0, "echo": ""})


def figures() -> list[Figure]:
    """Measure with the best runtime with walls that this host has, else with plain processes."""
    with open_runtimes(f"bench-{os.getpid()}") as runtimes, tempfile.TemporaryDirectory() as folder:
        walled = any(name != "process" for name in runtimes.by_name)
        spec = VMSpec(
            cpus=1,
            memory_mib=1024,
            scratch_mib=64,
            tenant="bench",
            trust=Trust.TENANT if walled else Trust.OWNER,
        )
        chosen = runtimes.choose(spec)
        return asyncio.run(_measure(Path(folder), chosen, spec))


async def _measure(folder: Path, runtime: Runtime, spec: VMSpec) -> list[Figure]:
    numeric = replace(spec, tier=Tier.NUMERIC)
    cold_s, _ = await _one_by_one(folder, runtime, numeric, warm=0)
    warm_s, idle_mib = await _one_by_one(folder, runtime, numeric, warm=1)
    bare_s, _ = await _one_by_one(folder, runtime, spec, warm=1)
    fresh = await _rate(folder, runtime, spec, forkable=False)
    forked = await _rate(folder, runtime, spec, forkable=True)
    name = runtime.name
    return [
        _seconds(f"numeric VM, warm: no-op job, {name}", warm_s, 0.015),
        _seconds(f"numeric VM, cold: no-op job, {name}", cold_s, 1.2),
        _seconds(f"bare VM, warm: no-op job, {name}", bare_s, 0.015),
        _jobs(f"{_JOBS} no-op jobs, each in a fresh VM, {_AT_ONCE} at once, {name}", fresh, 40),
        _jobs(f"{_JOBS} no-op jobs of one tenant, forked, {_AT_ONCE} at once, {name}", forked, 100),
        Figure(
            work=f"memory of one idle numeric VM, {name}",
            ours=f"{idle_mib:.0f} MiB",
            bar="under 150 MiB",
            met=idle_mib < 150,
        ),
    ]


async def _one_by_one(
    folder: Path, runtime: Runtime, spec: VMSpec, *, warm: int
) -> tuple[Sequence[float], float]:
    """Time single jobs from the call to the outcome, each once a warm VM is there if one is wanted."""
    times, idle_mib = [], 0.0
    Kernels(folder / "kernels").mark_complete()  # so that nothing is compiled in the background
    async with Hypervisor.open(
        folder=folder, runtimes=[runtime], warm={spec.tier: warm} if warm else {}, trust=spec.trust
    ) as hypervisor:
        for number in range(_RUNS if warm else 5):
            while warm and hypervisor.stats().warm[spec.tier] < warm:  # noqa: ASYNC110 -- it has no event
                await asyncio.sleep(0.05)
            idle_mib = max(idle_mib, hypervisor.stats().idle_memory_mib)
            began = time.perf_counter()
            _checked(await hypervisor.run(spec, _NOOP, vm_id=f"job{number}"))
            times.append(time.perf_counter() - began)
            hypervisor.discard(f"job{number}")
    return times, idle_mib


async def _rate(folder: Path, runtime: Runtime, spec: VMSpec, *, forkable: bool) -> float:
    """Count jobs a second, after a first one that brings the parent up."""
    gate = asyncio.Semaphore(_AT_ONCE)
    async with Hypervisor.open(
        folder=folder, runtimes=[runtime], warm={Tier.BARE: 2}, trust=spec.trust
    ) as hypervisor:

        async def one(name: str) -> None:
            async with gate:
                _checked(await hypervisor.run(spec, _NOOP, vm_id=name, forkable=forkable))
                hypervisor.discard(name)

        await one("first")
        began = time.perf_counter()
        await asyncio.gather(*(one(f"job{number}") for number in range(_JOBS)))
        return _JOBS / (time.perf_counter() - began)


def _checked(outcome: Outcome) -> None:
    assert outcome.failure is None, outcome.failure


def _seconds(work: str, times: Sequence[float], bar_s: float) -> Figure:
    median = statistics.median(times)
    return Figure(
        work=work,
        ours=f"{median * 1e3:.1f} ms (best {min(times) * 1e3:.1f}, median of {len(times)})",
        bar=f"under {bar_s * 1e3:g} ms",
        met=median < bar_s,
    )


def _jobs(work: str, rate: float, bar: int) -> Figure:
    return Figure(work=work, ours=f"{rate:.0f}/s", bar=f"at least {bar}/s", met=rate >= bar)
