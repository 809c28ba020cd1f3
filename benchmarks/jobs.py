"""No-op jobs from submit to result, in isolated VMs through the durable ledger; beside plain Ray and Celery + Redis.

The peers neither isolate a task nor keep it on disk: they show what a bare task queue costs on this host.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.own_platform import free_port
from benchmarks.race import Figure, peer_version
from quetzalcore.cluster.admission import AdmissionConfig
from quetzalcore.cluster.composition import make_master
from quetzalcore.cluster.engines.local import LocalEngine
from quetzalcore.cluster.host import HostSettings
from quetzalcore.cluster.term import MasterConfig
from quetzalcore.database import open_database
from quetzalcore.jobs.model import TERMINAL, JobRequest, JobState, Resources
from quetzalcore.jobs.sql import SqlLeadership, SqlLedger, SqlNodeBook, open_ledger
from quetzalcore.jobs.stores import open_store

__all__ = ["figures"]

_SINGLES = 40
_PAUSE_S = 0.2
_BATCH = 300
_PEER_BATCH = 2000
_NOOP = JobRequest(
    tenant="bench",
    user="bench",
    kind="noop",
    kind_version="1",
    run="quetzalcore.workloads.noop:run",
    params={"sleep_s": 0.0, "echo": "x"},
    resources=Resources(cpus=0.25, memory_mib=256, scratch_mib=16),  # eight at a time on two cores
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A queue's rate with a full queue, and its latency with an empty one."""

    rate: float
    p50_ms: float


def figures() -> list[Figure]:
    """Measure ours with fresh and with forked VMs, and the peers."""
    logging.disable(logging.INFO)
    fresh, forked, runtime = asyncio.run(_ours())
    peers = {
        f"plain {peer_version('ray')}": _peer("ray"),
        f"{peer_version('celery')} + Redis, prefork 2": _peer("celery"),
    }
    told = {name: f"{peer.rate:.0f}/s, {peer.p50_ms:.1f} ms" for name, peer in peers.items()}
    names, values = " | ".join(told), " | ".join(told.values())

    def figure(work: str, ours: str, bar: str, *, met: bool) -> Figure:
        return Figure(work=work, ours=ours, peer=values, peer_name=names, bar=bar, met=met)

    return [
        figure(
            f"no-op jobs of a quarter core, a fresh VM each ({runtime}), SQLite, local engine",
            f"{fresh.rate:.0f}/s",
            "at least 40/s",
            met=fresh.rate >= 40,
        ),
        figure(
            f"no-op jobs of a quarter core, forked within one tenant ({runtime})",
            f"{forked.rate:.0f}/s",
            "at least 100/s",
            met=forked.rate >= 100,
        ),
        figure(
            "submit to result when idle, median",
            f"{fresh.p50_ms:.0f} ms fresh, {forked.p50_ms:.0f} ms forked",
            "under 60 ms",
            met=fresh.p50_ms < 60,
        ),
    ]


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@asynccontextmanager
async def _platform(folder: Path) -> AsyncIterator[tuple[SqlLedger, str]]:
    """Run a master and this host's agent; give the ledger and what isolates the VMs."""
    database = await open_database(f"sqlite:///{folder}/ledger.db")
    ledger = await open_ledger(database)
    engine = LocalEngine(HostSettings(node_id="bench", folder=folder / "agent", warm_numeric=0))
    master = make_master(
        ledger=ledger,
        nodes=SqlNodeBook(database),
        leadership=SqlLeadership(database),
        store=open_store((folder / "artifacts").as_uri()),
        engine=engine,
        clock=_now,
        config=MasterConfig(admission=AdmissionConfig(owners=frozenset("*"))),
    )
    running = asyncio.create_task(master.run())
    try:
        await _one(ledger, _NOOP)
        yield ledger, (await engine.nodes())[0].runtime
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await engine.shut_down()
        await database.close()


async def _ours() -> tuple[Measured, Measured, str]:
    with tempfile.TemporaryDirectory() as folder:
        async with _platform(Path(folder)) as (ledger, runtime):
            fresh = await _measure(ledger, _NOOP)
            forked = await _measure(ledger, replace(_NOOP, forkable=True))
            return fresh, forked, runtime


