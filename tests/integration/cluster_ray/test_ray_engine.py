"""The Ray engine against a real cluster of two nodes."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.cluster_ray.work import (
    EPOCHS,
    assignment,
    endings,
    names,
    nodes_when,
    run,
    started,
)
from tests.servers.ray import RayHosts

from quetzalcore.cluster.certificates import issue, new_authority, write_tls_files
from quetzalcore.cluster.engine import AgentUnreachable
from quetzalcore.cluster.engines.ray import ClusterUnreachable, RayEngine
from quetzalcore.cluster.messages import Renew, Start
from quetzalcore.cluster.ray_node import RayPlace, RaySecurity
from quetzalcore.jobs.ledger import StaleEpoch

pytestmark = pytest.mark.slow


def test_jobs_run_on_every_node_of_the_cluster(cluster: RayHosts) -> None:
    async def scenario() -> None:
        async with started(cluster.engine()) as engine:
            nodes = await nodes_when(engine, lambda nodes: len(nodes) == 2)
            assert names(nodes) == {"north", "south"}
            assert {node.total.cpus for node in nodes} == {4.0}
            for name in ("north", "south"):
                work = [assignment() for _ in range(5)]
                ended = await run(engine.agent(name), *work)
                assert {e.ending for e in ended.values()} == {"succeeded"}, ended

    asyncio.run(scenario())


def test_a_new_master_adopts_what_the_last_one_started(cluster: RayHosts) -> None:
    slow = assignment(sleep_s=3.0)

    async def begin() -> None:
        async with started(cluster.engine()) as engine:
            await nodes_when(engine, lambda nodes: "north" in names(nodes))
            await engine.agent("north").command(Start(epoch=next(EPOCHS), assignments=(slow,)))

    async def adopt() -> None:
        async with started(cluster.engine()) as engine:
            await nodes_when(engine, lambda nodes: "north" in names(nodes))
            link = engine.agent("north")
            answer = await link.command(Renew(epoch=next(EPOCHS), leases_s={slow.attempt_id: 60.0}))
            assert slow.attempt_id in answer.attempts
            ended = await endings(link, {slow.attempt_id})
            assert ended[slow.attempt_id].ending == "succeeded"

    asyncio.run(begin())
    asyncio.run(adopt())


def test_of_two_masters_the_older_epoch_is_refused(cluster: RayHosts) -> None:
    async def scenario() -> None:
        async with started(cluster.engine()) as leader, started(cluster.engine()) as standby:
            for engine in (leader, standby):
                await nodes_when(engine, lambda nodes: "south" in names(nodes))
            older, newer = next(EPOCHS), next(EPOCHS)
            await leader.agent("south").command(Renew(epoch=newer, leases_s={}))
            with pytest.raises(StaleEpoch):
                await standby.agent("south").command(Renew(epoch=older, leases_s={}))

    asyncio.run(scenario())


def test_a_node_that_is_not_there_cannot_be_reached(cluster: RayHosts) -> None:
    async def scenario() -> None:
        async with started(cluster.engine()) as engine:
            await engine.nodes()
            with pytest.raises(AgentUnreachable, match="west"):
                engine.agent("west")

    asyncio.run(scenario())


def _refused(cluster: RayHosts, security: RaySecurity, folder: Path) -> None:
    engine = RayEngine(
        RayPlace(address=cluster.address, security=security),
        folder=folder,
        inherited=os.environ,  # noqa: TID251 -- as the command line hands it on
        connect_limit_s=8.0,
    )

    async def scenario() -> None:
        with pytest.raises(ClusterUnreachable, match="no Ray cluster answers"):
            await engine.start()

    asyncio.run(scenario())


def test_a_wrong_token_opens_nothing(cluster: RayHosts, tmp_path) -> None:
    token = tmp_path / "token"
    token.write_text("0" * 64)
    _refused(cluster, replace(cluster.security, token_file=token), tmp_path)


def test_a_certificate_of_another_authority_opens_nothing(cluster: RayHosts, tmp_path) -> None:
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 -- real certificates
    other = new_authority("other", now=now)
    host = issue(other, name="host", hosts=[cluster.host], now=now)
    tls = write_tls_files(tmp_path / "tls", host, authority=other.certificate)
    _refused(cluster, replace(cluster.security, tls=tls), tmp_path)


def test_ray_prints_nothing_to_our_output(cluster: RayHosts, capfd) -> None:
    async def scenario() -> None:
        async with started(cluster.engine()) as engine:
            await engine.nodes()

    asyncio.run(scenario())
    assert capfd.readouterr() == ("", "")
