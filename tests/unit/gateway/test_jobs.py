"""Jobs over HTTP."""

from __future__ import annotations

import asyncio

import httpx
from tests.servers.gateway import MemoryPlatform, talk

from quetzalcore.jobs.model import Failure, Remedy


async def _submit(
    platform: MemoryPlatform, client: httpx.AsyncClient, who: str = "ada", **body: object
) -> str:
    answer = await client.post(
        "/api/jobs", json={"kind": "noop", **body}, headers=platform.headers(who)
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_job_is_submitted_and_read_back_as_documented() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        job_id = await _submit(platform, client, params={"echo": "hello"})
        attempt = await platform.begin(job_id)
        await platform.tell(
            job_id, attempt, "progress", {"stage": "run", "fraction": 0.5, "message": ""}
        )
        await platform.succeed(job_id, attempt, {"echo": "hello"})
        answer = await client.get(f"/api/jobs/{job_id}", headers=platform.headers("ada"))
        job = answer.json()
        assert set(job) == {
            "id", "kind", "state", "priority", "tenant", "submitted_at", "started_at", "finished_at",
            "progress", "attempts", "result", "error", "cached", "artifacts",
        }  # fmt: skip
        assert job["state"] == "succeeded"
        assert job["result"] == {"echo": "hello"}
        assert job["attempts"][0]["resources"]["asked"]["memory_mib"] == 512

    talk(conversation)


def test_the_same_idempotency_key_gives_the_same_job() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        headers = {**platform.headers("ada"), "Idempotency-Key": "once"}
        first = await client.post("/api/jobs", json={"kind": "noop"}, headers=headers)
        again = await client.post("/api/jobs", json={"kind": "noop"}, headers=headers)
        other = await client.post(
            "/api/jobs", json={"kind": "noop", "priority": 1}, headers=headers
        )
        assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
        assert first.json()["id"] == again.json()["id"]

    talk(conversation)


def test_a_failed_job_says_why_and_can_be_run_again() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        job_id = await _submit(platform, client)
        failure = Failure(code="bad_table", title="No", detail="no rows", remedy=Remedy.USER)
        await platform.fail(job_id, await platform.begin(job_id), failure)
        headers = platform.headers("ada")
        job = (await client.get(f"/api/jobs/{job_id}", headers=headers)).json()
        assert job["error"]["detail"] == "no rows"
        again = await client.post(f"/api/jobs/{job_id}/retry", headers=headers)
        assert again.json()["state"] == "queued"

    talk(conversation)


def test_jobs_are_listed_page_by_page() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ids = [await _submit(platform, client) for _ in range(5)]
        found: list[str] = []
        cursor = ""
        while True:
            answer = await client.get(
                "/api/jobs", params={"limit": 2, "cursor": cursor}, headers=platform.headers("ada")
            )
            found += [job["id"] for job in answer.json()["items"]]
            cursor = answer.json()["next_cursor"]
            if not cursor:
                break
        assert sorted(found) == sorted(ids)

    talk(conversation)


def test_nobody_gets_in_without_a_key() -> None:
    async def conversation(_: MemoryPlatform, client: httpx.AsyncClient) -> None:
        answer = await client.get("/api/jobs")
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "not_authenticated"
        assert answer.headers["www-authenticate"].startswith("Bearer")

    talk(conversation)


def test_what_a_job_wrote_is_read_as_lines_or_as_text() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        job_id = await _submit(platform, client)
        attempt = await platform.begin(job_id)
        for text in ("one", "two"):
            await platform.tell(job_id, attempt, "log", {"level": "info", "text": text})
        path = f"/api/jobs/{job_id}/logs"
        lines = (await client.get(path, headers=ada)).json()
        assert [each["text"] for each in lines["items"]] == ["one", "two"]
        rest = await client.get(path, params={"after": lines["next_after"]}, headers=ada)
        assert rest.json() == {"items": [], "next_after": lines["next_after"]}
        plain = await client.get(path, headers={**ada, "Accept": "text/plain"})
        assert plain.text == "one\ntwo\n"

    talk(conversation)


def test_numbers_that_json_does_not_have_become_null() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        job_id = await _submit(platform, client)
        result = {"a": float("nan"), "b": [1.0, float("inf")]}
        await platform.succeed(job_id, await platform.begin(job_id), result)
        answer = await client.get(f"/api/jobs/{job_id}", headers=platform.headers("ada"))
        assert answer.json()["result"] == {"a": None, "b": [1.0, None]}

    talk(conversation)


def test_a_waiting_submission_answers_with_the_ended_job() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        done = asyncio.Event()
        worker = asyncio.create_task(platform.run_all({"echo": "x"}, until=done))
        answer = await client.post(
            "/api/jobs?wait=10", json={"kind": "noop"}, headers=platform.headers("ada")
        )
        done.set()
        await worker
        assert answer.json()["state"] == "succeeded"

    talk(conversation)


def test_a_job_asks_for_the_resources_that_its_owner_wants() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        job_id = await _submit(platform, client, resources={"memory_mib": 4096}, wall_s=60)
        request = (await platform.ledger.get(job_id)).request
        assert (request.resources.memory_mib, request.resources.cpus) == (4096, 1.0)
        assert request.wall_s == 60

    talk(conversation)
