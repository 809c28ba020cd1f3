"""What operators see of scaling over HTTP, and what they may ask for."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import httpx
from tests.servers.gateway import MemoryPlatform, now, talk

from quetzalcore.autoscaler.model import Bounds, Hold, Metrics, ScalingState
from quetzalcore.autoscaler.policies import worker_policy
from quetzalcore.autoscaler.views import view_of
from quetzalcore.gateway.instance import Gateway
from quetzalcore.gateway.presence import present
from quetzalcore.jobs.scaling import InstanceBook, InstanceReport, ScalingRecord


async def _look(platform: MemoryPlatform, count: int = 2) -> None:
    view = view_of(
        Metrics(),
        worker_policy(),
        ScalingState(),
        Hold(reason="2 workers suffice", wanted=2),
        bounds=Bounds(least=1, most=10),
        leaving={"gone": now()},
        expected=count,
        now=now(),
    )
    await platform.parts.scaling.show("workers", view, epoch=platform.epoch)


async def _ask(
    platform: MemoryPlatform,
    http: httpx.AsyncClient,
    method: str,
    path: str,
    body: Any = None,  # noqa: ANN401 -- any JSON
    *,
    who: str = "root",
) -> httpx.Response:
    return await http.request(
        method, f"/api/autoscaler/{path}", json=body, headers=platform.headers(who)
    )


async def _listed(
    book: InstanceBook, wanted: Callable[[tuple[InstanceReport, ...]], bool]
) -> tuple[InstanceReport, ...]:
    """Read the book until it says what is wanted."""
    for _ in range(10_000):
        if wanted(found := await book.list()):
            return found
        await asyncio.sleep(0.001)
    raise AssertionError


def test_status_tells_both_sets_and_the_reasons_of_what_was_done() -> None:
    async def scenario(platform: MemoryPlatform, http: httpx.AsyncClient) -> None:
        await _look(platform)
        record = ScalingRecord(
            at=now(), target="workers", action="up", count=4, done=3, before=1, reason="48 wait"
        )
        await platform.parts.scaling.record([record], epoch=platform.epoch)
        answer = (await _ask(platform, http, "GET", "status")).json()
        assert answer["targets"]["instances"] is None
        assert answer["targets"]["workers"]["decision"]["reason"] == "2 workers suffice"
        assert answer["targets"]["workers"]["policy"]["queue_up"] == 10
        assert [(r["action"], r["done"], r["reason"]) for r in answer["history"]] == [
            ("up", 3, "48 wait")
        ]

    talk(scenario)


def test_scaling_is_a_wish_of_whoever_asks_within_the_bounds() -> None:
    async def scenario(platform: MemoryPlatform, http: httpx.AsyncClient) -> None:
        body = {"action": "up", "count": 3, "target": "workers"}
        assert (await _ask(platform, http, "POST", "scale", body)).status_code == 409
        await _look(platform)
        answer = await _ask(platform, http, "POST", "scale", body)
        assert (answer.status_code, answer.json()) == (202, {"target": "workers", "count": 5})
        wish = (await platform.parts.scaling.standing("workers")).wish
        assert wish is not None
        assert (wish.count, wish.by) == (5, "root")
        refused = await _ask(platform, http, "POST", "scale", {**body, "count": 30})
        assert refused.status_code == 422
        assert "1 to 10" in refused.json()["detail"]

    talk(scenario)


def test_a_policy_is_changed_while_all_runs_and_back() -> None:
    async def scenario(platform: MemoryPlatform, http: httpx.AsyncClient) -> None:
        await _look(platform)
        change = {"changes": {"most": 20, "queue_up": 5}}
        answer = await _ask(platform, http, "PATCH", "policy/workers", change)
        assert answer.json()["changes"] == {"most": 20, "queue_up": 5}
        back = {"changes": {"most": None}}
        answer = await _ask(platform, http, "PATCH", "policy/workers", back)
        assert answer.json()["changes"] == {"queue_up": 5}
        wrong = await _ask(platform, http, "PATCH", "policy/workers", {"changes": {"mist": 1}})
        assert wrong.status_code == 422
        assert "mist" in wrong.json()["detail"]
        nowhere = await _ask(platform, http, "PATCH", "policy/nothing", back)
        assert nowhere.status_code == 422

    talk(scenario)


def test_only_administrators_see_and_change_scaling() -> None:
    async def scenario(platform: MemoryPlatform, http: httpx.AsyncClient) -> None:
        body = {"action": "up", "target": "workers"}
        for method, path, sent in (
            ("GET", "status", None),
            ("POST", "scale", body),
            ("PATCH", "policy/workers", {"changes": {}}),
        ):
            answer = await _ask(platform, http, method, path, sent, who="ada")
            assert answer.status_code == 403

    talk(scenario)


def test_an_instance_is_in_the_book_while_it_serves_and_says_that_it_leaves() -> None:
    async def scenario(platform: MemoryPlatform, http: httpx.AsyncClient) -> None:

        gateway = Gateway(platform.parts)
        book = platform.parts.instances
        async with present(gateway, "http://127.0.0.1:1"):
            (report,) = await _listed(book, bool)
            assert (report.id, report.url, report.draining) == (
                "gateway",
                "http://127.0.0.1:1",
                False,
            )
            assert now() - report.seen_at < dt.timedelta(seconds=10)
            gateway.leaving.set()
            await _listed(book, lambda found: found[0].draining)
            answer = await http.get("/api/system", headers=platform.headers("root"))
            assert [one["id"] for one in answer.json()["instances"]] == ["gateway"]
        assert await book.list() == ()

    talk(scenario)
