"""The ledger with 1,000,000 jobs in it: how long its questions take, and how fast jobs pass through.

The rows are made inside the database; ten jobs in a hundred wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # it ships no types
from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, DropIndex
from tests.servers.postgres import Postgres

from benchmarks.race import Figure, peer_version
from quetzalcore.database import open_database
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import Admission, JobFilter, Report, ReportKind, Waiting
from quetzalcore.jobs.model import Job, JobRequest, JobState, Usage
from quetzalcore.jobs.sql import SqlLeadership, SqlLedger, open_ledger
from quetzalcore.jobs.sql.tables import attempts, jobs

_JOBS = 1_000_000
_BAR_MS = 20.0
_CALLS = 100
_PASSING = 1_000
_AT_ONCE = 32
_BATCH = 10
_ADOPTED = "all 200 live jobs, whole: once, when a master begins to lead"
_NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)

# Job i of the made-up history; ``{hex}`` is i in hexadecimal, 22 digits long.
_FILL = """
INSERT INTO jobs (id, tenant, "user", kind, state, priority, cpus, memory_mib, vgpus, scratch_mib,
  submitted_at, queued_at, waiting_since, started_at, finished_at, max_attempts, tries, attempt_count, live_attempt,
  memory_doubled, from_stage, cached, last_event, progress_events, log_events, idempotency_key,
  request_digest, reuse_key, request, result)
SELECT '01k0' || {hex}, 'tenant' || (i % 20), 'user' || (i % 7), 'kind' || (i % 6), state,
  CASE WHEN i % 50 = 0 THEN 5 ELSE 0 END, 1, 512, 0, 256,
  {start} + i * {second}, {start} + i * {second},
  CASE WHEN state = 'queued' THEN {start} + i * {second} END,
  CASE WHEN state <> 'queued' THEN {start} + i * {second} END,
  CASE WHEN state IN ('succeeded', 'failed', 'cancelled') THEN {start} + i * {second} END,
  3, 1, 1, CASE WHEN state = 'running' THEN '01k1' || {hex} ELSE '' END,
  {no}, '', {no}, 4, 0, 0, CASE WHEN i % 10 = 0 THEN {hex} ELSE '' END, '', {hex},
  '{{"kind_version":"1","run":"a:b","params":{{"area_km2":10}},"inputs":[],"resources":{{"cpus":1,"memory_mib":512,"vgpus":0,"scratch_mib":256}},"tier":"bare","forkable":true,"wall_s":60,"request_id":""}}',
  CASE WHEN state = 'succeeded' THEN '{{"mean_anomaly_nT":1.5}}' END
FROM (SELECT i, CASE WHEN i % 10 = 3 THEN 'queued' WHEN i % 5000 = 1 THEN 'running'
  WHEN i % 100 = 2 THEN 'failed' WHEN i % 1000 = 4 THEN 'cancelled' ELSE 'succeeded' END AS state
  FROM {numbers}) AS numbered
"""
_ATTEMPTS = """
INSERT INTO attempts (id, job_id, tenant, number, node, state, started_at, lease_until, finished_at, cpus,
  memory_mib, vgpus, scratch_mib)
