"""Rate limits in memory and in a real Redis, also when it goes away."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

import pytest
import structlog
from limits import RateLimitItem
from tests.servers.redis import running_redis

from quetzalcore.errors import BadParameter
from quetzalcore.identity.limits import RateLimiter, parse_rules

RULES = parse_rules({"requests": "3/day", "login": "1/day"})


PATIENCE_S = 20.0  # the machine that runs the tests may be busy


def limiter_of(url: str, rules: Mapping[str, RateLimitItem], **options: Any) -> RateLimiter:  # noqa: ANN401 -- passed on
    return RateLimiter(url, rules, timeout_s=PATIENCE_S, **options)


@pytest.fixture(params=["memory", "redis"])
def storage_url(request) -> str:
    return "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")


@pytest.fixture
def who() -> str:
    return secrets.token_hex(8)


def test_requests_are_allowed_up_to_the_limit_and_no_further(storage_url, who) -> None:
    async def story() -> None:
        limiter = limiter_of(storage_url, RULES)
        verdicts = [await limiter.hit("requests", who) for _ in range(5)]
        await limiter.close()
        assert [verdict.allowed for verdict in verdicts] == [True, True, True, False, False]
        assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0, 0]
        assert {verdict.limit for verdict in verdicts} == {3}
        assert all(0 < verdict.reset_s <= 2 * 86_400 for verdict in verdicts)

    asyncio.run(story())


def test_callers_and_rules_are_counted_apart(storage_url, who) -> None:
    async def story() -> None:
        limiter = limiter_of(storage_url, RULES)
        assert (await limiter.hit("login", who)).allowed
        assert not (await limiter.hit("login", who)).allowed
        assert (await limiter.hit("login", who + "x")).allowed
        assert (await limiter.hit("requests", who)).allowed
        await limiter.close()

    asyncio.run(story())


def test_requests_at_once_do_not_pass_the_limit(storage_url, who) -> None:
    async def story() -> None:
        limiter = limiter_of(storage_url, parse_rules({"requests": "20/day"}))
        verdicts = await asyncio.gather(*(limiter.hit("requests", who) for _ in range(60)))
        await limiter.close()
        assert sum(verdict.allowed for verdict in verdicts) == 20

    asyncio.run(story())


def test_a_window_that_has_passed_gives_room_again(storage_url, who) -> None:
    async def story() -> None:
        limiter = limiter_of(storage_url, parse_rules({"requests": "1/second"}))
        assert (await limiter.hit("requests", who)).allowed
        waited = 0.0
        while not (verdict := await limiter.hit("requests", who)).allowed:
            assert verdict.reset_s <= 2.0
            assert waited < 5.0
            await asyncio.sleep(0.1)
            waited += 0.1
        await limiter.close()

    asyncio.run(story())


def test_an_exempt_key_is_never_held(storage_url, who) -> None:
    async def story() -> None:
        limiter = limiter_of(storage_url, RULES, exempt=(who,))
        verdicts = [await limiter.hit("login", who) for _ in range(10)]
        await limiter.close()
        assert all(verdict.allowed for verdict in verdicts)

    asyncio.run(story())


def test_instances_share_a_limit_through_redis(redis_url, who) -> None:
    async def story() -> None:
        one, other = limiter_of(redis_url, RULES), limiter_of(redis_url, RULES)
        hits = [await (one, other)[n % 2].hit("requests", who) for n in range(5)]
        await one.close()
        await other.close()
        assert [hit.allowed for hit in hits] == [True, True, True, False, False]

    asyncio.run(story())


def test_without_redis_each_instance_counts_alone_and_says_so_once(who) -> None:
    async def story() -> None:
        now = [0.0]
        with running_redis() as url:
            limiter = limiter_of(url, RULES, monotonic=lambda: now[0])
            assert (await limiter.hit("login", who)).allowed
        with structlog.testing.capture_logs() as logs:
            hits = [await limiter.hit("login", who) for _ in range(3)]
            now[0] = 6.0
            hits.append(await limiter.hit("login", who))
        await limiter.close()
        assert [hit.allowed for hit in hits] == [True, False, False, False]
        assert [(log["event"], log["log_level"]) for log in logs] == [
            ("limits.redis_away", "warning")
        ]

    asyncio.run(story())


def test_redis_is_used_again_once_it_is_back(redis_url, who) -> None:
    async def story() -> None:
        now = [100.0]
        limiter = limiter_of(redis_url, RULES, monotonic=lambda: now[0])
        limiter._redis_is_away(OSError("gone"))
        assert (await limiter.hit("login", who)).allowed  # in memory
        now[0] += 6.0
        with structlog.testing.capture_logs() as logs:
            assert (await limiter.hit("login", who)).allowed  # in Redis, for the first time
        assert not (await limiter.hit("login", who)).allowed
        await limiter.close()
        assert [log["event"] for log in logs] == ["limits.redis_back"]

    asyncio.run(story())


def test_a_redis_that_never_was_costs_no_more_than_its_timeout(who) -> None:
    async def story() -> None:
        limiter = RateLimiter("redis://127.0.0.1:9/0", RULES)
        async with asyncio.timeout(5):
            assert (await limiter.hit("login", who)).allowed
            assert not (await limiter.hit("login", who)).allowed
        await limiter.close()

    asyncio.run(story())


def test_an_unknown_rule_or_storage_is_refused() -> None:
    with pytest.raises(BadParameter, match="memcached"):
        RateLimiter("memcached://localhost", RULES)
    with pytest.raises(BadParameter, match="no rate limit 'uploads'"):
        asyncio.run(RateLimiter("memory://", RULES).hit("uploads", "x"))
