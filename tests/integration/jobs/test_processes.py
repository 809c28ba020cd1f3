"""Several real processes on one ledger, some of them killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select
from tests.integration.jobs.books import NOW, Books, ask, open_books, play_on
from tests.servers.postgres import Postgres

from quetzalcore.database import open_database
from quetzalcore.jobs.ledger import LedgerUnavailable, QuotaExceeded
from quetzalcore.jobs.model import JobState
from quetzalcore.jobs.quota import Quota
from quetzalcore.jobs.sql import SqlLeadership, open_ledger
from quetzalcore.jobs.sql.tables import attempts, events, jobs, tallies

_ROOT = Path(__file__).resolve().parents[3]


def _process(url: str, role: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.jobs.worker", url, role, str(count)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": f"{_ROOT}/src:{_ROOT}"},
    )


def _lines(process: subprocess.Popen[str]) -> list[list[str]]:
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return [line.split() for line in out.splitlines()]


def _with_leader(url: str) -> None:
    async def lead(books: Books) -> None:
        assert books.epoch == 1

    play_on(url, lead)


def _check(url: str) -> None:
    """Hold the tables against each other: nothing is half written."""

    def work(connection: Connection) -> None:
        by_state = Counter(connection.scalars(select(jobs.c.state)))
        sums: Counter[str] = Counter()
        for row in connection.execute(select(tallies)):
            sums[row.name] += row.amount
        assert +sums == by_state
        last = select(events.c.job_id, func.max(events.c.sequence)).group_by(events.c.job_id)
        told = {row[0]: row[1] for row in connection.execute(last)}
        assert told == {row.id: row.last_event for row in connection.execute(select(jobs))}
        live = Counter(
            connection.scalars(select(attempts.c.job_id).where(attempts.c.finished_at.is_(None)))
        )
        assert set(live.values()) <= {1}
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []

    async def main() -> None:
        database = await open_database(url)
        try:
            await database.read(work)
        finally:
            await database.close()

    asyncio.run(main())


def test_no_submit_is_lost_and_no_job_runs_twice_among_many_processes(database_url: str) -> None:
    _with_leader(database_url)
    submitters = [_process(database_url, "submit", 60) for _ in range(2)]
    masters = [_process(database_url, "master", 120) for _ in range(2)]
    submitted = [line[0] for process in submitters for line in _lines(process)]
    ran = [line[0] for process in masters for line in _lines(process)]
    assert len(submitted) == len(set(submitted)) == 120
    assert sorted(ran) == sorted(submitted)
    _check(database_url)


def test_one_idempotency_key_is_one_job_in_any_number_of_processes(database_url: str) -> None:
    _with_leader(database_url)
    submitters = [_process(database_url, "submit-alone", 20) for _ in range(2)]
    said = [line for process in submitters for line in _lines(process)]
    assert len({job_id for job_id, _ in said}) == 20
    assert Counter(new for _, new in said) == {"new": 20, "old": 20}


def test_a_writer_killed_in_mid_write_leaves_whole_jobs_only(database_url: str) -> None:
    _with_leader(database_url)
    process = _process(database_url, "submit", 1_000_000)
    assert process.stdout is not None
    accepted = [process.stdout.readline().strip() for _ in range(25)]
    os.kill(process.pid, signal.SIGKILL)
    rest, _ = process.communicate(timeout=10)
    accepted += [line for line in rest.splitlines() if len(line) == 26]

    async def read(books: Books) -> None:
        for job_id in accepted:
            assert (await books.ledger.get(job_id)).state is JobState.QUEUED
        await books.submit()

    play_on(database_url, read)
    _check(database_url)


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    """Give a server that this test may kill."""
    server = Postgres.create()
    yield server
    server.remove()


def test_a_killed_postgresql_is_unavailable_and_then_serves_again(own_server: Postgres) -> None:
    async def scenario() -> None:
        async with open_books(own_server.url) as books:
            job = await books.submit()
            waiter = asyncio.create_task(books.ledger.changed(timeout_s=1))
            await waiter
            own_server.kill()
            with pytest.raises(LedgerUnavailable):
                await books.submit()
            with pytest.raises(LedgerUnavailable):
                await books.ledger.get(job.id)
            own_server.start()
            again = await _until_served(books)
            assert {job.id, again} == {
                waiting.job_id for waiting in await books.ledger.waiting(limit=9)
            }
            await _until_woken(books)

    asyncio.run(scenario())
    _check(own_server.url)


async def _until_served(books: Books) -> str:
    deadline = time.monotonic() + 20
    while True:
        try:
            return (await books.submit()).id
        except LedgerUnavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)


async def _until_woken(books: Books) -> None:
    """The listener has reconnected by itself: another connection's write is heard."""
    async with asyncio.timeout(20):
        seen = await books.ledger.changed(timeout_s=3)
        await books.submit()
        assert await books.ledger.changed(timeout_s=15, seen=seen) != seen


def test_two_that_begin_at_once_do_not_both_lead(database_url: str) -> None:
    async def main() -> None:
        databases = [await open_database(database_url) for _ in range(3)]
        try:
            await open_ledger(databases[0])
            epochs = await asyncio.gather(
                *(
                    SqlLeadership(database).acquire(f"m{i}", lease_s=10, now=NOW)
                    for i, database in enumerate(databases)
                )
            )
            assert sorted(epochs, key=str) == [1, None, None]
        finally:
            for database in databases:
                await database.close()

    asyncio.run(main())


def test_quotas_hold_among_processes(database_url: str) -> None:
    async def main() -> None:
        databases = [await open_database(database_url) for _ in range(2)]
        try:
            ledgers = [await open_ledger(d, quota=Quota(max_queued=7)) for d in databases]
            outcomes = await asyncio.gather(
                *(ledger.submit(ask(), now=NOW) for ledger in ledgers for _ in range(10)),
                return_exceptions=True,
            )
            refused = [outcome for outcome in outcomes if isinstance(outcome, QuotaExceeded)]
            assert len(refused) == 13
        finally:
            for database in databases:
                await database.close()

    asyncio.run(main())
