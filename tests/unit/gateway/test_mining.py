"""Kinds called by their own paths: files, columns, parameters, waiting, and what a job met."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
from tests.servers.gateway import MemoryPlatform, talk

from quetzalcore.jobs.model import Failure, Job, JobState, Remedy

Conversation = Callable[[MemoryPlatform, httpx.AsyncClient], Awaitable[None]]
_SURVEY = b"easting,northing,line,tmi\n1,2,1,50000\n"


async def _only_job(platform: MemoryPlatform) -> Job:
    (waiting,) = await platform.ledger.waiting(limit=10)
    return await platform.ledger.get(waiting.job_id)


async def _until_waiting(platform: MemoryPlatform) -> None:
    seen = await platform.ledger.changed(timeout_s=0)
    while not await platform.ledger.waiting(limit=1):
        seen = await platform.ledger.changed(timeout_s=1, seen=seen)


async def _content(platform: MemoryPlatform, job: Job, name: str) -> bytes:
    (file,) = [each for each in job.request.inputs if each.name == name]
    return b"".join([piece async for piece in platform.store.get(file.key)])


def _with_worker(result: dict[str, Any], conversation: Conversation) -> None:
    async def both(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        done = asyncio.Event()
        worker = asyncio.create_task(platform.run_all(result, until=done))
        await conversation(platform, client)
        done.set()
        await worker

    talk(both)


def test_a_survey_in_a_form_becomes_a_job_with_its_files() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        answer = await client.post(
            "/api/mining/mag-survey?wait=0",
            files={"file": ("../line 1.csv", _SURVEY), "base": ("base.csv", b"t,b\n")},
            data={"params": json.dumps({"input": {"crs": "EPSG:32754"}})},
            headers=platform.headers("ada"),
        )
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"] == f"/api/jobs/{answer.json()['id']}"
        job = await _only_job(platform)
        assert [file.name for file in job.request.inputs] == ["line 1.csv", "base.csv"]
        assert await _content(platform, job, "line 1.csv") == _SURVEY
        assert job.request.params["input"]["crs"] == "EPSG:32754"

    talk(conversation)


def test_columns_in_json_become_a_file_that_nobody_here_reads() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        columns = {"easting": [1, 2], "tmi": [50_000.5, None]}
        answer = await client.post(
            "/api/mining/mag-survey?wait=0",
            json={"columns": columns, "params": {"input": {"crs": "EPSG:32754"}}},
            headers=platform.headers("ada"),
        )
        assert answer.status_code == 202, answer.text
        job = await _only_job(platform)
        assert json.loads(await _content(platform, job, "columns.json")) == {"columns": columns}

    talk(conversation)


def test_columns_beyond_their_limit_are_refused_while_they_come() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        async def endless() -> AsyncIterator[bytes]:
            yield b'{"columns": {"tmi": ['
            for _ in range(1000):
                yield b"1," * 1000

        answer = await client.post(
            "/api/mining/mag-survey",
            content=endless(),
            headers={**platform.headers("ada"), "Content-Type": "application/json"},
        )
        assert answer.status_code == 413

    talk(conversation, columns_bytes=100_000)


def test_whoever_waits_gets_the_result() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        answer = await client.post(
            "/api/mining/cost-analysis", json={"area_km2": 10}, headers=platform.headers("ada")
        )
        assert answer.status_code == 200
        assert answer.json() == {"survey_cost_usd": 1}
        assert answer.headers["location"].startswith("/api/jobs/")

    _with_worker({"survey_cost_usd": 1}, conversation)


def test_whoever_waits_is_told_what_the_job_met() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        for number, (remedy, status) in enumerate(
            [(Remedy.USER, 422), (Remedy.NONE, 500), (Remedy.RETRY, 503)]
        ):
            call = asyncio.create_task(
                client.post(
                    "/api/mining/cost-analysis",
                    json={"area_km2": 10 + number},
                    headers=platform.headers("ada"),
                )
            )
            await _until_waiting(platform)
            failure = Failure(
                code="bad_table",
                title="The table is not a survey",
                detail="no rows",
                hint="send some",
                remedy=remedy,
                where={"row": 7},
            )
            job = await _only_job(platform)
            for _ in range(job.request.max_attempts):
                await platform.fail(job.id, await platform.begin(job.id), failure)
                if (await platform.ledger.get(job.id)).state is JobState.FAILED:
                    break
            answer = await call
            assert answer.status_code == status
            problem = answer.json()
            assert (problem["code"], problem["where"]) == ("bad_table", {"row": 7})
            assert problem["job_id"] == job.id

    talk(conversation)


def test_whoever_waits_for_a_job_that_is_cancelled_is_told_so() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        call = asyncio.create_task(
            client.post("/api/mining/cost-analysis", json={"area_km2": 10}, headers=ada)
        )
        await _until_waiting(platform)
        job = await _only_job(platform)
        await client.delete(f"/api/jobs/{job.id}", headers=ada)
        assert (await call).status_code == 409

    talk(conversation)


def test_an_upload_is_inspected_in_a_vm() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        upload = (await client.post("/api/uploads", content=_SURVEY, headers=ada)).json()["id"]
        for body in (None, {"crs": "EPSG:32754"}):
            answer = await client.post(f"/api/uploads/{upload}/inspect", headers=ada, json=body)
            assert answer.status_code == 200, answer.text
            assert answer.json() == {"lines": 1}

    _with_worker({"lines": 1}, conversation)


def test_an_upload_that_is_not_complete_goes_into_no_job() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        begun = await client.post("/api/uploads", json={"size": 10}, headers=ada)
        answer = await client.post(f"/api/uploads/{begun.json()['id']}/inspect", headers=ada)
        assert answer.status_code == 409

    talk(conversation)


def test_a_module_is_installed_once_and_used_by_its_name() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        ids = [
            (await client.post("/api/uploads", content=content, headers=ada)).json()["id"]
            for content in (b"\0asm old", b"\0asm new", _SURVEY)
        ]
        made = []
        for upload in ids[:2]:
            await asyncio.sleep(0.002)
            answer = await client.post(
                "/api/wasm/modules", json={"name": "clip", "upload_id": upload}, headers=ada
            )
            assert answer.status_code == 201, answer.text
            made.append(answer.json())
        listed = (await client.get("/api/wasm/modules", headers=ada)).json()["items"]
        assert listed == made[1:]
        body = {"upload_id": ids[2], "params": {"module": {"name": "clip"}}}
        answer = await client.post("/api/wasm/run?wait=0", json=body, headers=ada)
        assert answer.status_code == 202, answer.text
        job = await _only_job(platform)
        assert await _content(platform, job, "module-clip.wasm") == b"\0asm new"
        assert (await client.delete("/api/wasm/modules/clip", headers=ada)).status_code == 204
        assert (await client.get("/api/wasm/modules", headers=ada)).json() == {"items": []}

    talk(conversation)


def test_a_product_of_an_earlier_job_is_an_input_of_the_next() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        first = (await client.post("/api/jobs", json={"kind": "noop"}, headers=ada)).json()["id"]
        await platform.succeed(first, await platform.begin(first), {}, table=("text/csv", _SURVEY))
        reference = {"job_id": first, "artifact": "table", "name": "again.csv"}
        answer = await client.post(
            "/api/jobs", json={"kind": "inspect", "inputs": [reference]}, headers=ada
        )
        assert answer.status_code == 201, answer.text
        job = await _only_job(platform)
        assert await _content(platform, job, "again.csv") == _SURVEY

    talk(conversation)


def test_a_job_without_a_date_means_the_day_it_was_asked_for_and_no_other() -> None:
    today = dt.datetime(2026, 3, 1, 23, 59, 59, tzinfo=dt.UTC)
    rows = [[470_000.0 + 50 * i, 7_500_000.0] for i in range(16)]
    body = {"values": [1.0] * 16, "locations": rows, "crs": "EPSG:32754"}
    ask = ("POST", "/api/mining/target-drills?wait=0")

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        nonlocal today
        client.headers = httpx.Headers(platform.headers("ada"))
        once = {"Idempotency-Key": "once"}
        first = (await client.request(*ask, json=body, headers=once)).json()
        job = await platform.ledger.get(first["id"])
        assert job.request.params["assumed_date"] == "2026-03-01"
        await platform.succeed(first["id"], await platform.begin(first["id"]), {"of": "that day"})
        same_day = await client.request(*ask, json=body)
        assert (same_day.status_code, same_day.json()) == (200, {"of": "that day"})
        today += dt.timedelta(seconds=2)
        repeated = await client.request(*ask, json=body, headers=once)
        assert repeated.headers["location"] == f"/api/jobs/{first['id']}"
        next_day = await client.request(*ask, json=body)
        assert next_day.status_code == 202  # not the answer of yesterday
        (waiting,) = await platform.ledger.waiting(limit=9)
        job = await platform.ledger.get(waiting.job_id)
        assert job.request.params["assumed_date"] == "2026-03-02"
        dated = await client.request(*ask, json={**body, "date": "2024-05-14"})
        job = await platform.ledger.get(dated.json()["id"])
        assert job.request.params["assumed_date"] is None

    talk(conversation, clock=lambda: today)