SELECT '01k1' || substr(id, 5), id, tenant, 1, 'n1', state, started_at, {start} * 2, finished_at, 1, 512, 0, 256
FROM jobs WHERE state <> 'queued'
"""
_EVENTS = """
INSERT INTO events (job_id, sequence, at, type, data)
SELECT id, 1, submitted_at, 'state', '{{"state":"queued"}}' FROM jobs
"""
_TALLIES = "INSERT INTO tallies SELECT tenant, state, count(*) FROM jobs GROUP BY tenant, state"
_SQLITE_NUMBERS = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {jobs}) SELECT i FROM n)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    name: str
    ledger: SqlLedger
    epoch: int


def figures() -> list[Figure]:
    """Measure on SQLite and on PostgreSQL, both with their writes on disk before they answer."""
    return _on_sqlite() + _on_postgres()


def _on_sqlite() -> list[Figure]:
    folder = Path(tempfile.mkdtemp(prefix="ledger-"))
    try:
        url = f"sqlite:///{folder}/ledger.db"
        return asyncio.run(_measure(f"SQLite {sqlite3.sqlite_version}", url))
    finally:
        shutil.rmtree(folder)


def _on_postgres() -> list[Figure]:
    server = Postgres.create(settings=("fsync=on", "shared_buffers=512MB", "max_wal_size=4GB"))
    try:
        return asyncio.run(_measure("PostgreSQL", server.url))
    finally:
        server.remove()


async def _measure(name: str, url: str) -> list[Figure]:
    database = await open_database(url)
    try:
        ledger = await open_ledger(database)
        epoch = await SqlLeadership(database).acquire("bench", lease_s=1e9, now=_NOW) or 0
        begun = time.perf_counter()
        await _fill(url)
        print(f"{name}: {_JOBS:,} jobs made in {time.perf_counter() - begun:.0f} s")
        desk = _Desk(name=name, ledger=ledger, epoch=epoch)
        return [*await _questions(desk), *await _passing(desk)]
    finally:
        await database.close()


async def _questions(desk: _Desk) -> list[Figure]:
    ledger = desk.ledger
    some = (await ledger.list(JobFilter(tenant="tenant3", limit=1000))).items
    middle = f"01k0{_JOBS // 2:022x}"
    rare = JobFilter(tenant="tenant4", states=(JobState.CANCELLED,))
    none = JobFilter(tenant="tenant4", kind="kind1", states=(JobState.RUNNING,))
    questions: list[tuple[str, Callable[[int], Awaitable[object]]]] = [
        ("list, all tenants", lambda _: ledger.list(JobFilter())),
        ("list, one tenant", lambda i: ledger.list(JobFilter(tenant=f"tenant{i % 20}"))),
        ("list, from the middle", lambda _: ledger.list(JobFilter(tenant="t1", cursor=middle))),
        (
            "list, kind and user",
            lambda i: ledger.list(JobFilter(kind=f"kind{i % 6}", user="user3")),
        ),
        ("list, a rare state", lambda _: ledger.list(rare)),
        ("list, no such job", lambda _: ledger.list(none)),
        ("status of one job", lambda i: ledger.get(some[i].id)),
        ("events of one job", lambda i: ledger.events(some[i].id)),
        ("the queue's first 200", lambda _: ledger.waiting(limit=200)),
        ("loads of tenants", lambda _: ledger.loads()),
        ("counts by state", lambda _: ledger.counts()),
        (_ADOPTED, lambda _: ledger.live()),
        ("expiry, nothing late", lambda _: ledger.expire(epoch=desk.epoch, now=_NOW)),
    ]
    found = [await _timed(desk, what, question) for what, question in questions]
    queue = await ledger.waiting(limit=_CALLS + 1)
    return [*found, await _timed(desk, "claim (admit) one job", lambda i: _claim(desk, queue[i]))]


async def _timed(desk: _Desk, what: str, question: Callable[[int], Awaitable[object]]) -> Figure:
    await question(_CALLS)
    took, cpu = [], time.process_time()
    for i in range(_CALLS):
        begun = time.perf_counter()
        await question(i)
        took.append(1e3 * (time.perf_counter() - begun))
    p95 = statistics.quantiles(took, n=20)[-1]
    own = 1e3 * (time.process_time() - cpu) / _CALLS
    ours = f"{statistics.median(took):.1f} ms, p95 {p95:.1f} ms ({own:.1f} ms of our CPU)"
    print(f"{desk.name}: {what}: {ours}")
    barred = what is not _ADOPTED
    return Figure(
        work=f"{desk.name}, {_JOBS:,} jobs: {what}",
        ours=ours,
        bar=f"p95 under {_BAR_MS:.0f} ms" if barred else "reported",
        met=p95 < _BAR_MS or not barred,
    )


async def _passing(desk: _Desk) -> list[Figure]:
    """Let jobs pass: submitted by many at once, then admitted and ended in a master's small batches."""
    request = JobRequest(
        tenant="bench", user="u", kind="noop", kind_version="1", run="a:b", priority=9
    )
    doors = asyncio.Semaphore(_AT_ONCE)

    async def submit() -> Job:
        async with doors:
            return (await desk.ledger.submit(request, now=_NOW))[0]

    begun, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(submit() for _ in range(_PASSING)))
    submitted, submit_cpu = time.perf_counter() - begun, time.process_time() - cpu
    queue = await desk.ledger.waiting(limit=_PASSING)
    begun, cpu = time.perf_counter(), time.process_time()
    for start in range(0, _PASSING, _BATCH):
        jobs = await _claim(desk, *queue[start : start + _BATCH])
        await desk.ledger.record([r for job in jobs for r in _run(job)], epoch=desk.epoch)
    ended, end_cpu = time.perf_counter() - begun, time.process_time() - cpu
    return [
        _rate(desk, f"submit, {_AT_ONCE} at once", submitted, submit_cpu),
        _rate(desk, f"admit, start and finish, batches of {_BATCH}", ended, end_cpu),
    ]


