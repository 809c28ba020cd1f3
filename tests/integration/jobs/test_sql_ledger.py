"""What only the ledgers on disk promise: they stand hostile text, and long stories are thinned."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection
from tests.integration.jobs.books import NOW, Books, ask, made, open_books, play_on, said

from quetzalcore.database import open_database, sqlite
from quetzalcore.errors import BadParameter, Permanent
from quetzalcore.jobs.ledger import JobFilter, LedgerFull, LedgerUnavailable, NotFound, ReportKind
from quetzalcore.jobs.model import EventType, Job, JobState, Resources
from quetzalcore.jobs.sql import open_ledger
from quetzalcore.jobs.sql.changes import LOGS_KEPT, PROGRESS_KEPT
from quetzalcore.jobs.sql.reading import read_job

_HOSTILE = "a\x00b\ud83d"


def test_text_that_a_database_cannot_hold_stops_nothing(database_url: str) -> None:
    async def scenario(books: Books) -> None:
        for question in (
            books.ledger.get(_HOSTILE),
            books.ledger.cancel(_HOSTILE, now=NOW),
            books.uploads.get(_HOSTILE, tenant="acme"),
            books.nodes.drain(_HOSTILE, draining=True),
        ):
            with pytest.raises(NotFound):
                await question
        where = JobFilter(tenant=_HOSTILE, kind=_HOSTILE, user=_HOSTILE, cursor=_HOSTILE)
        assert (await books.ledger.list(where)).items == ()
        assert await books.ledger.events(_HOSTILE, after=2**70) == ()
        await books.uploads.create(
            tenant="acme", user="ada", filename=_HOSTILE, declared_size=None, now=NOW
        )
        first, second = await books.submit(idempotency_key=_HOSTILE), await books.submit()
        jobs = await books.admit(first.id, second.id)
        ends = [
            said(
                job,
                ReportKind.SUCCEEDED,
                result={"text": _HOSTILE, "number": float("nan"), "more": [float("inf")]},
                artifacts=(made(job, name),),
            )
            for job, name in zip(jobs, (_HOSTILE, "fine.tif"), strict=True)
        ]
        assert await books.ledger.record(ends, epoch=books.epoch) == ()
        ended = await books.ledger.get(first.id)
        assert ended.result == {"text": _HOSTILE, "number": None, "more": [None]}
        assert [a.name for a in (await books.ledger.get(second.id)).artifacts] == ["fine.tif"]

    play_on(database_url, scenario)


def test_many_jobs_asked_for_at_once_read_as_each_alone(database_url: str) -> None:
    async def scenario(books: Books) -> None:
        ended, running = await books.submit(), await books.submit()
        begun, _ = await books.admit(ended.id, running.id)
        end = said(
            begun, ReportKind.SUCCEEDED, result={}, artifacts=(made(begun), made(begun, "b"))
        )
        await books.ledger.record([end], epoch=books.epoch)
        waiting = [await books.submit("bolt") for _ in range(5)]
        ids = [ended.id, running.id, *(job.id for job in waiting)]
        database = await open_database(database_url)
        alone = [await database.read(partial(read_job, job_id=each)) for each in ids]
        await database.close()
        assert await asyncio.gather(*(books.ledger.get(each) for each in ids * 2)) == alone * 2
        mixed = await asyncio.gather(
            books.ledger.get(waiting[0].id, tenant="acme"),
            books.ledger.get(ended.id, tenant="acme"),
            books.ledger.get("none"),
            return_exceptions=True,
        )
        assert [type(each) for each in mixed] == [NotFound, Job, NotFound]

    play_on(database_url, scenario)


def test_numbers_that_a_database_cannot_hold_are_refused_by_name(database_url: str) -> None:
    async def scenario(books: Books) -> None:
        for refused in (ask(priority=2**40), ask(resources=Resources(memory_mib=2**40))):
            with pytest.raises(BadParameter):
                await books.ledger.submit(refused, now=NOW)

    play_on(database_url, scenario)


def test_old_progress_is_thinned_and_a_long_log_is_cut(database_url: str) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit()
        (begun,) = await books.admit(job.id)
        steps = [
            [
                said(begun, ReportKind.PROGRESS, data={"stage": "s", "message": str(i)}),
                said(begun, ReportKind.LOG, data={"text": str(i)}),
            ]
            for i in range(2 * PROGRESS_KEPT + 5)
        ]
        for start in range(0, len(steps), 41):
            batch = [report for step in steps[start : start + 41] for report in step]
            await books.ledger.record(batch, epoch=books.epoch)
        lines = [said(begun, ReportKind.LOG, data={"text": "x"}) for _ in range(LOGS_KEPT)]
        await books.ledger.record(lines, epoch=books.epoch)
        await books.report(begun, ReportKind.SUCCEEDED)
        events = await books.ledger.events(job.id, limit=100_000)
        kept = [event.data["message"] for event in events if event.type is EventType.PROGRESS]
        assert PROGRESS_KEPT <= len(kept) <= 2 * PROGRESS_KEPT
        assert kept[-1] == str(2 * PROGRESS_KEPT + 4), "the newest are kept"
        logs = [event.data["text"] for event in events if event.type is EventType.LOG]
        assert len(logs) == LOGS_KEPT + 1
        assert "cut" in logs[-1]
        assert events[-1].data["state"] == "succeeded"
        assert len({event.sequence for event in events}) == len(events)

    play_on(database_url, scenario)


def test_only_the_last_progress_of_a_batch_is_told(database_url: str) -> None:
    async def scenario(books: Books) -> None:
        (begun,) = await books.admit((await books.submit()).id)
        reports = [
            said(begun, ReportKind.PROGRESS, data={"stage": "s", "fraction": i / 10})
            for i in range(10)
        ]
        await books.ledger.record(reports, epoch=books.epoch)
        told = await books.ledger.events(begun.id, types=(EventType.PROGRESS,))
        assert [event.data["fraction"] for event in told] == [0.9]

    play_on(database_url, scenario)


def test_a_report_of_an_unknown_kind_is_a_bug_and_writes_nothing(database_url: str) -> None:
    async def scenario(books: Books) -> None:
        (begun,) = await books.admit((await books.submit()).id)
        reports = [said(begun, ReportKind.STARTED), said(begun, "exploded")]
        with pytest.raises(Permanent, match="exploded"):
            await books.ledger.record(reports, epoch=books.epoch)
        assert (await books.ledger.get(begun.id)).state is JobState.STARTING

    play_on(database_url, scenario)


def test_a_lock_that_is_held_too_long_is_unavailable_and_then_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_PRAGMAS", ("PRAGMA busy_timeout=50",))

    async def scenario() -> None:
        async with open_books(f"sqlite:///{tmp_path}/a.db") as books:
            holder = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
            holder.execute("BEGIN IMMEDIATE")
            try:
                outcomes = await asyncio.gather(
                    books.submit(), books.submit(), return_exceptions=True
                )
                assert [type(outcome) for outcome in outcomes] == [LedgerUnavailable] * 2
            finally:
                holder.execute("ROLLBACK")
                holder.close()
            await books.submit()
            assert (await books.ledger.counts()).by_state[JobState.QUEUED] == 1

    asyncio.run(scenario())


def test_a_ledger_without_room_says_so_keeps_nothing_and_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        database = await open_database(f"sqlite:///{tmp_path}/a.db")
        ledger = await open_ledger(database)
        try:
            await database.write(_pages(1))  # SQLite takes the number of pages that there are
            with pytest.raises(LedgerFull, match="full"):
                await ledger.submit(ask(params={"text": "x" * 100_000}), now=NOW)
            assert (await ledger.list(JobFilter())).items == ()
            await database.write(_pages(10_000))
            job, _ = await ledger.submit(ask(), now=NOW)
            assert (await ledger.get(job.id)).state is JobState.QUEUED
        finally:
            await database.close()

    asyncio.run(main())


def _pages(most: int) -> Callable[[Connection], object]:
    return lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={most}").scalar()
