"""What a tenant may keep, held while it comes in; what is refused leaves nothing behind."""

from __future__ import annotations

import httpx
from tests.servers.gateway import MemoryPlatform, talk

from quetzalcore.gateway import modules
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
