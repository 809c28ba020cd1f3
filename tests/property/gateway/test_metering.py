"""Counting in blocks: nobody gets much more than the limit, and nobody less."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.gateway.metering import Meter
from quetzalcore.identity.limits import Verdict


class _Bucket:
    """A limit that is never filled up again."""

    def __init__(self, limit: int) -> None:
        self.limit = self.left = limit
        self.asked = 0

    async def hit(self, _rule: str, _who: str, *, cost: int = 1) -> Verdict:
        self.asked += 1
        allowed = cost <= self.left
        self.left -= cost if allowed else 0
        return Verdict(allowed=allowed, limit=self.limit, remaining=self.left, reset_s=1.0)

    def exempts(self, _who: str) -> bool:
        return False


@given(st.integers(1, 5000), st.lists(st.floats(0, 0.3), max_size=50))
def test_the_limit_holds_and_all_of_it_can_be_used(limit: int, pauses: list[float]) -> None:
    bucket, clock = _Bucket(limit), [0.0]
    meter = Meter(bucket, monotonic=lambda: clock[0])

    async def use() -> list[Verdict]:
        verdicts = []
        for number in range(limit + 100):
            clock[0] += pauses[number % len(pauses)] if pauses else 0.0
            verdicts.append(await meter.count("ada"))
        return verdicts

    verdicts = asyncio.run(use())
    granted = sum(each.allowed for each in verdicts)
    assert limit <= granted <= limit + 20
    assert not verdicts[-1].allowed
    assert all(0 <= each.remaining <= limit for each in verdicts)


def test_with_much_left_the_limiter_is_seldom_asked() -> None:
    bucket = _Bucket(1_000_000)
    meter = Meter(bucket, monotonic=lambda: 0.0)

    async def use() -> None:
        for _ in range(2000):
            await meter.count("ada")

    asyncio.run(use())
    assert bucket.asked <= 101


def test_callers_have_accounts_of_their_own() -> None:
    bucket = _Bucket(1)
    meter = Meter(bucket)

    async def use() -> list[bool]:
        return [(await meter.count(who)).allowed for who in ("ada", "bob")]

    assert asyncio.run(use()) == [True, False]


@given(st.integers(1, 3000), st.lists(st.integers(1, 300), min_size=1, max_size=30))
def test_what_is_dear_counts_in_full(limit: int, costs: list[int]) -> None:
    bucket = _Bucket(limit)
    meter = Meter(bucket, monotonic=lambda: 0.0)

    async def use() -> int:
        used = 0
        for cost in costs:
            verdict = await meter.count("ada", cost=cost)
            used += cost if verdict.allowed else 0
            if not verdict.allowed:
                assert used + cost > limit - 20
        return used

    assert asyncio.run(use()) <= limit + 20