async def _measure(ledger: SqlLedger, request: JobRequest) -> Measured:
    await _one(ledger, request)
    singles = []
    for _ in range(_SINGLES):
        await asyncio.sleep(_PAUSE_S)
        singles.append(await _one(ledger, request))
    done = (await ledger.counts()).by_state[JobState.SUCCEEDED]
    start = time.perf_counter()
    await asyncio.gather(*(ledger.submit(request, now=_now()) for _ in range(_BATCH)))
    while (await ledger.counts()).by_state[JobState.SUCCEEDED] < done + _BATCH:  # noqa: ASYNC110 -- as clients look
        await asyncio.sleep(0.1)  # looking is work, too
    rate = _BATCH / (time.perf_counter() - start)
    return Measured(rate=rate, p50_ms=statistics.median(singles) * 1e3)


async def _one(ledger: SqlLedger, request: JobRequest) -> float:
    """Submit one job and wait for its result as a waiting HTTP caller does; give the seconds."""
    start = time.perf_counter()
    job, _ = await ledger.submit(request, now=_now())
    seen = None
    while job.state not in TERMINAL:
        seen = await ledger.changed(timeout_s=5, seen=seen)
        job = await ledger.get(job.id)
    assert job.state is JobState.SUCCEEDED, job
    return time.perf_counter() - start


# ------------------------------------------------------------------------------------------- peers


def _peer(name: str) -> Measured:
    """Measure a peer in a process of its own, which is gone afterwards with all that it started."""
    said = subprocess.run(
        (sys.executable, "-m", "benchmarks.jobs", name),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ).stdout
    return Measured(**json.loads(said.splitlines()[-1]))


def _race_ray() -> Measured:
    import ray  # noqa: PLC0415 -- only in the peer's process

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    noop = ray.remote(_same)
    try:
        return _race(
            lambda: ray.get(noop.remote("x")),
            lambda n: ray.get([noop.remote("x") for _ in range(n)]),
        )
    finally:
        ray.shutdown()


def _race_celery() -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        redis = subprocess.Popen(
            ("redis-server", "--port", str(port), "--dir", folder, "--save", ""),
            stdout=subprocess.DEVNULL,
        )
        worker = subprocess.Popen(
            (sys.executable, "-m", "benchmarks.jobs", "celery-worker", str(port)),
            stdout=subprocess.DEVNULL,
        )
        try:
            noop = _celery(port).signature("noop", args=("x",))
            noop.delay().get(timeout=60)  # until the worker is up
            return _race(
                lambda: noop.delay().get(timeout=60),
                lambda n: [result.get(timeout=60) for result in [noop.delay() for _ in range(n)]],
            )
        finally:
            for process in (worker, redis):
                process.terminate()
                process.wait()


def _race(one: Callable[[], object], many: Callable[[int], object]) -> Measured:
    one()
    many(10)
    singles = []
    for _ in range(_SINGLES):
        time.sleep(_PAUSE_S)
        start = time.perf_counter()
        one()
        singles.append(time.perf_counter() - start)
    start = time.perf_counter()
    many(_PEER_BATCH)
    rate = _PEER_BATCH / (time.perf_counter() - start)
    return Measured(rate=rate, p50_ms=statistics.median(singles) * 1e3)


def _celery(port: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- Celery has no types
    from celery import Celery  # noqa: PLC0415 -- only in the peer's

    url = f"redis://127.0.0.1:{port}/0"
    app = Celery("peer", broker=url, backend=url)
    app.task(name="noop")(_same)
    return app


def _same(text: str) -> str:
    return text


def _work_for_celery(port: int) -> None:
    _celery(port).worker_main(["worker", "--pool=prefork", "--concurrency=2", "--loglevel=ERROR"])


if __name__ == "__main__":
    if sys.argv[1] == "celery-worker":
        _work_for_celery(int(sys.argv[2]))
    else:
        peer = {"ray": _race_ray, "celery": _race_celery}[sys.argv[1]]()
        print(json.dumps({"rate": peer.rate, "p50_ms": peer.p50_ms}))
