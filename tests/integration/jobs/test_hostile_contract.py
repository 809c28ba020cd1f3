"""What a tenant or an agent may ask or say to harm others; every backend of the ledger bears it."""

from __future__ import annotations

import pytest
from tests.integration.jobs.books import Books, Play, later, made

from quetzalcore.jobs.ledger import ReportKind
from quetzalcore.jobs.model import JobState


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
        assert await forget(before=later(2), limit=9, epoch=books.epoch) == (theirs.key,)

    play(scenario)
