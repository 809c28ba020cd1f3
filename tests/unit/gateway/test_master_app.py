"""The master's own small HTTP application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
from tests.servers.gateway import MemoryPlatform

from quetzalcore.cluster.status import MasterMetrics, MasterStatus
from quetzalcore.gateway.master_app import create_master_app
from quetzalcore.jobs.model import JobState

_STATUS = MasterStatus(
    leads=True,
    epoch=3,
    workers=3,
    draining=0,
    active_vms=8,
    warm_vms=2,
    queue_depth=2,
    running=8,
    total_cores=48.0,
    total_memory_gb=192.0,
)


class _Master:
    async def status(self) -> MasterStatus:
        return _STATUS

    async def metrics(self) -> MasterMetrics:
        return MasterMetrics(
            status=_STATUS,
            terms=1,
            admissions=17,
            vm_starts=16,
            vm_start_s=0.5,
            queue_age_s=2.5,
            jobs={JobState.QUEUED: 2},
        )


def _talk(conversation: Callable[[MemoryPlatform, httpx.AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        platform = await MemoryPlatform.build()
        app = create_master_app(platform.parts, _Master())
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://master"
            ) as client,
        ):
            await conversation(platform, client)

    asyncio.run(main())


def test_status_has_the_figures_that_scripts_read() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        answer = await client.get("/status", headers=platform.headers("ada"))
        assert answer.json() | {"workers": 3, "active_vms": 8, "queue_depth": 2} == answer.json()
        assert answer.json()["total_cores"] == 48
        metrics = await client.get("/metrics", headers=platform.headers("ada"))
        for line in (
            "quetzal_master_admissions 17.0",
            "quetzal_master_vm_starts 16.0",
            "quetzal_master_vm_start_seconds 0.5",
            "quetzal_master_queue_age_seconds 2.5",
            'quetzal_master_jobs{state="queued"} 2.0',
        ):
            assert line in metrics.text
        assert (await client.get("/health", headers=platform.headers("ada"))).status_code == 200

    _talk(conversation)


def test_nothing_is_told_without_a_key() -> None:
    async def conversation(_: MemoryPlatform, client: httpx.AsyncClient) -> None:
        for path in ("/status", "/health", "/metrics"):
            assert (await client.get(path)).status_code == 401
        assert (await client.post("/process", json={"task": "noop"})).status_code == 401

    _talk(conversation)


def test_a_task_is_done_while_one_waits_once_for_each_id() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        done = asyncio.Event()
        worker = asyncio.create_task(platform.run_all({"num_target_types": 1}, until=done))
        body = {
            "task": "mineral_discrimination",
            "data": {
                "observations": [{"apparent_susceptibility_si": 0.2, "width_m": 150, "depth_m": 80}]
            },
            "task_id": "once",
        }
        ada = platform.headers("ada")
        answers = [await client.post("/process", json=body, headers=ada) for _ in range(2)]
        done.set()
        await worker
        assert [each.status_code for each in answers] == [200, 200], answers[0].text
        assert answers[0].json() == {"num_target_types": 1}
        assert answers[0].headers["location"] == answers[1].headers["location"]

    _talk(conversation)


def test_a_task_that_nobody_knows_is_refused_with_the_names_that_there_are() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        answer = await client.post(
            "/process", json={"task": "alchemy"}, headers=platform.headers("ada")
        )
        assert answer.status_code == 422
        assert "mag_survey" in answer.json()["hint"]

    _talk(conversation)
