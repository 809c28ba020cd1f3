"""A bucket on a real server: what other clients see, links, and a server that fails."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.server
import secrets
import subprocess
import sys
import textwrap
import threading
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth  # type: ignore[import-untyped]  # it ships no types
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]  # it ships no types
from botocore.credentials import Credentials  # type: ignore[import-untyped]  # it ships no types
from tests.servers import s3

from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.ledger import NotFound
from quetzalcore.jobs.stores import (
    BucketStore,
    StorageFull,
    StoreRefused,
    StoreUnavailable,
    open_store,
)

WRITER = textwrap.dedent("""
    import asyncio, sys
    from quetzalcore.jobs.stores import open_store

    async def source():
        for _ in range(40):
            yield bytes(1 << 20)
        print("half", flush=True)
        await asyncio.Event().wait()

    store = open_store(sys.argv[1], access_key_id="id", secret_access_key="secret")
    asyncio.run(store.put("big", source()))
""")


async def one(data: bytes) -> AsyncIterator[bytes]:
    yield data


@pytest.fixture
def prefix() -> str:
    return f"tests/{secrets.token_hex(8)}"


@pytest.fixture
def store(s3_server, prefix) -> ArtifactStore:
    return open_store(
        s3_server.url(prefix),
        access_key_id=s3_server.access_key_id,
        secret_access_key=s3_server.secret_access_key,
    )


@pytest.fixture
def client(s3_server) -> Iterator[object]:
    client = s3_server.client()
    yield client
    client.close()


@pytest.fixture
def answering() -> Iterator[Callable[[int, bytes], BucketStore]]:
    """Give what opens a bucket on a server that has only one answer."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(status: int, body: bytes) -> BucketStore:
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST = answer  # noqa: N815 -- http.server's names

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return BucketStore(
            "artifacts",
            endpoint=f"http://127.0.0.1:{server.server_port}",
            access_key_id="id",
            secret_access_key="secret",  # noqa: S106 -- nobody's
        )

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def uploads(client, prefix: str) -> list[str]:
    found = client.list_multipart_uploads(Bucket=s3.BUCKET).get("Uploads", [])
    return [upload["Key"] for upload in found if upload["Key"].startswith(prefix)]


def test_another_client_finds_the_files_below_the_prefix(store, client, prefix) -> None:
    asyncio.run(store.put("jobs/1/ü.tif", one(b"data")))
    body = client.get_object(Bucket=s3.BUCKET, Key=f"{prefix}/jobs/1/ü.tif")["Body"]
    assert body.read() == b"data"
    body.close()


def test_a_failed_or_cancelled_put_leaves_no_parts_behind(store, client, prefix) -> None:
    async def story() -> None:
        seen = asyncio.Event()

        async def source(*, fail: bool) -> AsyncIterator[bytes]:
            for _ in range(40):
                yield bytes(1 << 20)
            while not uploads(client, prefix):  # noqa: ASYNC110 -- what a server knows
                await asyncio.sleep(0.05)
            seen.set()
            if fail:
                raise RuntimeError("the client went away")
            await asyncio.Event().wait()

        with pytest.raises(RuntimeError, match="went away"):
            await store.put("failed", source(fail=True))
        assert seen.is_set()
        seen.clear()
        task = asyncio.create_task(store.put("cancelled", source(fail=False)))
        await seen.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(100):  # a cancelled request's abort may come a moment later
            if not uploads(client, prefix):
                break
            await asyncio.sleep(0.05)
        assert uploads(client, prefix) == []
        assert [file async for file in store.list("")] == []

    asyncio.run(story())


def test_what_a_killed_writer_leaves_is_never_listed(s3_server, store, client, prefix) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, s3_server.url(prefix)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "half\n"
    writer.kill()
    writer.communicate()
    assert uploads(client, prefix) == [f"{prefix}/big"]

    async def story() -> None:
        assert [file async for file in store.list("")] == []
        with pytest.raises(NotFound):
            await store.stat("big")
        await store.put("big", one(b"again"))
        assert (await store.stat("big")).size == 5

    asyncio.run(story())


