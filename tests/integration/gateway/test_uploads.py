"""Uploads over real sockets: whole, in parts, broken off, too slow and too large."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator

import httpx
import pytest
from tests.servers.gateway import LiveGateway, live

_CONTENT = hashlib.shake_128(b"a survey").digest(1_000_003)


@pytest.fixture(scope="module")
def gateway() -> Iterator[LiveGateway]:
    with live(part_bytes=100_000, body_idle_s=0.5, upload_bytes=2**30) as server:
        yield server


def _stored(gateway: LiveGateway, upload: dict[str, object]) -> bytes:
    async def read() -> bytes:
        key = f"tenants/acme/uploads/{upload['id']}"
        return b"".join([piece async for piece in gateway.platform.store.get(key)])

    return gateway.call(read())


def _keys(gateway: LiveGateway, upload_id: object) -> list[str]:
    async def read() -> list[str]:
        store = gateway.platform.store
        return [f.key async for f in store.list("tenants/acme") if str(upload_id) in f.key]

    return gateway.call(read())


def _begin(gateway: LiveGateway, size: int | None) -> str:
    answer = httpx.post(
        f"{gateway.url}/api/uploads",
        json={"filename": "survey.csv", "size": size},
        headers=gateway.headers("ada"),
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _patch(gateway: LiveGateway, upload_id: str, offset: int, content: bytes) -> httpx.Response:
    return httpx.patch(
        f"{gateway.url}/api/uploads/{upload_id}",
        content=content,
        headers={**gateway.headers("ada"), "Upload-Offset": str(offset)},
    )


def test_a_file_as_the_body_is_complete_at_once(gateway: LiveGateway) -> None:
    answer = httpx.post(
        f"{gateway.url}/api/uploads",
        params={"filename": "survey.csv"},
        content=_CONTENT,
        headers=gateway.headers("ada"),
    )
    upload = answer.json()
    assert (upload["complete"], upload["offset"]) == (True, len(_CONTENT))
    assert upload["sha256"] == hashlib.sha256(_CONTENT).hexdigest()
    assert _stored(gateway, upload) == _CONTENT


def test_a_file_in_a_form_is_complete_at_once(gateway: LiveGateway) -> None:
    answer = httpx.post(
        f"{gateway.url}/api/uploads",
        files={"other": ("x", b"not this"), "file": ("a survey.csv", _CONTENT)},
        headers=gateway.headers("ada"),
    )
    upload = answer.json()
    assert upload["filename"] == "a survey.csv"
    assert _stored(gateway, upload) == _CONTENT


def test_parts_of_any_size_make_up_the_file_and_leave_nothing_else(gateway: LiveGateway) -> None:
    upload_id = _begin(gateway, len(_CONTENT))
    offset = 0
    for size in (1, 99_999, 100_001, 250_000, len(_CONTENT)):
        answer = _patch(gateway, upload_id, offset, _CONTENT[offset : offset + size])
        offset = int(answer.headers["Upload-Offset"])
    done = httpx.get(f"{gateway.url}/api/uploads/{upload_id}", headers=gateway.headers("ada"))
    assert done.json()["complete"]
    assert done.json()["sha256"] == hashlib.sha256(_CONTENT).hexdigest()
    assert _stored(gateway, {"id": upload_id}) == _CONTENT
    assert _keys(gateway, upload_id) == [f"tenants/acme/uploads/{upload_id}"]


def test_bytes_for_another_place_are_refused_and_the_place_is_named(gateway: LiveGateway) -> None:
    upload_id = _begin(gateway, len(_CONTENT))
    _patch(gateway, upload_id, 0, _CONTENT[:1000])
    answer = _patch(gateway, upload_id, 500, _CONTENT[500:2000])
    assert answer.status_code == 409
    assert answer.headers["Upload-Offset"] == "1000"


def test_what_came_before_a_broken_connection_is_kept(gateway: LiveGateway) -> None:
    upload_id = _begin(gateway, len(_CONTENT))
    head = (
        f"PATCH /api/uploads/{upload_id} HTTP/1.1\r\nHost: x\r\nUpload-Offset: 0\r\n"
        f"Authorization: {gateway.headers('ada')['Authorization']}\r\n"
        f"Content-Length: {len(_CONTENT)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
        raw.sendall(head.encode() + _CONTENT[:450_000])
        raw.shutdown(socket.SHUT_WR)
        raw.settimeout(5)
        while raw.recv(65536):
            pass
    answer = httpx.head(f"{gateway.url}/api/uploads/{upload_id}", headers=gateway.headers("ada"))
    offset = int(answer.headers["Upload-Offset"])
    assert 0 < offset <= 450_000
    answer = _patch(gateway, upload_id, offset, _CONTENT[offset:])
    assert answer.json()["sha256"] == hashlib.sha256(_CONTENT).hexdigest()


def test_an_upload_of_unknown_size_ends_when_its_sender_says_so(gateway: LiveGateway) -> None:
    upload_id = _begin(gateway, None)
    _patch(gateway, upload_id, 0, b"first ")
    answer = httpx.patch(
        f"{gateway.url}/api/uploads/{upload_id}",
        content=b"last",
        headers={**gateway.headers("ada"), "Upload-Offset": "6", "Upload-Complete": "?1"},
    )
    assert answer.json()["complete"]
    assert _stored(gateway, {"id": upload_id}) == b"first last"


def test_ten_gigabytes_are_refused_before_they_are_sent(gateway: LiveGateway) -> None:
    headers = gateway.headers("ada")
    declared = httpx.post(
        f"{gateway.url}/api/uploads", json={"filename": "x", "size": 10 * 2**30}, headers=headers
    )
    assert declared.status_code == 413
    with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
        raw.sendall(
            (
                "POST /api/uploads HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
                f"Authorization: {headers['Authorization']}\r\nContent-Length: {10 * 2**30}\r\n\r\n"
            ).encode()
        )
        raw.settimeout(5)
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert b"application/problem+json" in answer


def test_more_than_was_declared_is_refused(gateway: LiveGateway) -> None:
    upload_id = _begin(gateway, 10)
    assert _patch(gateway, upload_id, 0, b"x" * 11).status_code == 413


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\boot.ini",
        "a/../../b",
        "\x00\x01",
        ".",
        "C:x",
        "%2e%2e%2f",
    ],
)
def test_no_file_name_reaches_the_store(gateway: LiveGateway, name: str) -> None:
    answer = httpx.post(
        f"{gateway.url}/api/uploads",
        params={"filename": name},
        content=b"data",
        headers=gateway.headers("ada"),
    )
    if answer.status_code == 422:
        return
    upload = answer.json()
    assert "/" not in upload["filename"]
    assert not upload["filename"].startswith(".")
    assert _keys(gateway, upload["id"]) == [f"tenants/acme/uploads/{upload['id']}"]


def test_a_body_that_stops_coming_is_given_up(gateway: LiveGateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
        raw.sendall(
            (
                "POST /api/uploads HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
                f"Authorization: {gateway.headers('ada')['Authorization']}\r\n"
                "Content-Length: 1000\r\n\r\nabc"
            ).encode()
        )
        raw.settimeout(5)
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert b" 408 " in answer.split(b"\r\n")[0]
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    assert json.loads(body)["code"] == "slow_body"
