"""Rate limits: so many requests by one caller, so many failed logins from one address."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from quetzalcore.errors import BadParameter, Permanent

__all__ = ["RateLimiter", "Verdict", "parse_rules"]

_log = structlog.get_logger("quetzalcore.identity")
_TIMEOUT_S = 0.5  # a request waits no longer for its own permission
_RETRY_S = 5.0
_FAILURES = (StorageError, OSError, TimeoutError)
_REDIS = ("redis://", "rediss://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one request under a rule; ``reset_s`` says when there will be more room."""

    allowed: bool
    limit: int
    remaining: int
    reset_s: float


def parse_rules(rules: Mapping[str, str]) -> dict[str, RateLimitItem]:
    """Read rules such as ``{"requests": "6000/minute", "login": "10/minute"}``.

    Raises
    ------
    BadParameter
        Naming the first rule that cannot be read.
    """
    return {name: _parsed(name, rule) for name, rule in rules.items()}


def _parsed(name: str, rule: str) -> RateLimitItem:
    try:
        items = parse_many(rule)
    except ValueError:
        items = []
    if len(items) != 1 or items[0].amount < 1 or items[0].get_expiry() < 1:
        raise BadParameter(
            f"the rate limit {name!r} is {rule!r}",
            hint="write it like 100/minute, 5/second or 1000/hour",
        )
    return items[0]


class RateLimiter:
    """Counts in a sliding window, in Redis for all instances together or in memory for each alone.

    Where Redis is away it counts in memory and logs that once: a limit per instance is better than no
    service and better than no limit. Redis is tried again every few seconds.
    """

    def __init__(  # noqa: PLR0913 -- two of them are clocks for tests
        self,
        storage_url: str,
        rules: Mapping[str, RateLimitItem],
        *,
        exempt: Collection[str] = (),
        timeout_s: float = _TIMEOUT_S,
        clock_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules = dict(rules)
        self._exempt = frozenset(exempt)
        self._clock_ns = clock_ns
        self._monotonic = monotonic
        self._alone = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._redis = _redis(storage_url, timeout_s)
        self._shared = None if self._redis is None else SlidingWindowCounterRateLimiter(self._redis)
        self._retry_at = 0.0
        self._away = False

    async def hit(self, rule: str, who: str, *, cost: int = 1) -> Verdict:
        """Count requests of somebody under a rule, all of ``cost`` or none: refused ones are not counted."""
        item = self._rule(rule)
        if self.exempts(who):
            return Verdict(allowed=True, limit=item.amount, remaining=item.amount, reset_s=0.0)
        if self._shared is not None and self._monotonic() >= self._retry_at:
            try:
                verdict = await self._ask(self._shared, item, (rule, who), cost)
            except _FAILURES as error:
                self._redis_is_away(error)
            else:
                self._redis_is_back()
                return verdict
        return await self._ask(self._alone, item, (rule, who), cost)

    def exempts(self, who: str) -> bool:
        """Say whether somebody is never refused."""
        return who in self._exempt

    async def close(self) -> None:
        """Let go of connections."""
        if self._redis is not None:
            await self._redis.bridge.get_connection().aclose()  # type: ignore[attr-defined]  # redis-py's

    def _rule(self, name: str) -> RateLimitItem:
        try:
            return self._rules[name]
        except KeyError:
            raise BadParameter(
                f"there is no rate limit {name!r}", hint=f"there are {', '.join(self._rules)}"
            ) from None

    async def _ask(
        self,
        limiter: SlidingWindowCounterRateLimiter,
        item: RateLimitItem,
        names: tuple[str, str],
        cost: int,
    ) -> Verdict:
        allowed = await limiter.hit(item, *names, cost=cost)
        window = await limiter.get_window_stats(item, *names)
        reset_s = max(0.0, window.reset_time - self._clock_ns() / 1e9)
        if not reset_s and window.remaining < item.amount:
            reset_s = float(
                item.get_expiry()
            )  # in a window's first millisecond Redis's rest of it is 0
        return Verdict(
            allowed=allowed,
            limit=item.amount,
            remaining=max(0, window.remaining),
            reset_s=reset_s,
        )

    def _redis_is_away(self, error: Exception) -> None:
        self._retry_at = self._monotonic() + _RETRY_S
        if not self._away:
            self._away = True
            _log.warning("limits.redis_away", error=str(error), fallback="each instance by itself")

    def _redis_is_back(self) -> None:
        if self._away:
            self._away = False
            _log.info("limits.redis_back")


def _redis(url: str, timeout_s: float) -> RedisStorage | None:
    """Give the storage that a URL means; None for memory."""
    if url == "memory://":
        return None
    if not url.startswith(_REDIS):
        raise BadParameter(
            f"{url.partition(':')[0]!r} is not where rate limits can be counted",
            hint="give redis://HOST:PORT/0, or nothing to count in each instance",
        )
    try:
        from redis.asyncio.retry import Retry  # noqa: PLC0415 -- an extra
        from redis.backoff import NoBackoff  # noqa: PLC0415 -- an extra
    except ModuleNotFoundError as error:
        raise Permanent(
            "rate limits in Redis need the package redis", hint="pip install 'quetzalcore[cluster]'"
        ) from error
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(
            NoBackoff(), 1
        ),  # a connection may be dead after a restart; no more than that
    }
    return RedisStorage(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="quetzalcore:limits",
        **options,
    )