def test_links_move_just_one_file_without_credentials(store) -> None:
    put = asyncio.run(store.link("a/b c%.tif", method="PUT", expires_s=60))
    kind = {"Content-Type": "application/octet-stream"}
    request = urllib.request.Request(put, data=b"product", method="PUT", headers=kind)  # noqa: S310 -- our server
    with urllib.request.urlopen(request) as answer:  # noqa: S310 -- our server
        assert answer.status == 200
    get = asyncio.run(store.link("a/b c%.tif", method="GET", expires_s=60))
    with urllib.request.urlopen(get) as answer:  # noqa: S310 -- our server
        assert answer.read() == b"product"
    assert asyncio.run(store.stat("a/b c%.tif")).size == 7


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_link_is_signed_for_its_method_key_and_time(s3_server, store, method) -> None:
    """An independent signer gets the same signature for this link and another for any other."""
    link = asyncio.run(store.link("a/b.tif", method=method, expires_s=90))
    parts = urlsplit(link)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert query["X-Amz-Expires"] == "90"
    assert query["X-Amz-SignedHeaders"] == "host"
    given = query.pop("X-Amz-Signature")

    def signature(method: str, path: str, **changed: str) -> str:
        auth = S3SigV4QueryAuth(
            Credentials(s3_server.access_key_id, s3_server.secret_access_key), "s3", "us-east-1"
        )
        url = f"{parts.scheme}://{parts.netloc}{path}"
        request = AWSRequest(method=method, url=url, params={**query, **changed})
        request.headers["host"] = parts.netloc
        request.context["timestamp"] = query["X-Amz-Date"]
        text = auth.string_to_sign(request, auth.canonical_request(request))
        del request.headers["host"]
        return str(auth.signature(text, request))

    assert signature(method, parts.path) == given
    assert signature("DELETE", parts.path) != given
    assert signature(method, parts.path + "x") != given
    assert signature(method, parts.path, **{"X-Amz-Expires": "91"}) != given
    made = dt.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    assert made.year >= 2020


def test_a_missing_bucket_is_said_in_words(s3_server) -> None:
    store = BucketStore(
        "nobody-s",
        endpoint=s3_server.endpoint,
        access_key_id="id",
        secret_access_key="x",  # noqa: S106 -- nobody's
    )
    with pytest.raises(StoreRefused, match="no such bucket"):
        asyncio.run(store.put("a", one(b"x")))


def test_a_server_that_is_away_is_said_in_words_within_seconds() -> None:
    store = BucketStore(
        "artifacts",
        endpoint="http://127.0.0.1:9",
        access_key_id="id",
        secret_access_key="x",  # noqa: S106 -- nobody's
    )

    async def story() -> None:
        async with asyncio.timeout(30):
            with pytest.raises(StoreUnavailable, match=r"does not answer.*check the endpoint"):
                await store.put("a", one(b"x"))
            with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:9"):
                await store.stat("a")

    asyncio.run(story())


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials_are_said_in_words(answering, status) -> None:
    store = answering(status, b"<Error><Code>AccessDenied</Code></Error>")
    with pytest.raises(StoreRefused, match="check the access key"):
        asyncio.run(store.put("a", one(b"x")))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (507, b""),
        (400, b"<Error><Code>QuotaExceeded</Code></Error>"),
        (400, b"<Error><Code>XMinioStorageFull</Code></Error>"),
    ],
)
def test_a_full_store_is_said_in_words(answering, status, body) -> None:
    with pytest.raises(StorageFull, match="make room"):
        asyncio.run(answering(status, body).put("a", one(b"x")))


def test_a_server_killed_in_the_middle_of_a_put_is_said_in_words(tmp_path) -> None:
    process, endpoint = s3.started(tmp_path / "log")
    try:
        server = s3.S3Server(endpoint=endpoint, pid=process.pid)
        client = server.client()
        client.create_bucket(Bucket=s3.BUCKET)
        client.close()
        store = open_store(server.url(""), access_key_id="id", secret_access_key="secret")  # noqa: S106 -- nobody's

        async def source() -> AsyncIterator[bytes]:
            for _ in range(24):
                yield bytes(1 << 20)
            process.kill()
            process.wait()
            for _ in range(24):
                yield bytes(1 << 20)

        with pytest.raises(StoreUnavailable, match="does not answer"):
            asyncio.run(store.put("big", source()))
    finally:
        process.kill()
        process.wait()
