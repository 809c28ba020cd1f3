"""Whatever goes wrong is a problem document that tells nothing it should not."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from tests.servers.gateway import MemoryPlatform, now, talk

from quetzalcore.database import DatabaseFull, DatabaseUnavailable
from quetzalcore.errors import QuetzalError, Where
from quetzalcore.jobs.artifacts import StoredFile
from quetzalcore.jobs.ledger import LedgerFull, LedgerUnavailable
from quetzalcore.jobs.links import Grant, sign
from quetzalcore.jobs.memory_books import MemoryUploads
from quetzalcore.jobs.stores.faults import StorageFull, StoreRefused, StoreUnavailable
from quetzalcore.jobs.stores.memory import MemoryStore
from quetzalcore.jobs.uploads import Upload


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("PUT", "/api/jobs", {}, 405, "method_not_allowed"),
        ("POST", "/api/jobs", {"content": b"{"}, 400, "bad_request"),
        ("POST", "/api/jobs", {"json": []}, 422, "bad_parameter"),
        ("POST", "/api/jobs", {"json": {}}, 422, "bad_parameter"),
        ("POST", "/api/jobs", {"json": {"kind": "dance"}}, 422, "bad_parameter"),
        ("POST", "/api/jobs", {"json": {"kind": "noop", "a": 1}}, 422, "bad_parameter"),
        ("POST", "/api/jobs", {"json": {"kind": "noop", "params": {"a": 1}}}, 422, "bad_parameter"),
        ("POST", "/api/jobs", {"json": {"kind": "noop", "upload_id": "x"}}, 404, "not_found"),
        ("POST", "/api/jobs", {"json": {"kind": "noop", "priority": 50}}, 422, "bad_parameter"),
        ("POST", "/api/jobs", {"json": {"kind": "noop", "wall_s": 1e9}}, 422, "bad_parameter"),
        ("POST", "/api/jobs", {"content": b"x" * 2**21}, 413, "too_large"),
        ("POST", "/api/jobs", {"content": b'{"kind": "\\u0000"}'}, 422, "bad_parameter"),
        ("POST", "/api/jobs", {"content": b'{"kind": "\\ud800"}'}, 422, "bad_parameter"),
        ("POST", "/api/mining/cost-analysis", {"content": b"x"}, 415, "unsupported_media_type"),
        ("POST", "/api/mining/cost-analysis", {"json": {"area_km2": -1}}, 422, "bad_parameter"),
        ("POST", "/api/mining/cost-analysis", {"json": {"inputs": 3}}, 422, "bad_parameter"),
        ("POST", "/api/mining/mag-survey", {"json": {"columns": 3}}, 422, "bad_parameter"),
        ("POST", "/api/mining/mag-survey", {"json": {"extra": 3}}, 422, "bad_parameter"),
        ("POST", "/api/mining/mag-survey", {"json": {}}, 422, "bad_parameter"),
        ("GET", "/api/jobs?limit=0", {}, 422, "bad_parameter"),
        ("GET", "/api/jobs/UP..PER", {}, 404, "not_found"),
        ("GET", "/api/jobs/%00", {}, 404, "not_found"),
        ("POST", "/api/uploads", {"json": {"size": -1}}, 422, "bad_parameter"),
        ("PATCH", "/api/uploads/none", {"content": b"x"}, 422, "bad_parameter"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(
    method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        headers = platform.headers("ada")
        if "content" in options and "cost" not in path and method == "POST":
            headers["Content-Type"] = "application/json"
        answer = await client.request(method, path, headers=headers, **options)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code), problem
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["status"] == status
        assert problem["detail"]
        assert problem["request_id"] == answer.headers["x-request-id"]

    talk(conversation)


class _Away:
    """A ledger that cannot be reached."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- any method
        async def fail(*_: object, **__: object) -> None:
            raise LedgerUnavailable("the database does not answer", hint="come again")

        return fail


