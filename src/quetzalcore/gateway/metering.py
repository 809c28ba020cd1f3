"""Callers held to their rate limit, asking the limiter only now and then while much is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from quetzalcore.gateway.parts import Limiter
from quetzalcore.identity.limits import Verdict

__all__ = ["Meter"]

_RULE = "requests"
_LARGEST = 20  # what a caller may use beyond the limit at each instance
_SHARE = 50  # a block is at most this part of what is left
_LONGEST_S = 0.25
_REMEMBERED = 10_000


@dataclass(slots=True)
class _Account:
    """What the limiter said last, and the requests since that it has not heard of."""

    verdict: Verdict
    until: float
    block: int
    owed: int = 0


class Meter:
    """Counts requests by caller and tells the limiter in blocks, which shrink to one as the limit comes near."""

    def __init__(
        self, limiter: Limiter, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._limiter = limiter
        self._monotonic = monotonic
        self._accounts: dict[str, _Account] = {}

    async def count(self, who: str, *, cost: int = 1) -> Verdict:
        """Count one request, or one that is worth ``cost``; a refused one is not counted."""
        now = self._monotonic()
        account = self._accounts.get(who)
        if account is not None and account.owed + cost < account.block and now < account.until:
            account.owed += cost
            return replace(
                account.verdict, remaining=max(0, account.verdict.remaining - account.owed)
            )
        owed = 0
        if account is not None:
            owed, account.owed = account.owed, 0
        verdict = await self._limiter.hit(_RULE, who, cost=cost + owed)
        if not verdict.allowed and owed:
            verdict = await self._limiter.hit(_RULE, who, cost=cost)
        self._keep(who, verdict, now)
        return verdict

    def _keep(self, who: str, verdict: Verdict, now: float) -> None:
        if len(self._accounts) >= _REMEMBERED:
            self._accounts.clear()
        block = max(1, min(_LARGEST, verdict.remaining // _SHARE)) if verdict.allowed else 1
        owed = self._accounts[who].owed if who in self._accounts else 0  # of requests meanwhile
        self._accounts[who] = _Account(
            verdict=verdict, until=now + _LONGEST_S, block=block, owed=owed
        )