def _rate(desk: _Desk, what: str, seconds: float, cpu_s: float) -> Figure:
    rate = _PASSING / seconds
    print(f"{desk.name}: {what}: {rate:,.0f}/s, {1e3 * cpu_s / _PASSING:.2f} ms CPU")
    return Figure(
        work=f"{desk.name}, {_JOBS:,} jobs: {what}",
        ours=f"{rate:,.0f} jobs/s, {1e3 * cpu_s / _PASSING:.2f} ms of our CPU each",
        bar="over 200 jobs/s: the platform's 100 jobs/s must not wait for it",
        met=rate > 200,
    )


async def _claim(desk: _Desk, *queue: Waiting) -> tuple[Job, ...]:
    admissions = [
        Admission(
            job_id=waiting.job_id,
            attempt_id=new_id(_NOW),
            node="n1",
            resources=waiting.resources,
            lease_until=_NOW,
        )
        for waiting in queue
    ]
    return await desk.ledger.admit(admissions, epoch=desk.epoch, now=_NOW)


def _run(job: Job) -> tuple[Report, Report]:
    attempt = job.attempts[-1].id
    return (
        Report(attempt_id=attempt, job_id=job.id, kind=ReportKind.STARTED, at=_NOW),
        Report(
            attempt_id=attempt,
            job_id=job.id,
            kind=ReportKind.SUCCEEDED,
            at=_NOW,
            result={"echo": ""},
            used=Usage(),
        ),
    )


def _statements(*, postgres: bool) -> list[str]:
    words = {
        "hex": "lpad(to_hex(i), 22, '0')" if postgres else "printf('%022x', i)",
        "no": "false" if postgres else "0",
        "start": "1750000000000000",
        "second": "CAST(1000000 AS BIGINT)",
        "numbers": f"generate_series(1, {_JOBS}) AS n(i)"
        if postgres
        else _SQLITE_NUMBERS.format(jobs=_JOBS),
    }
    filling = [part.format(**words) for part in (_FILL, _ATTEMPTS, _EVENTS, _TALLIES)]
    dialect: Dialect = postgresql.dialect() if postgres else sqlite.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's
    indexes = [index for table in (jobs, attempts) for index in table.indexes]
    drops = [str(DropIndex(index).compile(dialect=dialect)) for index in indexes]
    creates = [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    whole = [*drops, *filling, *creates]
    return [*whole, "VACUUM ANALYZE"] if postgres else ["BEGIN", *whole, "COMMIT"]


async def _fill(url: str) -> None:
    if url.startswith("sqlite"):
        with contextlib.closing(
            sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        ) as file:
            file.execute("PRAGMA cache_size=-500000")
            file.execute("PRAGMA synchronous=OFF")
            for statement in _statements(postgres=False):
                file.execute(statement)
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return
    connection = await asyncpg.connect(url)
    try:
        for statement in _statements(postgres=True):
            await connection.execute(statement)
    finally:
        await connection.close()


if __name__ == "__main__":
    print(peer_version("sqlalchemy"))
    only = {"sqlite": _on_sqlite, "postgresql": _on_postgres}
    for measured in [only[name] for name in sys.argv[1:]] or [figures]:
        for figure in measured():
            print(f"{figure.work}: {figure.ours}{'' if figure.met else '  MISSED'}")
