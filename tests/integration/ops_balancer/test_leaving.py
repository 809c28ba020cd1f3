"""Behind a real nginx, an instance that leaves under load costs no request, and streams go on elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from tests.servers.gateway import MemoryPlatform
from tests.servers.nginx import Instance, balancer_folder, instances, own_nginx, until
from tests.servers.redis import free_port
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from quetzalcore.database import open_database
from quetzalcore.jobs.model import JobRequest
from quetzalcore.jobs.sql import SqlInstanceBook
from quetzalcore.ops.balancer.following import Balancing
from quetzalcore.ops.balancer.nginx import Nginx
from quetzalcore.ops.balancer.options import Limits, Upstream

__all__ = ["balancer_folder"]  # a fixture

_DRAIN_S = 2.0  # the balancer looks twice a second, and takes a fifth of one to change
_CONNECTIONS = 6
_SERVICE_RESTART = 1012
SECRET = "sesame"  # noqa: S105 -- of nobody


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Load:
    """Clients that read and write over kept connections until they are told to end."""

    port: int
    head: str
    jobs: list[str]
    over: asyncio.Event = field(default_factory=asyncio.Event)
    counts: Counter[str] = field(default_factory=Counter)

    async def client(self, number: int) -> None:
        """Ask again and again; a kept connection found closed is opened anew once, as HTTP says to."""
        connection = await asyncio.open_connection("127.0.0.1", self.port)
        while not self.over.is_set():
            number += 1
            answer = await self._ask(connection, number)
            if not answer:
                self.counts["reopened"] += 1
                connection = await self._anew(connection)
                answer = await self._ask(connection, number)
            good = answer.startswith((b"200", b"201"))
            self.counts["good" if good else f"bad {answer!r}"] += 1
            if answer.endswith(b"close"):
                connection = await self._anew(connection)
        connection[1].close()
        await connection[1].wait_closed()

    async def _anew(self, connection: Connection) -> Connection:
        with contextlib.suppress(ConnectionError):
            connection[1].close()
            await connection[1].wait_closed()
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def _ask(self, connection: Connection, number: int) -> bytes:
        """Give the status, and whether the connection closes; nothing where it was closed."""
        reader, writer = connection
        body = b'{"kind":"noop"}' if number % 2 else b""
        what = f"GET /api/jobs/{self.jobs[number % len(self.jobs)]}"
        if body:
            what = "POST /api/jobs"
        named = f"Idempotency-Key: {id(self)}-{number}\r\nContent-Type: application/json\r\n"
        head = f"{what} HTTP/1.1\r\n{self.head}{named if body else ''}Content-Length: {len(body)}\r\n\r\n"
        try:
            writer.write(head.encode() + body)
            got = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(got.partition(b"content-length: ")[2].split(b"\r\n")[0]))
        except (ConnectionError, asyncio.IncompleteReadError):
            return b""
        return got.split()[1] + (b" close" if b"\r\nconnection: close" in got else b"")


def test_an_instance_that_leaves_under_load_costs_no_request(balancer_folder) -> None:
    asyncio.run(_leave_under_load(balancer_folder))


async def _leave_under_load(folder: Path) -> None:
    async with _platform(folder) as (platform, nginx, port):
        load = await _load(platform, port)
        with instances(folder, "leaves", "stays", drain_s=_DRAIN_S) as (leaves, stays):
            await _served(nginx, leaves, stays)
            clients = [asyncio.create_task(load.client(1000 * n)) for n in range(_CONNECTIONS)]
            await until(lambda: load.counts["good"] > 100)
            leaves.process.send_signal(signal.SIGTERM)
            await until(lambda: leaves.process.poll() is not None)
            after = load.counts["good"]
            await until(lambda: load.counts["good"] > after + 100)
            load.over.set()
            await asyncio.gather(*clients)
        assert set(load.counts) <= {"good", "reopened"}, load.counts
        assert (leaves.process.returncode, stays.process.returncode) == (0, 0)


@pytest.mark.faults
def test_an_instance_that_is_killed_under_load_costs_at_most_one_request_in_ten_thousand(
    balancer_folder,
) -> None:
    load = asyncio.run(_killed_under_load(balancer_folder))
    bad = load.counts.total() - load.counts["good"] - load.counts["reopened"]
    assert bad <= load.counts["good"] / 10_000, load.counts


async def _killed_under_load(folder: Path) -> Load:
    async with _platform(folder) as (platform, nginx, port):
        load = await _load(platform, port)
        with instances(folder, "dies", "stays") as (dies, stays):
            await _served(nginx, dies, stays)
            clients = [asyncio.create_task(load.client(1000 * n)) for n in range(_CONNECTIONS)]
            await until(lambda: load.counts["good"] > 500)
            dies.process.kill()
            await until(lambda: f":{dies.port} " not in nginx._config.read_text())
            after = load.counts["good"]
            await until(lambda: load.counts["good"] > after + 500)
            load.over.set()
            await asyncio.gather(*clients)
        return load


async def _load(platform: MemoryPlatform, port: int) -> Load:
    shown = "".join(f"{name}: {value}\r\n" for name, value in _shown(platform).items())
    return Load(port, f"Host: x\r\n{shown}", [await _job(platform) for _ in range(10)])


def test_streams_end_cleanly_and_go_on_at_another_instance(balancer_folder) -> None:
    asyncio.run(_stream_across(balancer_folder))


async def _stream_across(folder: Path) -> None:
    async with _platform(folder) as (platform, nginx, port):
        job = await _job(platform)
        attempt = await platform.begin(job)
        url = f"http://127.0.0.1:{port}/api/jobs/{job}/events"
        with instances(folder, "leaves", drain_s=1.5) as (leaves,):
            await _served(nginx, leaves)
            async with (
                _streaming(url, _shown(platform)) as lines,
                connect(f"ws://127.0.0.1:{port}/ws", additional_headers=_shown(platform)) as socket,
            ):
                await platform.tell(job, attempt, "progress", {"stage": "one", "fraction": 0.1})
                heard = [await anext(lines)]
                while '"one"' not in heard[-1]:
                    heard.append(await anext(lines))
                with instances(folder, "stays") as (stays,):
                    await _served(nginx, stays)
                    leaves.process.send_signal(signal.SIGTERM)
                    heard += [line async for line in lines]  # ends as HTTP does, or this raises
                    assert heard[-2:] == ["retry: 200", ""]
                    assert await _closing_code(socket) == _SERVICE_RESTART
                    await platform.tell(job, attempt, "progress", {"stage": "two", "fraction": 0.2})
                    await platform.succeed(job, attempt, {})
                    last = {"Last-Event-ID": str(max(_numbers(heard)))}
                    async with _streaming(url, _shown(platform) | last) as more:
                        rest = [line async for line in more]
        numbers = _numbers(heard + rest)
        assert numbers == list(range(1, len(numbers) + 1))  # nothing twice, nothing lost
        assert any('"two"' in line for line in rest)


@contextlib.asynccontextmanager
async def _streaming(url: str, headers: dict[str, str]) -> AsyncIterator[AsyncIterator[str]]:
    async with (
        httpx.AsyncClient(timeout=20) as client,
        client.stream("GET", url, headers=headers) as stream,
    ):
        yield stream.aiter_lines()


async def _closing_code(socket: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        await socket.recv()
    return closed.value.rcvd.code if closed.value.rcvd else 0


def _numbers(lines: list[str]) -> list[int]:
    return [int(line[4:]) for line in lines if line.startswith("id: ")]


def _shown(platform: MemoryPlatform) -> dict[str, str]:
    return {**platform.headers("ada"), "X-Balancer-Exempt": SECRET}


@contextlib.asynccontextmanager
async def _platform(folder: Path) -> AsyncIterator[tuple[MemoryPlatform, Nginx, int]]:
    """Give people and jobs, and an nginx that follows the book of instances."""
    port = free_port()
    database = await open_database(f"sqlite:///{folder / 'ledger.db'}")
    platform = await MemoryPlatform.build(database=database)
    try:
        limits = Limits(exempt_secret=SECRET)
        async with own_nginx(folder / "nginx", port, limits=limits, shutdown_s=20) as nginx:
            following = asyncio.create_task(
                Balancing(SqlInstanceBook(database), nginx, clock=_now).run()
            )
            async with asyncio.timeout(90):
                yield platform, nginx, port
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    finally:
        await platform.parts.identity.close()
        await database.close()


async def _served(nginx: Nginx, *instances: Instance) -> None:
    """Wait until new requests may go to these."""
    config = nginx._config
    await until(
        lambda: (
            config.exists()
            and all(f":{each.port} max_fails" in config.read_text() for each in instances)
        )
    )
    written = await asyncio.to_thread(config.read_text)
    assert await nginx.apply(_named(written)) is False  # returns once that is what is served


def _named(config: str) -> tuple[Upstream, ...]:
    return tuple(Upstream(address=each) for each in re.findall(r"server (\S+) max_fails", config))


async def _job(platform: MemoryPlatform) -> str:
    request = JobRequest(
        tenant="acme", user="ada", kind="noop", kind_version="1", run="x:y", params={}
    )
    job, _ = await platform.ledger.submit(request, now=_now())
    return job.id


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
