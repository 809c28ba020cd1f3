"""What a tenant or an agent may ask or say to harm others; every backend of the ledger bears it."""

from __future__ import annotations

import asyncio

import pytest
from tests.integration.jobs.books import NOW, Books, Play, failed, later, made, play_on, said

from quetzalcore.jobs.ledger import (
    MOST_ATTEMPTS,
    Conflict,
    LedgerRefused,
    QuotaExceeded,
    ReportKind,
)
from quetzalcore.jobs.model import JobState
from quetzalcore.jobs.quota import LEAST_UPLOAD_BYTES, Quota
from quetzalcore.jobs.uploads import Upload


@pytest.mark.parametrize("detour", [False, True])
def test_a_result_taken_from_the_cache_can_be_made_anew_from_a_stage(
    play: Play, *, detour: bool
) -> None:
    async def scenario(books: Books) -> None:
        first = await books.submit(reuse_key="r")
        (begun,) = await books.admit(first.id)
        theirs = made(begun)
        await books.report(begun, ReportKind.SUCCEEDED, artifacts=(theirs,))
        cached = await books.submit(reuse_key="r", at=2)
        assert (cached.cached, cached.artifacts) == (True, (theirs,))
        staged = await books.ledger.retry(cached.id, stage="gridding", now=later(3))
        assert staged.artifacts == (theirs,)
        if detour:  # the stage is forgotten again, and no attempt was begun
            await books.ledger.cancel(cached.id, now=later(4))
            await books.ledger.retry(cached.id, now=later(5))
        (again,) = await books.admit(cached.id, at=6)
        await books.report(again, ReportKind.SUCCEEDED, at=7, artifacts=(made(again),))
        done = await books.ledger.get(cached.id)
        assert (done.state, done.cached, done.artifacts) == (
            JobState.SUCCEEDED,
            False,
            (made(again),),
        )
        assert (await books.ledger.get(first.id)).artifacts == (theirs,)
        forget = books.ledger.forget
        forgotten = await forget(before=later(2), limit=9, epoch=books.epoch)
        assert forgotten.keys == (theirs.key,)

    play(scenario)


def test_a_job_is_not_run_again_without_end(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit(max_attempts=1)
        for number in range(MOST_ATTEMPTS):
            (begun,) = await books.admit(job.id, at=2 * number)
            await books.report(begun, ReportKind.FAILED, at=2 * number + 1, failure=failed())
            if number < MOST_ATTEMPTS - 1:
                await books.ledger.retry(job.id, now=later(2 * number + 1))
        with pytest.raises(Conflict, match="new job"):
            await books.ledger.retry(job.id, now=later(1000))
        assert len((await books.ledger.get(job.id)).attempts) == MOST_ATTEMPTS

    play(scenario)


async def _begin(books: Books, tenant: str = "acme", size: int | None = None) -> Upload:
    return await books.uploads.create(
        tenant=tenant, user="ada", filename="a.csv", declared_size=size, now=NOW
    )


def test_uploads_take_no_more_than_a_tenant_may_have(play: Play) -> None:
    async def scenario(books: Books) -> None:
        async def advance(upload: Upload, offset: int, received: int) -> None:
            await books.uploads.advance(
                upload.id, tenant="acme", offset=offset, received=received, now=NOW
            )

        with pytest.raises(QuotaExceeded):
            await _begin(books, size=100_001)
        first = await _begin(books, size=100_000)
        await advance(first, 0, 60_000)
        with pytest.raises(QuotaExceeded):  # what is there counts, not what was promised
            await _begin(books, size=50_000)
        second = await _begin(books)
        await advance(second, 0, 100)  # as much as an empty one takes
        with pytest.raises(QuotaExceeded):
            await advance(first, 60_000, 100_000)
        assert (await books.uploads.get(first.id, tenant="acme")).received == 60_000
        await _begin(books, "globex", size=100_000)
        await books.uploads.delete(second.id)
        await books.uploads.delete(second.id)
        await advance(first, 60_000, 100_000)
        await books.uploads.delete(first.id)
        await _begin(books, size=100_000)

    play(scenario, quota=Quota(max_upload_bytes=100_000))


def test_empty_uploads_count_too_and_so_do_those_that_begin_at_once(play: Play) -> None:
    async def scenario(books: Books) -> None:
        begun = await asyncio.gather(*(_begin(books) for _ in range(8)), return_exceptions=True)
        refused = [each for each in begun if isinstance(each, QuotaExceeded)]
        assert (len(begun), len(refused)) == (8, 5)

    play(scenario, quota=Quota(max_upload_bytes=3 * LEAST_UPLOAD_BYTES))


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"], indirect=True)
def test_a_report_that_no_database_keeps_is_refused_and_changes_nothing(backend: str) -> None:
    async def scenario(books: Books) -> None:
        honest, lying = await books.submit(), await books.submit()
        (good,), (bad,) = await books.admit(honest.id), await books.admit(lying.id)
        endings = [
            said(good, ReportKind.SUCCEEDED, artifacts=(made(good),)),
            said(bad, ReportKind.SUCCEEDED, artifacts=(made(bad, size=2**70),)),
        ]
        with pytest.raises(LedgerRefused):
            await books.ledger.record(endings, epoch=books.epoch)
        for job in (honest, lying):
            assert (await books.ledger.get(job.id)).state is JobState.STARTING
        assert await books.ledger.record(endings[:1], epoch=books.epoch) == ()

    play_on(backend, scenario)
