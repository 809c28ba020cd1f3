"""A real nginx: what it serves, what it refuses, how it is told, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from tests.servers.nginx import balancer_folder, own_nginx, until
from tests.servers.redis import free_port

from quetzalcore.errors import BadParameter
from quetzalcore.ops.balancer.nginx import BalancerRefused, Nginx, nginx_version
from quetzalcore.ops.balancer.options import Limits, Tls, Upstream

__all__ = ["balancer_folder"]  # a fixture

SECRET = "sesame"  # noqa: S105 -- of nobody


@dataclass
class Backend:
    """An instance that remembers the heads of its requests and answers, or breaks off, as a test says."""

    breaks: bool = False
    status: int = 200
    heads: list[str] = field(default_factory=list)
    address: str = ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                length = head.lower().partition("content-length: ")[2].partition("\r")[0]
                await reader.readexactly(int(length or 0))
                if self.breaks:
                    break
                writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 2\r\n\r\nok".encode())
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def backends(number: int) -> AsyncIterator[list[Backend]]:
    found = [Backend() for _ in range(number)]
    async with contextlib.AsyncExitStack() as stack:
        for each in found:
            server = await asyncio.start_server(each.talk, "127.0.0.1", 0)
            stack.callback(server.close)
            each.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield found


Scenario = Callable[[Nginx, httpx.AsyncClient, list[Backend]], Awaitable[None]]


def play(folder: Path, scenario: Scenario, **changes: object) -> None:
    async def main() -> None:
        port = free_port()
        async with (
            backends(2) as found,
            own_nginx(folder, port, **changes) as nginx,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
        ):
            async with asyncio.timeout(30):
                await scenario(nginx, client, found)

    asyncio.run(main())


def _upstreams(found: list[Backend]) -> tuple[Upstream, ...]:
    return tuple(Upstream(address=each.address) for each in found)


def test_without_instances_a_problem_document_is_the_answer(balancer_folder) -> None:
    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        assert await nginx.apply(())
        for path in ("/", "/api/jobs/x/events", "/ws", "/api/uploads"):
            answer = await client.post(
                path, headers={"X-Request-ID": "mine", "Idempotency-Key": "k"}
            )
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"] == "2"
            said = answer.json()
            assert (said["status"], said["code"], said["request_id"]) == (
                503,
                "unavailable",
                "mine",
            )
            assert "/" not in answer.headers["server"]

    play(balancer_folder, scenario)


def test_a_change_is_served_when_it_returns_and_the_same_again_is_none(balancer_folder) -> None:
    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        for one in (found[0], found[1], found[0]):
            assert await nginx.apply(_upstreams([one]))
            assert not await nginx.apply(_upstreams([one]))
            before = len(one.heads)
            async with httpx.AsyncClient(base_url=client.base_url) as fresh:
                assert (await fresh.get("/x")).text == "ok"
            assert len(one.heads) == before + 1
        await nginx.apply(_upstreams(found))
        were = [len(each.heads) for each in found]
        for _ in range(20):
            await client.get("/x")
        assert [len(each.heads) - was for each, was in zip(found, were, strict=True)] == [10, 10]

    play(balancer_folder, scenario)


def test_a_configuration_that_does_not_pass_is_not_put_in_place(balancer_folder) -> None:
    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        await nginx.apply(_upstreams(found[:1]))
        served, config = await nginx.serves(), (balancer_folder / "nginx.conf").read_text()
        with pytest.raises(BalancerRefused, match=r"host not found|invalid"):
            await nginx.apply((Upstream(address="999.1.1.1:1"),))
        assert await nginx.serves() == served
        assert (balancer_folder / "nginx.conf").read_text() == config
        assert (await client.get("/x")).status_code == 200
        assert (balancer_folder / "nginx.conf").stat().st_mode & 0o777 == 0o600

    play(balancer_folder, scenario)


def test_an_address_that_is_taken_is_told_and_nothing_is_left_running(balancer_folder) -> None:
    async def main() -> None:
        async with backends(1) as found:
            port = int(found[0].address.rpartition(":")[2])
            async with own_nginx(balancer_folder, port) as nginx:
                with pytest.raises(BalancerRefused, match="Address already in use"):
                    await nginx.apply(())
                assert nginx.master() is None

    asyncio.run(main())


def test_a_host_without_nginx_is_told_so() -> None:
    with pytest.raises(BadParameter, match="no nginx"):
        asyncio.run(nginx_version("/nowhere/nginx"))


def test_one_that_was_left_running_is_taken_over_and_one_that_was_killed_is_replaced(
    balancer_folder,
) -> None:
    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        await nginx.apply(_upstreams(found[:1]))
        first = nginx.master()
        assert first is not None
        successor = Nginx(nginx._options)
        assert not await successor.apply(_upstreams(found[:1]))
        assert await successor.apply(_upstreams(found))
        assert successor.master() == first
        workers = first.children()
        os.kill(first.pid, signal.SIGKILL)
        for worker in workers:  # they hold the address until they are gone
            worker.kill()
        await until(lambda: nginx.master() is None)
        assert await nginx.apply(_upstreams(found))
        assert (await client.get("/x")).text == "ok"

    play(balancer_folder, scenario)


def test_addresses_that_a_client_claims_are_overwritten(balancer_folder) -> None:
    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        await nginx.apply(_upstreams(found[:1]))
        claims = {
            "X-Forwarded-For": "6.6.6.6",
            "X-Forwarded-Proto": "https",
            "X-Real-IP": "6.6.6.6",
            "Forwarded": "for=6.6.6.6",
            "X-Balancer-Exempt": SECRET,
            "X-Request-ID": 'not "well" formed',
        }
        await client.get("/x", headers=claims)
        head = found[0].heads[-1]
        assert "X-Forwarded-For: 127.0.0.1\r\n" in head
        assert "X-Forwarded-Proto: http\r\n" in head
        assert f"Host: {client.base_url.netloc.decode()}\r\n" in head
        assert head.startswith("GET /x HTTP/1.1\r\n")
        for never in ("6.6.6.6", SECRET, "well", "Connection:"):
            assert never not in head

    play(balancer_folder, scenario)


def test_a_broken_instance_costs_reads_and_named_changes_nothing(balancer_folder) -> None:
    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        await nginx.apply(_upstreams(found))
        found[0].breaks = True
        for method, headers in (("GET", {}), ("POST", {"Idempotency-Key": "k"})):
            answers = [await client.request(method, "/x", headers=headers) for _ in range(2)]
            assert [answer.status_code for answer in answers] == [200, 200], method
        assert found[0].heads

    play(balancer_folder, scenario)


def test_a_change_without_a_name_is_sent_once(balancer_folder) -> None:
    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        await nginx.apply(_upstreams(found))
        for each in found:
            each.breaks = True
        answer = await client.post("/x", content=b"{}")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert len(found[0].heads) + len(found[1].heads) == 1

    play(balancer_folder, scenario)


def test_an_instance_that_says_503_is_heard_and_stays(balancer_folder) -> None:
    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        await nginx.apply(_upstreams(found))
        found[0].status = found[1].status = 503
        answers = [(await client.get("/x")).text for _ in range(20)]
        assert answers == ["ok"] * 20  # its own words, from each of them
        assert {len(each.heads) for each in found} == {10}

    play(balancer_folder, scenario)


def test_limits_by_address_hold_all_but_those_who_know_the_secret(balancer_folder) -> None:
    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        await nginx.apply(_upstreams(found))
        statuses = [(await client.get("/x")).status_code for _ in range(12)]
        assert statuses.count(429) >= 5
        refused = await client.get("/x")
        assert (refused.json()["code"], refused.headers["retry-after"]) == (
            "too_many_requests",
            "1",
        )
        exempt = {"X-Balancer-Exempt": SECRET}
        free = [(await client.get("/x", headers=exempt)).status_code for _ in range(12)]
        assert free == [200] * 12
        wrong = await client.get("/x", headers={"X-Balancer-Exempt": "guess"})
        assert wrong.status_code == 429

    limits = Limits(requests_per_s=1, burst=4, exempt_secret=SECRET)
    play(balancer_folder, scenario, limits=limits)


def test_bodies_are_held_to_their_limits_and_uploads_to_their_own(balancer_folder) -> None:
    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        await nginx.apply(_upstreams(found))
        body = b"x" * (2 << 20)
        refused = await client.post("/api/jobs", content=body)
        assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
        for path in ("/api/uploads", "/api/uploads/abc", "/api/mining/mag-survey"):
            assert (await client.post(path, content=body)).status_code == 200

    play(balancer_folder, scenario, limits=Limits(body_mib=1, upload_mib=8))


def test_slow_headers_end_the_connection(balancer_folder) -> None:
    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        await nginx.apply(_upstreams(found))
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):  # that is how it is ended
                assert await reader.read() == b""
        writer.close()

    play(balancer_folder, scenario, limits=Limits(header_s=1))


def test_metrics_are_for_those_inside(balancer_folder) -> None:
    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        await nginx.apply(_upstreams(found))
        assert (await client.get("/metrics")).status_code == 403
        assert (await client.get("/health")).status_code == 200

    play(balancer_folder, scenario, metrics_from=("10.0.0.0/8",))


def test_the_log_tells_times_and_hides_secrets_and_begins_anew(balancer_folder) -> None:
    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        await nginx.apply(_upstreams(found[:1]))
        await client.get("/x?token=hidden", headers={"X-Request-ID": "mine"})
        await client.get("/api/blobs/hidden")
        log = balancer_folder / "access.log"
        first, second = map(json.loads, await _lines(log, 2))
        assert (first["path"], first["status"], first["request_id"]) == ("/x", 200, "mine")
        assert first["upstream"] == found[0].address
        assert min(float(first["request_s"]), float(first["upstream_s"])) >= 0
        assert second["path"] == "/api/blobs/..."
        assert "hidden" not in log.read_text()
        assert not await nginx.rotate(most_bytes=10_000)
        assert await nginx.rotate(most_bytes=10)
        await until(log.exists)
        await client.get("/later")
        (line,) = await _lines(log, 1)
        assert json.loads(line)["path"] == "/later"
        assert "/later" not in (balancer_folder / "access.log.1").read_text()

    play(balancer_folder, scenario)


def test_tls_is_served_plain_requests_are_sent_there_and_challenges_are_answered(
    balancer_folder,
) -> None:
    port = free_port()
    key, certificate = balancer_folder / "key.pem", balancer_folder / "cert.pem"
    _certify(key, certificate)
    acme = balancer_folder / "acme" / ".well-known" / "acme-challenge"
    acme.mkdir(parents=True)
    (acme / "token").write_text("proof")

    async def scenario(nginx: Nginx, client: httpx.AsyncClient, found: list[Backend]) -> None:
        await nginx.apply(_upstreams(found))
        sent = await client.post("/api/jobs?a=b")
        assert sent.status_code == 308
        assert sent.headers["location"] == f"https://127.0.0.1:{port}/api/jobs?a=b"
        assert (await client.get("/.well-known/acme-challenge/token")).text == "proof"
        async with httpx.AsyncClient(verify=False) as secure:  # noqa: S501 -- a certificate of our own
            answer = await secure.get(f"https://127.0.0.1:{port}/x")
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert "X-Forwarded-Proto: https\r\n" in (found[0].heads + found[1].heads)[-1]
        old = await asyncio.to_thread(_speak_tls_1_1, port)
        assert old.returncode != 0
        assert not await nginx.apply(_upstreams(found))
        _certify(key, certificate)
        assert await nginx.apply(_upstreams(found))  # a renewed certificate is a change

    tls = Tls(listen=(f"127.0.0.1:{port}",), certificate=certificate, private_key=key)
    play(balancer_folder, scenario, tls=tls, acme_folder=balancer_folder / "acme")


async def _lines(log: Path, number: int) -> list[str]:
    """Wait until the log has so many lines; nginx writes it once a second."""
    await until(lambda: log.exists() and len(log.read_text().splitlines()) >= number)
    return (await asyncio.to_thread(log.read_text)).splitlines()


def _speak_tls_1_1(port: int) -> subprocess.CompletedProcess[bytes]:
    command = ("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_1")
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)


def _certify(key: Path, certificate: Path) -> None:
    command = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    files = ("-nodes", "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost")
    subprocess.run((*command, *files), check=True, capture_output=True)
