"""What a decision costs per waiting job as the cluster grows from 100 to 10,000 nodes."""

from __future__ import annotations

import datetime as dt
import random
import statistics
import time

from benchmarks.race import Figure
from quetzalcore.cluster.admission import AdmissionConfig, decide
from quetzalcore.jobs.ledger import Waiting
from quetzalcore.jobs.model import Node, Resources

__all__ = ["figures"]

_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_JOBS = 500
_RUNS = 7


def figures() -> list[Figure]:
    """Measure placing 500 mixed jobs on clusters of two sizes, the reading of the nodes apart."""
    per_job_us = {count: _per_job_us(count) for count in (100, 1_000, 10_000)}
    growth = per_job_us[10_000] / per_job_us[100]
    told = ", ".join(f"{count:,} nodes {us:.0f} us" for count, us in per_job_us.items())
    return [
        Figure(
            work=f"admission of {_JOBS} waiting jobs, per job",
            ours=f"{told}; growth {growth:.1f}x",
            bar="100x the nodes cost a job at most 3x",
            met=growth <= 3.0,
        )
    ]


def _per_job_us(count: int) -> float:
    rng = random.Random(count)  # noqa: S311 -- the same clusters every time
    nodes = [_node(number, rng) for number in range(count)]
    jobs = [_job(number, rng) for number in range(_JOBS)]
    times = []
    for _ in range(_RUNS):
        empty = _timed(nodes, [])
        times.append((_timed(nodes, jobs) - empty) / _JOBS * 1e6)
    return statistics.median(times)


def _timed(nodes: list[Node], jobs: list[Waiting]) -> float:
    start = time.perf_counter()
    decide(jobs, nodes, [], AdmissionConfig(), _NOW)
    return time.perf_counter() - start


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
