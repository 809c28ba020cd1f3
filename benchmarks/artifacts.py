"""How much memory and time 1 GB takes through the artifact stores, and how fast keys are recognised."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tests.servers import s3

from benchmarks.race import Figure, interleave
from quetzalcore.database import open_database
from quetzalcore.identity.model import Role
from quetzalcore.identity.sql import open_identity_store
from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.stores import open_store

_GIB = 1 << 30
_CHUNK = 1 << 16  # what an HTTP server hands over
_LEAST_MIB = 200
_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_KEYS_A_SECOND = 2000
_MEASURE = """
import asyncio, json, sys
from benchmarks.artifacts import measured
print(json.dumps(asyncio.run(measured(*sys.argv[1:]))))
"""


async def measured(url: str, work: str) -> dict[str, float]:
    """Put or get 1 GiB in this fresh process; give seconds and by how many MiB the peak rose."""
    store = open_store(url, access_key_id=s3.ACCESS_KEY_ID, secret_access_key=s3.SECRET_ACCESS_KEY)
    if work == "put":
        await _put(store, "small", 1)  # so that what is loaded once is not counted
    else:
        await _get(store, "small")
    before, began = _peak_mib(), time.perf_counter()
    if work == "put":
        await _put(store, "big", _GIB)
    else:
        assert await _get(store, "big") == _GIB
    return {"seconds": time.perf_counter() - began, "mib": _peak_mib() - before}


async def _put(store: ArtifactStore, key: str, size: int) -> None:
    async def source() -> AsyncIterator[bytes]:
        for begin in range(0, size, _CHUNK):
            yield os.urandom(min(_CHUNK, size - begin))

    assert await store.put(key, source()) == size


async def _get(store: ArtifactStore, key: str) -> int:
    return sum([len(chunk) async for chunk in store.get(key)])


def _peak_mib() -> float:
    """Give the most memory that this process ever had resident (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not say VmHWM")


def _in_fresh_process(url: str, work: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, url, work], capture_output=True, check=True
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


class _Ranges(http.server.BaseHTTPRequestHandler):
    """Serves ranges of a file of 1 GiB as S3 does; moto reads the whole file again for each range."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """Give the size."""
        self._begin(200, 1 if self.path.endswith("small") else _GIB)

    def do_GET(self) -> None:
        """Give a range of zeros."""
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        size = 1 if self.path.endswith("small") else _GIB
        self._begin(206, last - first + 1, f"bytes {first}-{last}/{size}")
        self.wfile.write(bytes(last - first + 1))

    def _begin(self, status: int, length: int, place: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        if place:
            self.send_header("Content-Range", place)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _from_a_bucket() -> list[Figure]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Ranges)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        return _gigabyte("S3 (ranges of zeros)", f"s3://artifacts?endpoint={endpoint}", "get")
    finally:
        server.shutdown()
        server.server_close()


def _gigabyte(name: str, url: str, *works: str) -> list[Figure]:
    figures = []
    for work in works:
        found = _in_fresh_process(url, work)
        figures.append(
            Figure(
                work=f"{work} 1 GiB, {name}, in chunks of 64 KiB",
                ours=f"peak memory +{found['mib']:.0f} MiB (VmHWM), {found['seconds']:.1f} s,"
                f" {1024 / found['seconds']:.0f} MiB/s",
                bar=f"under +{_LEAST_MIB} MiB",
                met=found["mib"] < _LEAST_MIB,
            )
        )
    return figures


def _beside_plain_writing(folder: Path) -> Figure:
    """Race a put of 256 MiB with plain write and fsync of the same chunks."""
    size = 256 << 20
    data = os.urandom(_CHUNK)
    store = open_store((folder / "race").as_uri())

    async def source() -> AsyncIterator[bytes]:
        for _ in range(0, size, _CHUNK):
            yield data

    def plain() -> None:
        with (folder / "plain").open("wb") as file:
            for _ in range(0, size, _CHUNK):
                file.write(data)
            file.flush()
            os.fsync(file.fileno())

    ours, theirs, ratio = interleave(
        lambda: asyncio.run(store.put("file", source())), plain, runs=5
    )
    return Figure(
        work="put 256 MiB into a folder, durable",
        ours=f"{ours:.2f} s",
        peer=f"{theirs:.2f} s",
        peer_name="open, write, fsync",
        ratio=ratio,
        bar="at least 0.5x",
        met=ratio >= 0.5,
    )


async def _keys_a_second(folder: Path) -> dict[str, float]:
    database = await open_database(f"sqlite:///{folder}/identity.db")
    store = await open_identity_store(database)
    await store.add_user("ana", tenant="acme", role=Role.CLIENT, password=None, now=_NOW)
    secrets = [(await store.create_key("ana", now=_NOW))[1] for _ in range(200)]
    for secret in secrets:
        await store.by_key(secret, now=_NOW)
    warm = await _rate(lambda n: store.by_key(secrets[n % 200], now=_NOW), 20_000)

    async def cold(n: int) -> None:
        store._cache.forget_all()  # noqa: SLF001 -- so that every lookup is one of the database
        await store.by_key(secrets[n % 200], now=_NOW)

    looked_up = await _rate(cold, 2000)
    await store.close()
    await database.close()
    return {"warm": warm, "cold": looked_up}


async def _rate(work: Callable[[int], object], times: int) -> float:
    began = time.perf_counter()
    for number in range(times):
        await work(number)  # type: ignore[misc]  # a coroutine
    return times / (time.perf_counter() - began)


def figures() -> list[Figure]:
    """Measure a folder, a bucket of moto's server on this host, and the keys."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = _gigabyte("folder", (folder / "store").as_uri(), "put", "get")
        process, endpoint = s3.started(folder / "moto.log")
        try:
            server = s3.S3Server(endpoint=endpoint, pid=process.pid)
            client = server.client()
            client.create_bucket(Bucket=s3.BUCKET)
            client.close()
            found += _gigabyte("S3 (moto)", server.url(""), "put")
        finally:
            s3.stopped(process)
        found += _from_a_bucket()
        found.append(_beside_plain_writing(folder))
        rates = asyncio.run(_keys_a_second(folder))
    found.append(
        Figure(
            work="API keys recognised, one after another, SQLite",
            ours=f"{rates['warm']:.0f}/s remembered, {rates['cold']:.0f}/s looked up",
            bar=f"at least {_KEYS_A_SECOND}/s remembered",
            met=rates["warm"] >= _KEYS_A_SECOND,
        )
    )
    return found
