"""Reads gathered into one question: none is answered from a time before it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from quetzalcore.database import DatabaseUnavailable
from quetzalcore.jobs.ledger import LedgerUnavailable, NotFound
from quetzalcore.jobs.sql.gathering import GatheredReads


class _Held:
    """A database whose questions wait to be answered, each a future."""

    def __init__(self) -> None:
        self.questions: list[asyncio.Future[dict[str, Any]]] = []

    async def read(self, _work: Callable[[Any], Any]) -> dict[str, Any]:
        question: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.questions.append(question)
        return await question


def _play(scenario: Callable[[_Held, GatheredReads], Any]) -> None:
    async def main() -> None:
        database = _Held()
        await scenario(database, GatheredReads(database))  # type: ignore[arg-type]  # it only reads

    asyncio.run(main())


async def _turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def test_those_who_ask_in_one_turn_share_a_question() -> None:
    async def scenario(database: _Held, reads: GatheredReads) -> None:
        asked = [asyncio.create_task(reads.get(each)) for each in ("a", "b", "a")]
        await _turns()
        assert len(database.questions) == 1
        database.questions[0].set_result({})
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(end, NotFound) for end in ends)

    _play(scenario)


def test_who_asks_while_a_question_is_under_way_waits_for_a_later_one() -> None:
    async def scenario(database: _Held, reads: GatheredReads) -> None:
        first = asyncio.create_task(reads.get("a"))
        await _turns()
        late = asyncio.create_task(reads.get("a"))
        await _turns()
        later = [asyncio.create_task(reads.get(each)) for each in "abc"]
        await _turns()
        assert len(database.questions) == 2  # no more at once
        database.questions[0].set_result({})
        with pytest.raises(NotFound):
            await first
        assert not late.done()
        await _turns()
        assert len(database.questions) == 3
        for question in database.questions[1:]:
            question.set_result({})
        await asyncio.gather(late, *later, return_exceptions=True)

    _play(scenario)


def test_a_question_that_fails_is_told_to_all_who_asked_and_the_next_is_asked() -> None:
    async def scenario(database: _Held, reads: GatheredReads) -> None:
        asked = [asyncio.create_task(reads.get(each)) for each in "ab"]
        await _turns()
        asked[1].cancel()
        again = asyncio.create_task(reads.get("c"))
        await _turns()
        database.questions[0].set_exception(DatabaseUnavailable("away"))
        with pytest.raises(LedgerUnavailable):
            await asked[0]
        database.questions[1].set_result({})
        with pytest.raises(NotFound):
            await again

    _play(scenario)


def test_who_asks_just_as_the_last_question_is_answered_is_answered_too() -> None:
    async def scenario(database: _Held, reads: GatheredReads) -> None:
        async def ask(times: int) -> None:
            for _ in range(times):
                with pytest.raises(NotFound):
                    await reads.get("a")

        twice = asyncio.create_task(ask(2))
        await _turns()
        once = asyncio.create_task(ask(1))
        await _turns()
        for question in database.questions:  # both rounds end in one turn
            question.set_result({})
        await once
        await _turns()
        assert len(database.questions) == 3
        database.questions[2].set_result({})
        await twice

    _play(scenario)
