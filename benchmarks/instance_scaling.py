"""Gateway instances that come, go and die behind nginx under constant load: what clients notice of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.own_platform import admin_key, free_port
from benchmarks.race import Figure

_CLIENTS = 24
_PAUSE_S = 0.2  # from one request of a client to its next: a constant load
_STREAMS = 8
_PATIENCE_S = 180.0
_CALM_S = 4.0
_KILLS = 2
_PER_KILL_S = 90.0
_ALLOWED = 1e-4
_UPLOAD = b"easting,northing,tmi\n1,2,3\n"


@dataclass(kw_only=True)
class _Seen:
    """What the clients saw.

    ``resent`` counts requests on a kept connection that was closed without a word and were sent again on a
    new one, as RFC 9112 (9.3.1) has it: reads, and posts with an ``Idempotency-Key``.
    """

    requests: int = 0
    posts: int = 0
    resent: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    reconnects: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0

    @property
    def failed(self) -> int:
        """How many requests failed."""
        return self.failures.total()


def figures() -> list[Figure]:
    """Measure scaling with a rolling restart, and killed instances."""
    return [asyncio.run(_scaled()), asyncio.run(_killed())]


async def _scaled() -> Figure:
    async with _platform() as platform:
        seen = _Seen()
        async with _load(platform, seen):
            await asyncio.sleep(_CALM_S)
            for count in (8, 2):
                await platform.scale(count)
                await asyncio.sleep(_CALM_S)
            began = time.monotonic()
            await platform.quetzal("restart")
            restart_s = time.monotonic() - began
            await asyncio.sleep(_CALM_S)
    broken = seen.broken.total()
    return Figure(
        work="instances 3 -> 8 -> 2, then a rolling restart "
        f"({restart_s:.0f} s): {seen.requests:,} requests at {_CLIENTS / _PAUSE_S:.0f}/s at most, "
        f"{seen.posts:,} of them POST, {_STREAMS} SSE streams",
        ours=f"{seen.failed} failed{_told(seen.failures)}, {seen.resent} sent again; "
        f"{broken} streams broken{_told(seen.broken)}, {seen.reconnects} clean reconnects; "
        f"slowest {seen.slowest_s:.2f} s",
        bar="0 failed, 0 streams broken beyond a clean reconnect",
        met=not seen.failed and not broken and seen.reconnects > 0,
    )


async def _killed() -> Figure:
    async with _platform() as platform:
        seen = _Seen()
        async with _load(platform, seen, streams=0):
            await asyncio.sleep(_CALM_S)
            for _ in range(_KILLS):
                os.kill(platform.an_instance(), signal.SIGKILL)
                await asyncio.sleep(_PER_KILL_S)
    share = seen.failed / max(1, seen.requests)
    return Figure(
        work=f"{_KILLS} x kill -9 of one of 3 instances: {seen.requests:,} requests, {seen.posts:,} of them POST",
        ours=f"{seen.failed} failed{_told(seen.failures)} ({1e4 * share:.1f} in 10,000), "
        f"{seen.resent} sent again; slowest {seen.slowest_s:.2f} s",
        bar="at most 1 in 10,000 fails",
        met=share <= _ALLOWED,
    )


@dataclass(frozen=True, kw_only=True)
class _Platform:
    folder: Path
    environment: dict[str, str]
    url: str
    headers: dict[str, str]

    async def quetzal(self, *arguments: str) -> str:
        """Run a command to its end."""
        return await _ran(self.environment, Path(sys.executable).with_name("quetzal"), *arguments)

    async def scale(self, count: int) -> None:
        """Ask for so many instances, and wait until there are exactly as many."""
        await self.quetzal("scale", f"instances={count}")
        give_up_at = time.monotonic() + _PATIENCE_S
        async with httpx.AsyncClient(base_url=self.url, headers=self.headers) as client:
            while time.monotonic() < give_up_at:
                status = (await client.get("/api/autoscaler/status")).json()
                there = status["targets"]["instances"]
                if there and there["ready"] == count and not there["starting"] + there["draining"]:
                    return
                await asyncio.sleep(0.25)
        message = f"there were never {count} instances"
        raise TimeoutError(message)

    def an_instance(self) -> int:
        """Give the process of an instance that serves."""
        program = Path(sys.executable).with_name("quetzal")
        said = subprocess.run(
            (program, "status", "--json"),
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
        ).stdout
        processes = json.loads(said)["processes"]
        ready = [p for p in processes if p["name"].startswith("gateway") and p["state"] == "ready"]
        return int(ready[0]["pid"])


async def _ran(environment: dict[str, str], program: Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        program, *arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    said, errors = await process.communicate()
    if process.returncode:
        message = (
            f"quetzal {' '.join(arguments)} ended with {process.returncode}: {errors.decode()}"
        )
        raise RuntimeError(message)
    return said.decode()


@contextlib.asynccontextmanager
async def _platform() -> AsyncIterator[_Platform]:
    with tempfile.TemporaryDirectory(prefix="qz-bench-") as name:
        folder = Path(name)
        environment = {
            **os.environ,
            "QUETZAL_DATA_DIR": name,
            "QUETZAL_PORT": str(free_port()),
            "QUETZAL_MASTER_PORT": str(free_port()),
            "QUETZAL_WARM_NUMERIC": "0",
            "QUETZAL_RATE_LIMIT": "1000000/minute",
            "QUETZAL_BALANCER": "nginx",
            "SCALING_MIN_INSTANCES": "2",
            "SCALING_SCALE_UP_COOLDOWN": "600",
        }
        program = Path(sys.executable).with_name("quetzal")
        await _ran(environment, program, "up", "--instances", "3", "--workers", "1")
        try:
            yield _Platform(
                folder=folder,
                environment=environment,
                url=json.loads((folder / "run/platform.json").read_text())["url"],
                headers={
                    "Authorization": f"Bearer {admin_key(folder)}",
                    "X-Balancer-Exempt": (folder / "balancer-exempt").read_text().strip(),
                },
            )
        finally:
            await _ran(environment, program, "down")


@contextlib.asynccontextmanager
async def _load(
    platform: _Platform, seen: _Seen, *, streams: int = _STREAMS
) -> AsyncIterator[None]:
    """Read and post at a constant rate, and listen to streams, while the block runs."""
    async with httpx.AsyncClient(base_url=platform.url, headers=platform.headers) as client:
        job = {"kind": "noop", "params": {"sleep_s": 3600.0}, "wall_s": 7200.0}
        answer = await client.post("/api/jobs", json=job)
        answer.raise_for_status()
        job_id = answer.json()["id"]
    stop = asyncio.Event()
    work = [_client(platform, seen, job_id, number, stop) for number in range(_CLIENTS)]
    clients = [asyncio.create_task(each) for each in work]
    listeners = [asyncio.create_task(_stream(platform, seen, job_id)) for _ in range(streams)]
    try:
        yield
    finally:
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
        stop.set()
        await asyncio.gather(*clients)


async def _client(
    platform: _Platform, seen: _Seen, job_id: str, number: int, stop: asyncio.Event
) -> None:
    """Send a read, a keyed post, a read, a plain post, ... over one kept connection."""
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
    async with httpx.AsyncClient(
        base_url=platform.url, headers=platform.headers, limits=limits, timeout=30.0
    ) as client:

        async def read() -> httpx.Response:
            return await client.get(f"/api/jobs/{job_id}")

        async def keyed() -> httpx.Response:
            headers = {"Idempotency-Key": f"client-{number}"}
            body = {"kind": "noop", "params": {"echo": str(number)}}
            return await client.post("/api/jobs", json=body, headers=headers)

        async def plain() -> httpx.Response:
            return await client.post("/api/uploads?filename=a.csv", content=_UPLOAD)

        await asyncio.sleep(_PAUSE_S * number / _CLIENTS)
        due = time.monotonic()
        while not stop.is_set():
            for send, again in ((read, True), (keyed, True), (read, True), (plain, False)):
                await _send(send, seen, again=again)
                seen.posts += send is not read
                due = max(due + _PAUSE_S, time.monotonic())
                await asyncio.sleep(due - time.monotonic())


async def _send(send: Callable[[], Awaitable[httpx.Response]], seen: _Seen, *, again: bool) -> None:
    began = time.monotonic()
    seen.requests += 1
    try:
        try:
            answer = await send()
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if not again:
                raise
            seen.resent += 1
            answer = await send()
        if not answer.is_success:
            seen.failures[f"{answer.request.method} {answer.status_code}"] += 1
    except httpx.HTTPError as error:
        seen.failures[f"{error.request.method} {type(error).__name__}"] += 1
    seen.slowest_s = max(seen.slowest_s, time.monotonic() - began)


async def _stream(platform: _Platform, seen: _Seen, job_id: str) -> None:
    """Follow a job's events; where a stream ends in order, go on after the last of them."""
    last = ""
    async with httpx.AsyncClient(
        base_url=platform.url, headers=platform.headers, timeout=30.0
    ) as client:
        while True:
            last = await _follow(client, seen, job_id, last)


async def _follow(client: httpx.AsyncClient, seen: _Seen, job_id: str, last: str) -> str:
    headers = {"Last-Event-ID": last} if last else {}
    try:
        async with client.stream("GET", f"/api/jobs/{job_id}/events", headers=headers) as answer:
            if not answer.is_success:
                seen.broken[str(answer.status_code)] += 1
                await asyncio.sleep(_PAUSE_S)
                return last
            async for line in answer.aiter_lines():
                if line.startswith("id:"):
                    number = line.removeprefix("id:").strip()
                    if last and int(number) <= int(last):
                        seen.broken["an event twice"] += 1
                    last = number
            seen.reconnects += 1
    except httpx.HTTPError as error:
        seen.broken[type(error).__name__] += 1
    return last


def _told(counts: Counter[str]) -> str:
    return f" ({', '.join(f'{n} {what}' for what, n in counts.items())})" if counts else ""
