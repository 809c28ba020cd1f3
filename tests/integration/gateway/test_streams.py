"""Events over real sockets: SSE and WebSocket, broken off and resumed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.servers.gateway import PASSWORD, LiveGateway, live
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from quetzalcore.identity.limits import RateLimiter, parse_rules


@pytest.fixture(scope="module")
def gateway() -> Iterator[LiveGateway]:
    with live(heartbeat_s=0.3) as server:
        yield server


def _submit(gateway: LiveGateway, who: str = "ada") -> str:
    answer = httpx.post(
        f"{gateway.url}/api/jobs", json={"kind": "noop"}, headers=gateway.headers(who)
    )
    assert answer.status_code == 201
    return str(answer.json()["id"])


def _messages(
    gateway: LiveGateway, job_id: str, *, last: int = 0, most: int = 1000
) -> list[dict[str, Any]]:
    """Read a stream to its end, or break it off after so many messages."""
    headers = {**gateway.headers("ada"), "Last-Event-ID": str(last)}
    found: list[dict[str, Any]] = []
    url = f"{gateway.url}/api/jobs/{job_id}/events"
    with httpx.stream("GET", url, headers=headers, timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
                if len(found) == most:
                    break
    return found


def _run(gateway: LiveGateway, job_id: str, steps: int = 5) -> None:
    async def work() -> None:
        attempt = await gateway.platform.begin(job_id)
        for step in range(steps):
            await gateway.platform.tell(
                job_id,
                attempt,
                "progress",
                {"stage": "run", "fraction": step / steps, "message": ""},
            )
            await asyncio.sleep(0.01)
        await gateway.platform.succeed(job_id, attempt, {"echo": "done"})

    gateway.call(work())


def test_a_stream_tells_everything_in_order_and_ends(gateway: LiveGateway) -> None:
    job_id = _submit(gateway)
    _run(gateway, job_id)
    told = _messages(gateway, job_id)
    assert [each["sequence"] for each in told] == sorted({each["sequence"] for each in told})
    assert told[-1]["type"] == "state"
    assert told[-1]["data"]["state"] == "succeeded"
    results = [each["data"]["result"] for each in told if each["type"] == "result"]
    assert results == [{"echo": "done"}]


def test_a_broken_stream_goes_on_where_it_broke_off(gateway: LiveGateway) -> None:
    job_id = _submit(gateway)
    _run(gateway, job_id)
    whole = _messages(gateway, job_id)
    first = _messages(gateway, job_id, most=3)
    rest = _messages(gateway, job_id, last=first[-1]["sequence"])
    assert first + rest == whole


def test_a_stream_that_has_told_all_says_do_not_reconnect(gateway: LiveGateway) -> None:
    job_id = _submit(gateway)
    _run(gateway, job_id)
    last = _messages(gateway, job_id)[-1]["sequence"]
    answer = httpx.get(
        f"{gateway.url}/api/jobs/{job_id}/events",
        headers={**gateway.headers("ada"), "Last-Event-ID": str(last)},
    )
    assert answer.status_code == 204


def test_a_silent_stream_says_that_it_is_still_there(gateway: LiveGateway) -> None:
    job_id = _submit(gateway)
    url = f"{gateway.url}/api/jobs/{job_id}/events"
    comments = 0
    with httpx.stream("GET", url, headers=gateway.headers("ada"), timeout=10) as answer:
        for line in answer.iter_lines():
            comments += line.startswith(":")
            if comments == 2:
                break
    assert comments == 2


def test_a_live_stream_is_fed_as_the_job_runs(gateway: LiveGateway) -> None:
    job_id = _submit(gateway)
    url = f"{gateway.url}/api/jobs/{job_id}/events"
    states = []
    with httpx.stream("GET", url, headers=gateway.headers("ada"), timeout=10) as answer:
        started = False
        for line in answer.iter_lines():
            if not started:
                started = True
                _run(gateway, job_id)
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                if event["type"] == "state":
                    states.append(event["data"]["state"])
    assert states == ["queued", "starting", "running", "succeeded"]


def test_one_socket_watches_many_jobs_and_resumes_each(gateway: LiveGateway) -> None:
    jobs = [_submit(gateway) for _ in range(3)]
    for job_id in jobs:
        _run(gateway, job_id)

    async def conversation() -> dict[str, list[int]]:
        told: dict[str, list[int]] = {job_id: [] for job_id in jobs}
        async with connect(
            gateway.url.replace("http", "ws") + "/ws",
            additional_headers=gateway.headers("ada"),
            proxy=None,
        ) as socket:
            for job_id in jobs:
                await socket.send(json.dumps({"type": "subscribe", "job_id": job_id, "after": 2}))
            await socket.send(json.dumps({"type": "ping"}))
            ended: set[str] = set()
            ponged = False
            async with asyncio.timeout(10):
                while len(ended) < len(jobs) or not ponged:
                    message = json.loads(await socket.recv())
                    if message["type"] == "end":
                        ended.add(message["job_id"])
                    elif message["type"] == "pong":
                        ponged = True
                    else:
                        told[message["job_id"]].append(message["sequence"])
        return told

    for sequences in asyncio.run(conversation()).values():
        assert sequences == list(range(3, 11))


def test_a_socket_says_what_is_wrong_with_a_message_and_goes_on(gateway: LiveGateway) -> None:
    theirs = _submit(gateway, "bob")

    async def conversation() -> list[dict[str, Any]]:
        answers = []
        async with connect(
            gateway.url.replace("http", "ws") + "/ws",
            additional_headers=gateway.headers("ada"),
            proxy=None,
        ) as socket:
            for text in (
                "{",
                "[]",
                '{"type": "dance"}',
                '{"type": "subscribe", "job_id": "no", "after": -1}',
                json.dumps({"type": "subscribe", "job_id": theirs}),
            ):
                await socket.send(text)
                answers.append(json.loads(await socket.recv()))
        return answers

    answers = asyncio.run(conversation())
    assert [each["type"] for each in answers] == ["error"] * 5
    assert answers[-1]["problem"]["status"] == 404


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_no_socket_without_a_key(gateway: LiveGateway, headers: dict[str, str]) -> None:
    async def conversation() -> int:
        try:
            async with connect(
                gateway.url.replace("http", "ws") + "/ws", additional_headers=headers, proxy=None
            ):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code

    assert asyncio.run(conversation()) == 403


def test_a_page_of_another_origin_gets_no_socket(gateway: LiveGateway) -> None:
    async def conversation() -> int:
        try:
            async with connect(
                gateway.url.replace("http", "ws") + "/ws",
                additional_headers=gateway.headers("ada"),
                origin="https://evil.example",  # type: ignore[arg-type]  # a plain text
                proxy=None,
            ):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code

    assert asyncio.run(conversation()) == 403


def test_a_socket_forgets_jobs_and_watches_no_more_than_its_share() -> None:
    with live(heartbeat_s=0.2, socket_jobs=1) as gateway:
        first, second = _submit(gateway), _submit(gateway)

        async def conversation() -> list[str]:
            told = []
            async with connect(
                gateway.url.replace("http", "ws") + "/ws",
                additional_headers=gateway.headers("ada"),
                proxy=None,
            ) as socket:

                async def ask(**order: object) -> None:
                    await socket.send(json.dumps(order))
                    told.append(json.loads(await socket.recv())["type"])

                await ask(type="subscribe", job_id=first)
                await ask(type="subscribe", job_id=second)
                await socket.send(json.dumps({"type": "unsubscribe", "job_id": first}))
                await ask(type="subscribe", job_id=second)
            return told

        assert asyncio.run(conversation()) == ["state", "error", "state"]


def test_a_revoked_key_loses_its_stream_and_its_socket() -> None:
    with live(heartbeat_s=0.1, key_cache_s=0.0) as gateway:
        job_id = _submit(gateway)

        async def conversation() -> None:
            identity = gateway.platform.parts.identity
            async with connect(
                gateway.url.replace("http", "ws") + "/ws",
                additional_headers=gateway.headers("ada"),
                proxy=None,
            ) as socket:
                await socket.send(json.dumps({"type": "subscribe", "job_id": job_id}))
                await socket.recv()
                gateway.call(identity.disable_user("ada"))
                async with asyncio.timeout(5):
                    await socket.wait_closed()

        url = f"{gateway.url}/api/jobs/{job_id}/events"
        with httpx.stream("GET", url, headers=gateway.headers("ada"), timeout=10) as stream:
            lines = stream.iter_lines()
            next(lines)
            asyncio.run(conversation())
            list(lines)  # ends by itself


def test_an_instance_that_is_full_sends_watchers_elsewhere() -> None:
    with live(streams=1) as gateway:
        job_id = _submit(gateway)
        url = f"{gateway.url}/api/jobs/{job_id}/events"
        with httpx.stream("GET", url, headers=gateway.headers("ada"), timeout=10) as stream:
            lines = stream.iter_lines()
            next(lines)
            refused = httpx.get(url, headers=gateway.headers("ada"))
        assert refused.status_code == 503
        assert refused.headers["retry-after"]


def test_one_tenants_streams_leave_room_for_others() -> None:
    with live(tenant_streams=1) as gateway:
        ours, theirs = _submit(gateway), _submit(gateway, "bob")
        url = f"{gateway.url}/api/jobs/{ours}/events"
        with httpx.stream("GET", url, headers=gateway.headers("ada"), timeout=10) as stream:
            lines = stream.iter_lines()
            next(lines)
            refused = httpx.get(url, headers=gateway.headers("cleo"))  # of the same tenant
            assert refused.status_code == 503
            assert "acme has 1 streams open" in refused.json()["detail"]
            other = f"{gateway.url}/api/jobs/{theirs}/events"
            with httpx.stream("GET", other, headers=gateway.headers("bob"), timeout=10) as welcome:
                assert welcome.status_code == 200


def test_messages_on_a_socket_use_up_the_rate_limit() -> None:
    limiter = RateLimiter("memory://", parse_rules({"requests": "3/minute", "login": "9/minute"}))

    async def conversation(gateway: LiveGateway) -> list[str]:
        async with connect(
            gateway.url.replace("http", "ws") + "/ws",
            additional_headers=gateway.headers("ada"),
            proxy=None,
        ) as socket:
            for _ in range(4):
                await socket.send('{"type": "ping"}')
            said = [json.loads(await socket.recv()) for _ in range(4)]
        return [each.get("problem", {}).get("code", each["type"]) for each in said]

    with live(limiter=limiter) as gateway:
        said = asyncio.run(conversation(gateway))
    assert said == ["pong", "pong", "too_many_requests", "too_many_requests"]


def test_keys_guessed_at_a_socket_are_limited_by_address() -> None:
    limiter = RateLimiter("memory://", parse_rules({"requests": "9/minute", "login": "2/minute"}))

    async def knock(gateway: LiveGateway) -> None:
        wrong = {"Authorization": "Bearer wrong"}
        with pytest.raises(InvalidStatus):
            await connect(
                gateway.url.replace("http", "ws") + "/ws", additional_headers=wrong, proxy=None
            )

    with live(limiter=limiter) as gateway:
        for _ in range(2):
            asyncio.run(knock(gateway))
        login = {"name": "ada", "password": PASSWORD}
        assert httpx.post(f"{gateway.url}/api/auth/login", json=login).status_code == 429
