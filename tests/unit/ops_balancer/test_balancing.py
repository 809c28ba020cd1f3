"""Who is served: those that were seen lately and do not leave; and what a book that cannot be read means."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import pytest

from quetzalcore.jobs.ledger import LedgerUnavailable
from quetzalcore.jobs.memory_scaling import MemoryInstanceBook
from quetzalcore.jobs.scaling import InstanceReport
from quetzalcore.ops.balancer.following import Balancing, Sight, serving
from quetzalcore.ops.balancer.options import Upstream

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
ONE = InstanceReport(
    id="one", url="http://127.0.0.1:8001", version="1", started_at=NOON, seen_at=NOON
)
TWO = replace(ONE, id="two", url="http://[::1]:8002")


def _at(seconds: float) -> dt.datetime:
    return NOON + dt.timedelta(seconds=seconds)


class _Front:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []
        self.refuses = False

    async def apply(self, upstreams: Sequence[Upstream]) -> bool:
        if self.refuses:
            raise LedgerUnavailable("refused")
        new = tuple(each.address for each in upstreams)
        if self.told and self.told[-1] == new:
            return False
        self.told.append(new)
        return True

    async def serves(self) -> str:
        return str(self.told)

    async def rotate(self, *, most_bytes: int) -> bool:  # noqa: ARG002 -- as the protocol
        return False


class _Book(MemoryInstanceBook):
    away = False

    async def list(self) -> tuple[InstanceReport, ...]:
        if self.away:
            raise LedgerUnavailable("away")
        return await super().list()


def test_the_silent_and_the_leaving_are_not_served() -> None:
    reports = (ONE, replace(TWO, draining=True), replace(ONE, id="old", seen_at=_at(-10)))
    assert serving(reports, since=_at(-6)) == (ONE,)


def test_those_that_leave_are_better_than_none() -> None:
    leaving = replace(TWO, draining=True)
    assert serving((leaving, replace(ONE, seen_at=_at(-10))), since=_at(-6)) == (leaving,)
    assert serving((), since=_at(-6)) == ()


def test_silence_while_the_book_was_away_is_no_sign_of_death() -> None:
    sight = Sight()
    assert sight.oldest(_at(0)) == _at(-6)
    lost = sight.after(_at(1), seen=False).after(_at(20), seen=False)
    back = lost.after(_at(30), seen=True)
    assert lost.oldest(_at(20)) == back.oldest(_at(33)) == _at(-5)
    assert back.after(_at(36), seen=True).oldest(_at(36)) == _at(-5)
    assert back.after(_at(36.1), seen=True) == Sight()
    assert back.after(_at(31), seen=False).after(_at(40), seen=True).back_at == _at(40)


def test_the_front_follows_the_book() -> None:
    async def main() -> None:
        book, front, clock = _Book(), _Front(), [NOON]
        balancing = Balancing(book, front, clock=lambda: clock[0])
        assert await balancing.step()
        await book.report(ONE)
        await book.report(TWO)
        assert await balancing.step()
        assert not await balancing.step()
        await book.report(replace(TWO, draining=True))
        assert await balancing.step()
        book.away = True
        clock[0] = _at(4)
        with pytest.raises(LedgerUnavailable):
            await balancing.step()
        book.away = False
        clock[0] = _at(101)
        assert not await balancing.step()  # it could not say that it lives
        clock[0] = _at(108)
        assert await balancing.step()
        assert front.told == [
            (),
            ("127.0.0.1:8001", "[::1]:8002"),
            ("127.0.0.1:8001",),
            (),
        ]

    asyncio.run(main())


def test_an_instance_without_an_address_is_left_out() -> None:
    async def main() -> None:
        book, front = _Book(), _Front()
        for number, url in enumerate(
            ("http://no such host", "https://127.0.0.1:1", "http://0.0.0.0:1", "http://x:99999999")
        ):
            await book.report(replace(ONE, id=str(number), url=url))
        await book.report(replace(ONE, url="http://localhost:8001"))
        await Balancing(book, front, clock=lambda: NOON).step()
        assert front.told in ([("127.0.0.1:8001",)], [("[::1]:8001",)])

    asyncio.run(main())


def test_trouble_ends_nothing() -> None:
    async def main() -> None:
        book, front = _Book(), _Front()
        book.away = True
        running = asyncio.create_task(Balancing(book, front, clock=lambda: NOON, every_s=0).run())
        await asyncio.sleep(0)
        await book.report(ONE)
        book.away = False
        async with asyncio.timeout(10):
            while front.told != [("127.0.0.1:8001",)]:  # noqa: ASYNC110 -- a plain list
                await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
