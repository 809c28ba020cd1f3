"""One gateway instance over SQLite and a folder: authenticated job reads, and a 1 GB upload's memory."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import uvloop

from benchmarks.race import Figure
from quetzalcore.cli.logs import configure_logs
from quetzalcore.database import open_database
from quetzalcore.gateway import GatewayParts, create_app, listen, serve
from quetzalcore.identity.limits import RateLimiter, parse_rules
from quetzalcore.identity.model import Role
from quetzalcore.identity.sql import open_identity_store
from quetzalcore.jobs.model import JobRequest
from quetzalcore.jobs.sql import (
    SqlInstanceBook,
    SqlNodeBook,
    SqlScalingBook,
    SqlUploads,
    open_ledger,
)
from quetzalcore.jobs.stores.folder import FolderStore
from quetzalcore.workloads.catalog import catalog

_READS_PER_S = 1000
_CONNECTIONS = 32
_SECONDS = 5.0
_JOBS = 500
_GIB = 2**30
_UPLOAD_MIB = 64.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    port: int
    key: str
    jobs: tuple[str, ...]
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    reads: int
    per_s: float
    p50_ms: float
    p95_ms: float


def figures() -> list[Figure]:
    """Start an instance in its own process, read jobs from another, then upload 1 GB to it."""
    with _server() as served:
        before_s = _cpu_s(served.pid)
        load = _load(served)
        cpu_ms = 1000 * (_cpu_s(served.pid) - before_s) / load.reads
        whole_mib, rate = _upload(served, resumable=False)
        parts_mib, parts_rate = _upload(served, resumable=True)
    return [
        Figure(
            work=f"GET /api/jobs/ID by key, {_JOBS} jobs, {_CONNECTIONS} connections, SQLite",
            ours=f"{load.per_s:,.0f}/s, p50 {load.p50_ms:.1f} ms, p95 {load.p95_ms:.1f} ms,"
            f" {cpu_ms:.2f} ms of CPU each",
            bar=f"at least {_READS_PER_S:,}/s on one instance",
            met=load.per_s >= _READS_PER_S,
        ),
        Figure(
            work="1 GiB upload as one body, growth of the instance's peak memory",
            ours=f"{whole_mib:.0f} MiB at {rate:.0f} MiB/s",
            bar=f"at most {_UPLOAD_MIB:.0f} MiB",
            met=whole_mib <= _UPLOAD_MIB,
        ),
        Figure(
            work="1 GiB upload in resumable requests of 128 MiB, growth of the peak memory",
            ours=f"{parts_mib:.0f} MiB at {parts_rate:.0f} MiB/s",
            bar=f"at most {_UPLOAD_MIB:.0f} MiB",
            met=parts_mib <= _UPLOAD_MIB,
        ),
    ]


@contextlib.contextmanager
def _server() -> Iterator[_Served]:
    folder = Path(tempfile.mkdtemp(prefix="quetzal-bench-"))
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.gateway", "serve", str(folder)],
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("w"),
        text=True,
    )
    try:
        assert server.stdout is not None
        said = json.loads(server.stdout.readline())
        yield _Served(port=said["port"], key=said["key"], jobs=tuple(said["jobs"]), pid=server.pid)
    finally:
        server.terminate()
        server.communicate(timeout=30)
        shutil.rmtree(folder)


def _load(served: _Served) -> _Load:
    """Read from a process of its own."""
    work = json.dumps({"port": served.port, "key": served.key, "jobs": served.jobs})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gateway", "load"],
        input=work,
        capture_output=True,
        text=True,
        check=True,
    )
    return _Load(**json.loads(done.stdout))


def _upload(served: _Served, *, resumable: bool) -> tuple[float, float]:
    """Give the growth of the peak in MiB, and MiB/s."""
    before = _peak_mib(served.pid)
    began = time.perf_counter()
    asyncio.run(_send(served, resumable=resumable))
    took_s = time.perf_counter() - began
    return _peak_mib(served.pid) - before, 1024 / took_s


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


async def _send(served: _Served, *, resumable: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    common = f"Host: x\r\nAuthorization: Bearer {served.key}\r\n"
    try:
        if not resumable:
            await _request(reader, writer, f"POST /api/uploads HTTP/1.1\r\n{common}", _GIB)
            return
        body = json.dumps({"filename": "big.bin", "size": _GIB}).encode()
        head = f"POST /api/uploads HTTP/1.1\r\n{common}Content-Type: application/json\r\n"
        upload = json.loads(await _request(reader, writer, head, len(body), body))
        for offset in range(0, _GIB, _GIB // 8):
            head = (
                f"PATCH /api/uploads/{upload['id']} HTTP/1.1\r\n{common}Upload-Offset: {offset}\r\n"
            )
            upload = json.loads(await _request(reader, writer, head, _GIB // 8))
        assert upload["complete"], upload
    finally:
        writer.close()
        await writer.wait_closed()


async def _request(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    head: str,
    size: int,
    body: bytes | None = None,
) -> bytes:
    writer.write(f"{head}Content-Length: {size}\r\n\r\n".encode())
    piece = bytes(2**20) if body is None else body
    for _ in range(size // len(piece)):
        writer.write(piece)
        await writer.drain()
    return await _answer(reader)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 20"), head
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return await reader.readexactly(length)


async def _read_jobs(port: int, key: str, jobs: list[str]) -> _Load:
    times: list[float] = []
    until = time.perf_counter() + _SECONDS

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (began := time.perf_counter()) < until:
            number += 1
            job = jobs[number * 7 % len(jobs)]
            writer.write(
                f"GET /api/jobs/{job} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
            )
            await _answer(reader)
            times.append(time.perf_counter() - began)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one(each) for each in range(_CONNECTIONS)))
    times.sort()
    return _Load(
        reads=len(times),
        per_s=len(times) / _SECONDS,
        p50_ms=1000 * times[len(times) // 2],
        p95_ms=1000 * times[int(0.95 * len(times))],
    )


async def _serve(folder: Path) -> None:
    """Run the instance on its database and its store, with its log, as ``quetzal gateway`` does."""
    configure_logs(level="info", as_json=True)
    database = await open_database(f"sqlite:///{folder / 'ledger.db'}")
    identity = await open_identity_store(database)
    try:
        parts = GatewayParts(
            ledger=await open_ledger(database),
            uploads=SqlUploads(database),
            nodes=SqlNodeBook(database),
            instances=SqlInstanceBook(database),
            scaling=SqlScalingBook(database),
            store=FolderStore(folder / "artifacts"),
            identity=identity,
            limiter=RateLimiter(
                "memory://",
                parse_rules({"requests": "100000000/minute", "login": "10/minute"}),
            ),
            kinds=catalog(),
            secret=b"a secret of a benchmark",
            clock=_now,
            version="bench",
        )
        said = await _filled(parts)
        listener = listen("127.0.0.1", 0)
        said["port"] = listener.getsockname()[1]
        await serve(
            create_app(parts), listener, on_ready=lambda: print(json.dumps(said), flush=True)
        )
    finally:
        await identity.close()
        await database.close()


async def _filled(parts: GatewayParts) -> dict[str, object]:
    """Add a user with a key, and jobs."""
    await parts.identity.add_user(
        "bench", tenant="bench", role=Role.ANALYST, password=None, now=_now()
    )
    _, key = await parts.identity.create_key("bench", now=_now())
    request = JobRequest(
        tenant="bench", user="bench", kind="noop", kind_version="1", run="x:y", params={"echo": ""}
    )
    jobs = [(await parts.ledger.submit(request, now=_now()))[0].id for _ in range(_JOBS)]
    return {"key": key, "jobs": jobs}


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _main(role: str) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if role == "serve":
            runner.run(_serve(Path(sys.argv[2])))
        else:
            print(json.dumps(asdict(runner.run(_read_jobs(**json.load(sys.stdin))))))


if __name__ == "__main__":
    _main(sys.argv[1])
