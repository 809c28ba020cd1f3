"""What a decision costs per waiting job as the cluster grows from 100 to 10,000 nodes."""

from __future__ import annotations

import datetime as dt
import gc
import random
import time

from benchmarks.race import Figure
from quetzalcore.cluster.admission import AdmissionConfig, decide
from quetzalcore.jobs.ledger import Waiting
from quetzalcore.jobs.model import Node, Resources

__all__ = ["figures", "per_job_us", "whole_us"]

_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_JOBS = 500
_RUNS = 15


def figures() -> list[Figure]:
    """Measure placing 500 mixed jobs on clusters of two sizes, the reading of the nodes apart."""
    costs_us = {count: per_job_us(count) for count in (100, 1_000, 10_000)}
    growth = costs_us[10_000] / costs_us[100]
    told = ", ".join(f"{count:,} nodes {us:.0f} us" for count, us in costs_us.items())
    return [
        Figure(
            work=f"admission of {_JOBS} waiting jobs, per job",
            ours=f"{told}; growth {growth:.1f}x",
            bar="100x the nodes cost a job at most 3x",
            met=growth <= 3.0,
        )
    ]


def per_job_us(count: int) -> float:
    """Give the cost of placing one of 500 mixed jobs on so many nodes, in microseconds."""
    rng = random.Random(count)  # noqa: S311 -- the same clusters every time
    nodes = [_node(number, rng) for number in range(count)]
    jobs = [_job(number, rng) for number in range(_JOBS)]
    reading = min(_timed(nodes, []) for _ in range(_RUNS))
    deciding = min(_timed(nodes, jobs) for _ in range(_RUNS))
    return (deciding - reading) / _JOBS * 1e6


def whole_us(count: int, *, jobs_per_node: int = 5) -> float:
    """Give the cost per job of a whole decision, the reading of the nodes too, for a queue that grows with the cluster."""
    rng = random.Random(count)  # noqa: S311 -- the same clusters every time
    nodes = [_node(number, rng) for number in range(count)]
    jobs = [_job(number, rng) for number in range(jobs_per_node * count)]
    runs = max(2, 2_000 // count)
    return min(_timed(nodes, jobs) for _ in range(runs)) / len(jobs) * 1e6


def _timed(nodes: list[Node], jobs: list[Waiting]) -> float:
    """Give the processor's time, so that neighbours and the collector of garbage do not count."""
    gc.collect()
    gc.disable()
    start = time.process_time()
    decide(jobs, nodes, [], AdmissionConfig(), _NOW)
    took_s = time.process_time() - start
    gc.enable()
    return took_s


def _node(number: int, rng: random.Random) -> Node:
    cores = rng.choice([8, 16, 32])
    free = rng.randrange(cores // 2, cores + 1)  # room for all 500 jobs on 100 nodes, too
    return Node(
        id=f"n{number}",
        address="",
        total=Resources(cpus=cores, memory_mib=cores * 2048, vgpus=cores // 8, scratch_mib=10**5),
        free=Resources(
            cpus=free, memory_mib=free * rng.randrange(512, 3000), vgpus=0, scratch_mib=5000
        ),
        trust="tenant",
    )


def _job(number: int, rng: random.Random) -> Waiting:
    return Waiting(
        job_id=f"j{number}",
        tenant=f"t{rng.randrange(20)}",
        priority=rng.randrange(3),
        resources=Resources(
            cpus=rng.choice([0.5, 1, 2, 4, 8]),
            memory_mib=rng.choice([256, 512, 2048, 8192]),
            scratch_mib=256,
        ),
        submitted_at=_NOW - dt.timedelta(seconds=rng.randrange(1000)),
    )
