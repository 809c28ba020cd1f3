"""Health, readiness, metrics and the figures of an instance."""

from __future__ import annotations

import httpx
from tests.servers.gateway import MemoryPlatform, talk

from quetzalcore.gateway.metrics import RecentRequests


def test_health_names_the_parts_and_the_cache() -> None:
    async def conversation(_: MemoryPlatform, client: httpx.AsyncClient) -> None:
        for path in ("/health", "/api/health"):
            health = (await client.get(path)).json()
            assert health["status"] == "ok"
            assert health["components"]["cache_stats"]["hit_rate"] == 0.0
            assert health["components"]["nodes"]["ready"] == 1

    talk(conversation)


def test_the_hit_rate_counts_reused_results() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        body = {"kind": "cost_analysis", "params": {"area_km2": 10}}
        ada = platform.headers("ada")
        first = (await client.post("/api/jobs", json=body, headers=ada)).json()
        await platform.succeed(first["id"], await platform.begin(first["id"]), {})
        await client.post("/api/jobs", json=body, headers=ada)
        health = (await client.get("/health")).json()
        assert health["components"]["cache_stats"]["hit_rate"] == 0.5

    talk(conversation)


def test_metrics_name_routes_not_ids() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        job_id = (await client.post("/api/jobs", json={"kind": "noop"}, headers=ada)).json()["id"]
        await client.get(f"/api/jobs/{job_id}", headers=ada)
        await client.get("/nowhere/at/all", headers=ada)
        text = (await client.get("/metrics")).text
        assert job_id not in text
        assert "nowhere" not in text
        assert 'route="/api/jobs/{job_id}"' in text
        assert 'quetzal_jobs{state="queued"} 1.0' in text
        assert "cache_hit_rate 0.0" in text
        assert "quetzal_queue_age_seconds" in text

    talk(conversation)


def test_an_instance_that_leaves_is_not_ready_but_alive() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        assert (await client.get("/ready")).status_code == 200
        gateway = client._transport.app.state.gateway  # type: ignore[attr-defined]  # httpx's own
        gateway.leaving.set()
        answer = await client.get("/ready")
        assert answer.status_code == 503
        assert answer.headers["connection"] == "close"
        assert (await client.get("/live")).status_code == 200
        system = (await client.get("/api/system", headers=platform.headers("root"))).json()
        assert system["draining"]
        assert system["open_requests"] == 1

    talk(conversation)


def test_recent_requests_are_those_of_the_last_minute() -> None:
    clock = [0.0]
    recent = RecentRequests(lambda: clock[0])
    for _ in range(60):
        recent.add(9.0)
    clock[0] = 100.0
    for number in range(100):
        recent.add(number / 1000)
    figures = recent.figures()
    assert (figures.p50_ms, figures.p95_ms, figures.p99_ms) == (50.0, 95.0, 99.0)
    assert figures.per_s == round(100 / 60, 2)


def test_time_spent_waiting_for_a_job_is_not_the_gateways_own() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        await client.post(
            "/api/jobs?wait=0.5", json={"kind": "noop"}, headers=platform.headers("ada")
        )
        system = (await client.get("/api/system", headers=platform.headers("root"))).json()
        assert system["p99_ms"] < 450

    talk(conversation)
