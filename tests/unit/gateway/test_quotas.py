"""What a tenant may keep, held while it comes in; what is refused leaves nothing behind."""

from __future__ import annotations

import httpx
import pytest
from tests.servers.gateway import MemoryPlatform, talk

from quetzalcore.gateway import modules
from quetzalcore.identity.limits import RateLimiter, parse_rules
from quetzalcore.jobs.memory_books import MemoryUploads
from quetzalcore.jobs.quota import Quota
from quetzalcore.workloads.wasm.modules import MOST_MODULE_BYTES

UPLOADS = {"max_upload_bytes": 10_000}


async def _stored(platform: MemoryPlatform) -> int:
    return sum([file.size async for file in platform.store.list("tenants")])


def test_uploads_beyond_the_quota_are_refused_and_leave_nothing() -> None:
    uploads = MemoryUploads(lambda _key: False, quota=Quota(**UPLOADS))

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada, bob = platform.headers("ada"), platform.headers("bob")
        answer = await client.post("/api/uploads", content=b"a" * 10_001, headers=ada)
        assert (answer.status_code, answer.json()["code"]) == (429, "quota_exceeded")
        assert await _stored(platform) == 0
        declared = await client.post("/api/uploads", json={"size": 10_001}, headers=ada)
        assert declared.status_code == 429
        begun = (await client.post("/api/uploads", json={}, headers=ada)).json()["id"]
        for _ in range(3):
            refused = await client.patch(
                f"/api/uploads/{begun}",
                content=b"a" * 10_001,
                headers={**ada, "Upload-Offset": "0"},
            )
            assert refused.status_code == 429
        assert await _stored(platform) == 0
        other = await client.post("/api/uploads", content=b"b" * 9_000, headers=bob)
        assert other.status_code == 201

    talk(conversation, uploads=uploads)


def test_a_tenant_keeps_so_many_versions_of_modules_and_none_that_is_too_large(monkeypatch) -> None:
    monkeypatch.setattr(modules, "_MOST_VERSIONS", 3)

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")

        async def install(name: str, content: bytes) -> tuple[int, str]:
            upload = (await client.post("/api/uploads", content=content, headers=ada)).json()["id"]
            body = {"name": name, "upload_id": upload}
            answer = await client.post("/api/wasm/modules", json=body, headers=ada)
            return answer.status_code, answer.json().get("code", "")

        assert await install("clip", b"a" * (MOST_MODULE_BYTES + 1)) == (422, "bad_parameter")
        assert [await install("clip", b"\0asm%d" % n) for n in range(3)] == [(201, "")] * 3
        assert await install("other", b"\0asm") == (429, "quota_exceeded")
        await client.delete("/api/wasm/modules/clip", headers=ada)
        assert await install("other", b"\0asm") == (201, "")

    talk(conversation)


@pytest.mark.parametrize("path", ["/api/mining/cost-analysis", "/api/mining/mag-survey"])
def test_a_large_body_counts_as_the_many_requests_that_it_is_worth(path: str) -> None:
    limiter = RateLimiter("memory://", parse_rules({"requests": "100/minute", "login": "9/minute"}))
    wrong = {"area_km2": -1, "pad": "a" * 320 * 1024}  # 20 requests beside its own

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        statuses = [
            (await client.post(path, json=wrong, headers=ada)).status_code for _ in range(6)
        ]
        assert statuses == [422, 422, 422, 422, 429, 429]
        assert (
            await client.get("/api/jobs", headers=ada)
        ).status_code == 200  # a small one has room
        bob = await client.post(path, json=wrong, headers=platform.headers("bob"))
        assert bob.status_code == 422

    talk(conversation, limiter=limiter)


def test_a_body_larger_than_the_whole_rate_limit_still_goes_through() -> None:
    limiter = RateLimiter("memory://", parse_rules({"requests": "8/minute", "login": "9/minute"}))
    wrong = {"area_km2": -1, "pad": "a" * 900 * 1024}

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        path = "/api/mining/cost-analysis"
        statuses = [
            (await client.post(path, json=wrong, headers=ada)).status_code for _ in range(3)
        ]
        assert statuses == [422, 422, 429]

    talk(conversation, limiter=limiter)


@pytest.mark.parametrize(
    "path", ["/api/mining/discriminate", "/api/mining/mag-survey", "/api/wasm/run"]
)
def test_more_values_than_can_be_read_at_once_are_refused_unread(path: str) -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        headers = {**platform.headers("ada"), "Content-Type": "application/json"}
        body = b'{"values":[' + b"1," * 2_000_001 + b"1]}"
        answer = await client.post(path, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert "upload" in answer.json()["hint"]

    talk(conversation)
