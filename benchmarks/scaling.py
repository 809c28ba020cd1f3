"""The scaling policy in the simulator: how fast it replays, what admission costs as nodes grow, what the forecast is worth."""

from __future__ import annotations

import datetime as dt
import time

import numpy as np

from benchmarks import admission
from benchmarks.race import Figure
from quetzalcore.autoscaler.model import Demand, Member, MemberState, Metrics, Policy, ScalingState
from quetzalcore.autoscaler.policies import worker_policy
from quetzalcore.autoscaler.policy import decide
from quetzalcore.autoscaler.prices import read_prices
from quetzalcore.autoscaler.simulation_report import Summary, summarise
from quetzalcore.autoscaler.simulator import Supply, simulate
from quetzalcore.autoscaler.traces import MADE_UP, Trace, made_up
from quetzalcore.jobs.model import Resources

__all__ = ["figures"]

_JOBS, _WORKERS, _BAR_S = 1_000_000, 10_000, 60.0
_GROWTH = 1.5
_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def figures() -> list[Figure]:
    """Replay a million jobs on up to 10,000 workers; measure admission; compare policy and forecast."""
    return [_large(), _decision(), _admission(), *(_forecast(name) for name in MADE_UP)]


def _large() -> Figure:
    trace = made_up("bursty", jobs=_JOBS, hours=6.0, rng=np.random.default_rng(1))
    policy = worker_policy(least=100, most=_WORKERS)
    start, cpu_start = time.perf_counter(), time.process_time()
    told = _replayed(trace, policy, Supply(look_every_s=30.0))
    took_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    complete = told.unfinished == 0 and told.peak_workers == _WORKERS and not told.hasty_turns
    return Figure(
        work=f"replay of {_JOBS:,} bursty jobs in 6 hours, 100 to {_WORKERS:,} workers",
        ours=f"{took_s:.1f} s, {cpu_s:.1f} s of CPU ({told.launched:,} launches, {told.decisions} decisions, "
        f"p95 wait {told.wait_p95_s:,.0f} s)",
        bar=f"under {_BAR_S:.0f} s, all jobs done, {_WORKERS:,} workers reached, no hasty turn",
        met=took_s < _BAR_S and complete,
    )


def _decision() -> Figure:
    """Time one decision over 10,000 workers with 50 sizes of jobs waiting, and one with nothing waiting."""
    shapes = read_prices().shapes
    sizes = [Resources(cpus=1 + n % 7, memory_mib=512 * (1 + n % 5)) for n in range(50)]
    members = tuple(
        Member(
            id=f"w{n}",
            state=MemberState.READY,
            shape=shapes[0],
            busy=n % 3,
            idle_s=0.0 if n % 3 else 900.0,
        )
        for n in range(_WORKERS)
    )
    demands = tuple(Demand(resources=size, count=20) for size in sizes)
    waiting = Metrics(members=members, shapes=shapes, queue_depth=1000, demands=demands)
    took_ms = []
    for metrics in (waiting, Metrics(members=members, shapes=shapes)):
        times = []
        for _ in range(7):
            start = time.process_time()
            decide(metrics, worker_policy(most=2 * _WORKERS), ScalingState(), _NOW)
            times.append((time.process_time() - start) * 1e3)
        took_ms.append(min(times))
    return Figure(
        work=f"one decision over {_WORKERS:,} workers: 1,000 jobs of 50 sizes wait, nothing waits",
        ours=f"{took_ms[0]:.1f} ms, {took_ms[1]:.1f} ms",
        bar="under 50 ms",
        met=max(took_ms) < 50.0,
    )


def _admission() -> Figure:
    """Measure the real admission, not the simulator's own placement."""
    cost_us = {count: admission.whole_us(count) for count in (100, 1_000, 10_000)}
    growth = max(cost_us.values()) / cost_us[100]
    told = ", ".join(f"{count:,} nodes {us:.0f} us" for count, us in cost_us.items())
    return Figure(
        work="admission, five waiting jobs a node: CPU per job, the reading of the nodes too",
        ours=f"{told}; growth {growth:.2f}x",
        bar=f"constant: at most {_GROWTH}x from 100 to 10,000 nodes",
        met=growth <= _GROWTH,
    )


def _forecast(name: str) -> Figure:
    """Print what the forecast changes; it is an option, so no bar is set."""
    trace = made_up(name, jobs=20_000, hours=96.0, rng=np.random.default_rng(1))
    plain = _replayed(trace, worker_policy(most=60), Supply())
    ahead = _replayed(trace, worker_policy(most=60, use_forecast=True), Supply())
    season = _replayed(trace, worker_policy(most=60, use_forecast=True), Supply(season_s=86_400.0))
    return Figure(
        work=f"{name}, 20,000 jobs in 4 days, up to 60 workers: forecast, and with a season of a day",
        ours=f"{_words(ahead)}; {_words(season)}",
        peer=_words(plain),
        peer_name="policy without forecast",
        ratio=plain.wait_mean_s / ahead.wait_mean_s,
        bar="printed",
        met=True,
    )


def _words(told: Summary) -> str:
    return (
        f"wait mean {told.wait_mean_s:.1f} s, p95 {told.wait_p95_s:.0f} s, "
        f"{told.cost:.0f} {told.currency}, {told.launched:,} launches"
    )


def _replayed(trace: Trace, policy: Policy, supply: Supply) -> Summary:
    listed = read_prices()
    replay = simulate(trace, policy, listed.shapes, supply, np.random.default_rng(2))
    return summarise(replay, policy, listed.shapes, listed.currency)
