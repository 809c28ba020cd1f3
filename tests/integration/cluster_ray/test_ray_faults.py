"""Real Ray processes killed by pid: what is lost, what is found again, what is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from tests.integration.cluster.engine_contract import EngineContract
from tests.integration.cluster_ray.work import (
    assignment,
    endings,
    names,
    nodes_when,
    run,
    started,
)
from tests.servers.ray import RayHosts, ray_hosts
from tests.servers.redis import running_redis

from quetzalcore.cluster.engine import AgentUnreachable
from quetzalcore.cluster.engines.ray import RayEngine
from quetzalcore.cluster.messages import Renew, Start
from quetzalcore.cluster.ray_process import RayNodeProcess, marked_processes

pytestmark = pytest.mark.slow


@pytest.fixture
def hosts() -> Iterator[RayHosts]:
    with ray_hosts() as hosts:
        yield hosts


@pytest.fixture
def hosts_with_redis() -> Iterator[RayHosts]:
    with (
        running_redis() as url,
        ray_hosts(redis=url.removeprefix("redis://").partition("/")[0]) as hosts,
    ):
        yield hosts


def _kill_all(process: RayNodeProcess) -> None:
    for pid in marked_processes(process.node.folder):
        os.kill(pid, signal.SIGKILL)


async def _restarted(hosts: RayHosts, name: str) -> None:
    """Wait until a node has been started for the second time: Ray itself looks for its head for 60 s."""
    async with asyncio.timeout(150):
        while hosts.starts(name) < 2:  # noqa: ASYNC110 -- said in another thread
            await asyncio.sleep(0.1)


async def _held(engine: RayEngine, name: str) -> tuple[str, ...]:
    """Ask what an agent holds, once it answers."""
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await engine.agent(name).command(
                    Renew(epoch=next(EngineContract.epochs), leases_s={})
                )
            except AgentUnreachable:
                await engine.nodes()
                await asyncio.sleep(0.2)
            else:
                return answer.attempts


@pytest.mark.faults
def test_a_killed_worker_vanishes_and_comes_back_without_its_attempts(hosts: RayHosts) -> None:
    hosts.head()
    victim = hosts.worker("north")
    hosts.worker("south")
    lost, kept = assignment(sleep_s=30.0), assignment(sleep_s=4.0)

    async def scenario() -> None:
        async with started(hosts.engine()) as engine:
            await nodes_when(engine, lambda nodes: len(nodes) == 2)
            for name, work in (("north", lost), ("south", kept)):
                await engine.agent(name).command(
                    Start(epoch=next(EngineContract.epochs), assignments=(work,))
                )
            _kill_all(victim)
            began = time.monotonic()
            await nodes_when(engine, lambda nodes: names(nodes) == {"south"})
            assert time.monotonic() - began < 20
            await nodes_when(engine, lambda nodes: len(nodes) == 2)
            assert lost.attempt_id not in await _held(engine, "north")
            ended = await endings(engine.agent("south"), {kept.attempt_id})
            assert ended[kept.attempt_id].ending == "succeeded"

    asyncio.run(scenario())


def test_an_agent_that_dies_alone_is_placed_again(hosts: RayHosts) -> None:
    hosts.head()
    process = hosts.worker("north")

    async def scenario() -> None:
        async with started(hosts.engine()) as engine:
            await nodes_when(engine, lambda nodes: names(nodes) == {"north"})
            work = assignment(sleep_s=30.0)
            await engine.agent("north").command(
                Start(epoch=next(EngineContract.epochs), assignments=(work,))
            )
            pid = int((process.node.folder / "agent" / "agent.pid").read_text())
            os.kill(pid, signal.SIGKILL)
            assert await _held(engine, "north") == ()
            again = assignment()
            ended = await run(engine.agent("north"), again)
            assert ended[again.attempt_id].ending == "succeeded"

    asyncio.run(scenario())


@pytest.mark.faults
def test_with_redis_a_killed_head_takes_no_attempt_with_it(hosts_with_redis: RayHosts) -> None:
    hosts = hosts_with_redis
    head = hosts.head()
    hosts.worker("north")
    work = assignment(sleep_s=25.0)

    async def scenario() -> None:
        async with started(hosts.engine()) as engine:
            await nodes_when(engine, lambda nodes: names(nodes) == {"north"})
            await engine.agent("north").command(
                Start(epoch=next(EngineContract.epochs), assignments=(work,))
            )
            _kill_all(head)
            await _restarted(hosts, "head")
            assert await _held(engine, "north") == (work.attempt_id,)
            ended = await endings(engine.agent("north"), {work.attempt_id})
            assert ended[work.attempt_id].ending == "succeeded"

    asyncio.run(scenario())


@pytest.mark.faults
def test_without_redis_workers_join_the_restarted_head_and_begin_anew(hosts: RayHosts) -> None:
    head = hosts.head()
    hosts.worker("north")
    work = assignment(sleep_s=60.0)

    async def scenario() -> None:
        async with started(hosts.engine()) as engine:
            await nodes_when(engine, lambda nodes: names(nodes) == {"north"})
            await engine.agent("north").command(
                Start(epoch=next(EngineContract.epochs), assignments=(work,))
            )
            _kill_all(head)
            await _restarted(hosts, "head")
            await _restarted(hosts, "north")
            assert await _held(engine, "north") == ()
            again = assignment()
            ended = await run(engine.agent("north"), again)
            assert ended[again.attempt_id].ending == "succeeded"

    asyncio.run(scenario())


_KEEPER = """
import asyncio, json, os, sys
from pathlib import Path
from quetzalcore.cluster.ray_access import (RaySecurity)
from quetzalcore.cluster.ray_node import (RayNode)
from quetzalcore.cluster.ray_process import running_node

async def keep(folder, address):
    host = address.partition(":")[0]
    security = RaySecurity(token_file=folder / "token")
    node = RayNode(
        name="head", folder=folder / "head", address=address, host=host, security=security, head=True
    )
    async with running_node(node, os.environ):
        print("up", flush=True)
        await asyncio.Event().wait()

asyncio.run(keep(Path(sys.argv[1]), sys.argv[2]))
"""


def test_nothing_is_left_when_the_keeper_of_a_node_is_killed(hosts: RayHosts) -> None:
    assert hosts.security.token_file.exists()
    command = [sys.executable, "-c", _KEEPER, str(hosts.folder), hosts.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == b"up\n"
        assert len(marked_processes(hosts.folder / "head")) > 2
        keeper.kill()
    give_up_at = time.monotonic() + 10
    while marked_processes(hosts.folder / "head") and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert marked_processes(hosts.folder / "head") == ()
