"""Files that jobs made, over HTTP: whole, in parts, not at all."""

from __future__ import annotations

import hashlib

import httpx
import pytest
from tests.servers.gateway import MemoryPlatform, now, talk

from quetzalcore.jobs.links import Grant, sign

_PAGE = b"<script>alert(1)</script>"


async def _job(platform: MemoryPlatform, client: httpx.AsyncClient) -> str:
    ada = platform.headers("ada")
    job_id = (await client.post("/api/jobs", json={"kind": "noop"}, headers=ada)).json()["id"]
    await platform.succeed(
        job_id,
        await platform.begin(job_id),
        {},
        table=("text/csv", b"0123456789"),
        page=("text/html", _PAGE),
        odd=('text/x"\r\nSet-Cookie: a=b', b"x"),
        nothing=("text/plain", b""),
    )
    return str(job_id)


@pytest.mark.parametrize(
    ("wanted", "status", "body", "content_range"),
    [
        (None, 200, b"0123456789", None),
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=0-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=4-2", 200, b"0123456789", None),
        ("bytes=1-2,4-5", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=-0", 416, None, "bytes */10"),
    ],
)
def test_a_file_is_given_whole_or_in_part(
    wanted: str | None, status: int, body: bytes | None, content_range: str | None
) -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        job_id = await _job(platform, client)
        headers = platform.headers("ada") | ({"Range": wanted} if wanted else {})
        answer = await client.get(f"/api/jobs/{job_id}/artifacts/table", headers=headers)
        assert answer.status_code == status
        assert answer.headers.get("content-range") == content_range
        if body is not None:
            assert answer.content == body
            assert answer.headers["etag"] == f'"{hashlib.sha256(b"0123456789").hexdigest()}"'

    talk(conversation)


def test_a_file_that_the_client_has_is_not_sent_again() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        path = f"/api/jobs/{await _job(platform, client)}/artifacts/table"
        ada = platform.headers("ada")
        head = await client.head(path, headers=ada)
        assert head.headers["content-length"] == "10"
        again = await client.get(path, headers={**ada, "If-None-Match": head.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        stale = {**ada, "Range": "bytes=0-1", "If-Range": '"other"'}
        assert (await client.get(path, headers=stale)).status_code == 200

    talk(conversation)


def test_html_runs_in_a_sandbox_and_nothing_is_sniffed() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        job_id = await _job(platform, client)
        ada = platform.headers("ada")
        page = await client.get(f"/api/jobs/{job_id}/artifacts/page", headers=ada)
        assert page.headers["content-security-policy"].startswith("sandbox")
        assert "allow-same-origin" not in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"
        odd = await client.get(f"/api/jobs/{job_id}/artifacts/odd", headers=ada)
        assert odd.headers["content-type"] == "application/octet-stream"
        assert odd.headers["content-disposition"].startswith("attachment")
        saved = await client.get(f"/api/jobs/{job_id}/artifacts/page?download=true", headers=ada)
        assert saved.headers["content-disposition"].startswith("attachment")
        empty = await client.get(f"/api/jobs/{job_id}/artifacts/nothing", headers=ada)
        assert (empty.status_code, empty.content) == (200, b"")

    talk(conversation)


def test_files_of_a_job_that_has_not_succeeded_are_not_there() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        job_id = (await client.post("/api/jobs", json={"kind": "noop"}, headers=ada)).json()["id"]
        answer = await client.get(f"/api/jobs/{job_id}/artifacts/table", headers=ada)
        assert answer.status_code == 404
        listed = await client.get(f"/api/jobs/{job_id}/artifacts", headers=ada)
        assert listed.json() == {"items": []}

    talk(conversation)


def test_a_signed_link_moves_one_file_one_way_for_a_while() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        expires = int(now().timestamp()) + 60
        key, secret = "tenants/acme/jobs/j/a/table", platform.parts.secret
        put = sign(Grant(method="PUT", key=key, expires_at_s=expires), secret)
        get = sign(Grant(method="GET", key=key, expires_at_s=expires), secret)
        late = sign(Grant(method="GET", key=key, expires_at_s=expires - 120), secret)
        assert (await client.put(f"/api/blobs/{put}", content=b"data")).status_code == 204
        assert (await client.get(f"/api/blobs/{get}")).content == b"data"
        for method, token in (("GET", put), ("PUT", get), ("GET", late), ("GET", get[:-2] + "xx")):
            answer = await client.request(method, f"/api/blobs/{token}", content=b"other")
            assert answer.status_code == 403
            assert answer.json()["code"] == "bad_link"

    talk(conversation)
