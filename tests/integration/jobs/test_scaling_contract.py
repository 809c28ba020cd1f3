"""What the books of instances and of scaling promise, in memory, SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.integration.jobs.books import NOW, Books, Play, later

from quetzalcore.jobs.ledger import StaleEpoch
from quetzalcore.jobs.scaling import InstanceReport, ScalingRecord, Standing, Wish


def _instance(name: str) -> InstanceReport:
    return InstanceReport(
        id=name,
        url=f"http://127.0.0.1/{name}",
        version="1",
        started_at=NOW,
        seen_at=later(1),
        cpu_percent=12.5,
        p95_ms=3.25,
        streams=2,
    )


def _record(target: str, number: int) -> ScalingRecord:
    return ScalingRecord(
        at=later(number),
        target=target,
        action="up",
        count=number,
        done=number,
        before=1,
        reason=f"{number} jobs wait",
        metrics={"queue_depth": number, "cpu_percent": None},
    )


def test_instances_are_known_by_their_last_word_until_they_leave(play: Play) -> None:
    async def scenario(books: Books) -> None:
        assert await books.instances.list() == ()
        await books.instances.report(_instance("b"))
        await books.instances.report(_instance("a"))
        leaving = replace(_instance("b"), draining=True, seen_at=later(9))
        await books.instances.report(leaving)
        assert await books.instances.list() == (_instance("a"), leaving)
        await books.instances.leave("a", "nobody")
        await books.instances.leave("a")
        assert await books.instances.list() == (leaving,)

    play(scenario)


def test_decisions_are_kept_in_order_with_their_reasons(play: Play) -> None:
    async def scenario(books: Books) -> None:
        said = [_record("workers", 1), _record("instances", 2), _record("workers", 3)]
        await books.scaling.record(said, epoch=books.epoch)
        await books.scaling.record([], epoch=books.epoch)
        assert await books.scaling.history() == tuple(reversed(said))
        assert await books.scaling.history(limit=1) == (said[2],)
        assert await books.scaling.history(target="instances") == (said[1],)

    play(scenario)


def test_only_the_leader_decides_and_shows(play: Play) -> None:
    async def scenario(books: Books) -> None:
        with pytest.raises(StaleEpoch):
            await books.scaling.record([_record("workers", 1)], epoch=books.epoch - 1)
        with pytest.raises(StaleEpoch):
            await books.scaling.show("workers", {"count": 1}, epoch=books.epoch - 1)
        assert await books.scaling.history() == ()
        assert await books.scaling.standing("workers") == Standing(target="workers")

    play(scenario)


def test_wishes_changes_and_views_stand_beside_one_another(play: Play) -> None:
    async def scenario(books: Books) -> None:
        wish = Wish(count=4, at=later(2), by="ada")
        await books.scaling.show("workers", {"count": 1}, epoch=books.epoch)
        await books.scaling.wish("workers", Wish(count=9, at=NOW, by="bob"))
        await books.scaling.wish("workers", wish)
        await books.scaling.change("workers", {"most": 20, "queue_up": 5})
        await books.scaling.change("workers", {"queue_up": None, "least": 2})
        await books.scaling.show("workers", {"count": 2}, epoch=books.epoch)
        assert await books.scaling.standing("workers") == Standing(
            target="workers", wish=wish, changes={"most": 20, "least": 2}, view={"count": 2}
        )
        assert await books.scaling.standing("instances") == Standing(target="instances")

    play(scenario)


def test_two_operators_changes_both_stay(play: Play) -> None:
    async def scenario(books: Books) -> None:
        named = [f"key{number}" for number in range(8)]
        await asyncio.gather(*(books.scaling.change("workers", {name: 1}) for name in named))
        assert set((await books.scaling.standing("workers")).changes) == set(named)

    play(scenario)