class _Broken:
    """A ledger with a fault of its own."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- any method
        async def fail(*_: object, **__: object) -> None:
            raise RuntimeError("SELECT secret FROM users")

        return fail


def test_a_ledger_that_is_away_is_a_503_that_says_when_to_come_again() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        for path in ("/api/jobs", "/api/jobs/x", "/ready"):
            answer = await client.get(path, headers=platform.headers("ada"))
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
        health = (await client.get("/health")).json()
        assert health["status"] == "away"
        assert health["components"]["ledger"]["status"] == "away"
        assert (await client.get("/live")).status_code == 200

    talk(conversation, ledger=_Away())


@pytest.mark.parametrize(
    "kind", [LedgerUnavailable, DatabaseUnavailable, StoreUnavailable, StorageFull, StoreRefused]
)
def test_where_the_platform_keeps_things_is_told_to_its_operator_only(
    kind: type[QuetzalError],
) -> None:
    class Telling:
        """A ledger that names its place."""

        async def list(self, _where: object) -> None:
            raise kind(
                "/var/lib/secret/ledger.db is locked", hint="look at /var", where=Where(file="/v")
            )

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        with capture_logs() as lines:
            answer = await client.get("/api/jobs", headers=platform.headers("ada"))
        assert answer.status_code >= 500
        assert answer.json()["code"] == kind.code
        assert "/v" not in answer.text
        assert "/var/lib/secret/ledger.db is locked" in [line.get("detail") for line in lines]

    talk(conversation, ledger=Telling())


class _FullStore(MemoryStore):
    """A store with room for one more small file, or for none."""

    room = 0

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        self.room -= 1
        if self.room < 0:
            raise StorageFull("no room in /srv/artifacts", hint="make room in /srv/artifacts")
        return await super().put(key, chunks)


_FULL_STORE = "the platform's file store is full"
_FULL_DATABASE = "the disk of the platform's database is full"


@pytest.mark.parametrize(
    "body",
    [{"content": b"a,b"}, {"files": {"file": ("a.csv", b"a,b")}}],
    ids=["the body itself", "a form"],
)
def test_a_full_store_refuses_an_upload_with_507_and_says_what_to_do(body: dict[str, Any]) -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        answer = await client.post("/api/uploads", headers=platform.headers("ada"), **body)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (507, "storage_full")
        assert problem["detail"] == _FULL_STORE
        assert "make room" in problem["hint"]
        until = now() + dt.timedelta(days=1)
        assert await platform.parts.uploads.abandoned(before=until, limit=9) == ()

    talk(conversation, store=_FullStore())


def test_an_upload_in_parts_goes_on_where_it_stood_once_there_is_room() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        client.headers = httpx.Headers(platform.headers("ada"))
        assert isinstance(platform.store, _FullStore)
        begun = await client.post("/api/uploads", json={"filename": "a.csv", "size": 4})
        path = f"/api/uploads/{begun.json()['id']}"
        platform.store.room = 1
        assert (
            await client.patch(path, content=b"ab", headers={"Upload-Offset": "0"})
        ).status_code == 200
        refused = await client.patch(path, content=b"cd", headers={"Upload-Offset": "2"})
        assert (refused.status_code, refused.json()["detail"]) == (507, _FULL_STORE)
        assert (await client.head(path)).headers["upload-offset"] == "2"
        platform.store.room = 9
        done = await client.patch(path, content=b"cd", headers={"Upload-Offset": "2"})
        assert (done.status_code, done.json()["complete"]) == (200, True)

    talk(conversation, store=_FullStore())


@pytest.mark.parametrize("kind", [LedgerFull, DatabaseFull])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/jobs"), ("DELETE", "/api/jobs/01abc"), ("POST", "/api/jobs/01abc/retry")],
)
def test_a_database_without_room_is_a_507_that_says_what_is_full(
    kind: type[QuetzalError], method: str, path: str
) -> None:
    class Full:
        """A ledger that can be read only."""

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- any method
            async def fail(*_: object, **__: object) -> None:
                raise kind("the database /srv/ledger.db did not take it", hint="look at /srv")

            return fail

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        body = {"kind": "noop"} if path == "/api/jobs" else {}
        answer = await client.request(method, path, headers=platform.headers("ada"), json=body)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (507, kind.code)
        assert problem["detail"] == _FULL_DATABASE
        assert "make room" in problem["hint"]
        assert "/srv" not in answer.text

    talk(conversation, ledger=Full())


def test_an_upload_that_cannot_be_noted_leaves_no_bytes_behind() -> None:
    class Full(MemoryUploads):
        """A book with room for an upload's beginning only."""

        async def advance(self, *_: object, **__: object) -> Upload:
            raise LedgerFull("no room")

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        headers = platform.headers("ada")
        answer = await client.post("/api/uploads", content=b"a,b", headers=headers)
        assert answer.status_code == 507
        assert [file async for file in platform.store.list("")] == []

    talk(conversation, uploads=Full(lambda _key: False))


def test_a_signed_link_that_fails_is_not_logged() -> None:
    class Broken(MemoryStore):
        """A store with a fault of its own."""

        async def stat(self, _key: str) -> StoredFile:
            raise RuntimeError("broken")

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        until = int(now().timestamp()) + 60
        grant = Grant(method="GET", key="tenants/acme/uploads/a", expires_at_s=until)
        token = sign(grant, platform.parts.secret)
        with capture_logs() as lines:
            assert (await client.get(f"/api/blobs/{token}")).status_code == 500
        assert "/api/blobs/{token}" in [line.get("route") for line in lines]
        assert token not in str(lines)

    talk(conversation, store=Broken())


def test_a_fault_of_our_own_is_a_500_without_its_story() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        for path in ("/api/jobs", "/api/jobs/x"):
            with capture_logs() as lines:
                answer = await client.get(path, headers=platform.headers("ada"))
            assert "gateway.failed" in [line["event"] for line in lines]
            assert answer.status_code == 500
            assert answer.json()["code"] == "internal_error"
            assert "SELECT" not in answer.text

    talk(conversation, ledger=_Broken())


def test_every_answer_carries_its_id_and_the_headers_that_browsers_heed() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        for path in ("/live", "/nowhere", "/api/jobs"):
            answer = await client.get(
                path, headers={**platform.headers("ada"), "X-Request-ID": "mine-1"}
            )
            assert answer.headers["x-request-id"] == "mine-1"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
            assert "access-control-allow-origin" not in answer.headers
        forged = await client.get("/live", headers={"X-Request-ID": "a b\t"})
        assert forged.headers["x-request-id"] != "a b\t"

    talk(conversation)


def test_only_known_hosts_are_served_where_they_are_listed() -> None:
    async def conversation(_: MemoryPlatform, client: httpx.AsyncClient) -> None:
        assert (await client.get("/live")).status_code == 200
        for host in ("evil.example", "a b", "gateway@evil", ""):
            answer = await client.get("/live", headers={"Host": host})
            assert answer.status_code == 400, host

    talk(conversation, allowed_hosts=("gateway",))
