"""How soon a VM has a job: warm, cold and forked, and how many jobs a second come through."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
_FIRST = Task(run="bench_first:run")  # says that it runs before it does anything else
_FIRST_SOURCE = """
def run(task):
    task.progress("running", 0.0)
    return {}
"""


@dataclass(slots=True)
class _Times:
    """Seconds from the call to the job's first word, and to its outcome, when its VM is gone."""

    first: list[float] = field(default_factory=list)
    gone: list[float] = field(default_factory=list)


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
    cold, _ = await _one_by_one(folder, runtime, numeric, warm=0)
    warm, idle_mib = await _one_by_one(folder, runtime, numeric, warm=1)
    bare, _ = await _one_by_one(folder, runtime, spec, warm=1)
    fresh = await _rate(folder, runtime, spec, forkable=False)
    forked = await _rate(folder, runtime, spec, forkable=True)
    name = runtime.name
    return [
        *_seconds(f"numeric VM (NumPy, SciPy, Numba), warm, {name}", warm, 0.015),
        *_seconds(f"numeric VM, cold, {name}", cold, 1.2),
        *_seconds(f"bare VM, warm, {name}", bare, 0.015),
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
) -> tuple[_Times, float]:
    """Time single jobs, each once a warm VM is there if one is wanted."""
    times, idle_mib = _Times(), 0.0
    (folder / "modules").mkdir(exist_ok=True)
    (folder / "modules" / "bench_first.py").write_text(_FIRST_SOURCE)
    Kernels(folder / "kernels").mark_complete()  # so that nothing is compiled in the background
    async with Hypervisor.open(
        folder=folder / "vms",
        runtimes=[runtime],
        warm={spec.tier: warm} if warm else {},
        trust=spec.trust,
        modules=[folder / "modules"],
        kernels=folder / "kernels",
    ) as hypervisor:
        for number in range(_RUNS if warm else 5):
            while warm and hypervisor.stats().warm[spec.tier] < warm:  # noqa: ASYNC110 -- it has no event
                await asyncio.sleep(0.05)
            idle_mib = max(idle_mib, hypervisor.stats().idle_memory_mib)
            await _time(hypervisor, spec, f"job{number}", times)
    return times, idle_mib


async def _time(hypervisor: Hypervisor, spec: VMSpec, name: str, times: _Times) -> None:
    words: list[float] = []

    def hear(_: object) -> None:
        words.append(time.perf_counter())

    began = time.perf_counter()
    outcome = await hypervisor.run(spec, _FIRST, vm_id=name, on_event=hear)
    times.gone.append(time.perf_counter() - began)
    _checked(outcome)
    times.first.append(words[0] - began)
    hypervisor.discard(name)


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


def _seconds(work: str, times: _Times, bar_s: float) -> tuple[Figure, Figure]:
    first = statistics.median(times.first)
    return (
        Figure(
            work=f"{work}: from the call to the job's first instruction",
            ours=_told(times.first),
            bar=f"under {bar_s * 1e3:g} ms",
            met=first < bar_s,
        ),
        Figure(
            work=f"{work}: to its result, nothing of the VM left",
            ours=_told(times.gone),
            bar="reported",
            met=True,
        ),
    )


def _told(times: Sequence[float]) -> str:
    median, best = statistics.median(times), min(times)
    return f"{median * 1e3:.1f} ms (best {best * 1e3:.1f}, median of {len(times)})"


def _jobs(work: str, rate: float, bar: int) -> Figure:
    return Figure(work=work, ours=f"{rate:.0f}/s", bar=f"at least {bar}/s", met=rate >= bar)
