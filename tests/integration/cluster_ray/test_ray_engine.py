"""The Ray engine against a real cluster of two nodes."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.cluster.engine_contract import EngineContract, Opened
from tests.integration.cluster_ray.work import (
    assignment,
    forget,
    names,
    nodes_when,
    run,
    started,
)
from tests.servers.ray import RayHosts

from quetzalcore.cluster.certificates import issue, new_authority, write_tls_files
from quetzalcore.cluster.engines.ray import ClusterUnreachable, RayEngine
from quetzalcore.cluster.messages import Renew
from quetzalcore.cluster.ray_access import RayPlace, RaySecurity
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


class TestRayEngine(EngineContract):
    @pytest.fixture
    def opened(self, cluster: RayHosts) -> Opened:
        @asynccontextmanager
        async def ray() -> AsyncIterator[RayEngine]:
            async with started(cluster.engine()) as engine:
                for node in await nodes_when(engine, lambda nodes: len(nodes) == 2):
                    await forget(engine.agent(node.id))
                yield engine

        return ray


def test_a_standby_that_takes_over_silences_the_leader(cluster: RayHosts) -> None:
    async def scenario() -> None:
        async with started(cluster.engine()) as leader, started(cluster.engine()) as standby:
            older, newer = next(EngineContract.epochs), next(EngineContract.epochs)
            await leader.agent("south").command(Renew(epoch=older, leases_s={}))
            await standby.agent("south").command(Renew(epoch=newer, leases_s={}))
            with pytest.raises(StaleEpoch):
                await leader.agent("south").command(Renew(epoch=older, leases_s={}))

    asyncio.run(scenario())


def _refused(cluster: RayHosts, security: RaySecurity, folder: Path) -> None:
    engine = RayEngine(
        RayPlace(address=cluster.address, security=security),
        folder=folder,
        inherited=os.environ,
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
    now = dt.datetime.now(dt.UTC)
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
