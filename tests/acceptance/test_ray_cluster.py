"""Three hosts, each in a network namespace of its own, behind one ledger: one is lost, no job is."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it has no stubs
import boto3
import pytest
from tests.servers.netns import Network, inside, private_network
from tests.servers.redis import free_port

from quetzalcore.cluster.admission import AdmissionConfig
from quetzalcore.cluster.cluster_keys import ClusterKeys, invite, keep_cluster_keys, security_here
from quetzalcore.cluster.composition import make_master
from quetzalcore.cluster.engines.ray import RayEngine
from quetzalcore.cluster.ray_access import RayPlace
from quetzalcore.cluster.ray_node import RayNode, RedisPlace
from quetzalcore.cluster.ray_process import marked_processes, running_node
from quetzalcore.cluster.term import MasterConfig
from quetzalcore.database import Database, open_database
from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.ledger import JobLedger
from quetzalcore.jobs.model import (
    TERMINAL,
    AttemptState,
    InputFile,
    Job,
    JobRequest,
    JobState,
    Resources,
)
from quetzalcore.jobs.sql import SqlLeadership, SqlNodeBook, open_ledger
from quetzalcore.jobs.stores import open_store
from quetzalcore.workloads.catalog import catalog
from quetzalcore.workloads.parameters import canonical_params

pytestmark = pytest.mark.slow

HOSTS = 3
SLEEPERS = 30
ALL_S = 150.0
LEASE_S = 15.0
_BUCKET, _KEY_ID, _SECRET = "artifacts", "test-key", "test-secret"

_WORKER = """
import asyncio, json, sys
from pathlib import Path
from quetzalcore.cluster.joining import JoinTicket, run_worker

ticket, folder, node = sys.argv[1:]
ticket = JoinTicket(**json.loads(Path(ticket).read_text()))
asyncio.run(run_worker(ticket, Path(folder), node=json.loads(node)))
"""


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What stands behind the cluster."""

    database_url: str
    redis: str  # host:port
    s3: str


@pytest.fixture
def network() -> Iterator[Network]:
    with private_network() as network:
        yield network


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="qr-", dir="/tmp"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def behind(network: Network, folder: Path, postgres_url: str, redis_url: str) -> Iterator[Behind]:
    """Give a database of our own, the session's Redis, and an S3 that the hosts can reach."""
    name = f"ray_{os.getpid()}"

    async def create() -> None:
        connection = await asyncpg.connect(postgres_url)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    asyncio.run(create())
    with _s3(network.gateway, folder / "s3.log") as endpoint:
        yield Behind(
            database_url=f"{postgres_url.rpartition('/')[0]}/{name}",
            redis=redis_url.removeprefix("redis://").partition("/")[0],
            s3=endpoint,
        )


@contextmanager
def _s3(host: str, log: Path) -> Iterator[str]:
    port = free_port(host)
    program = str(Path(sys.executable).with_name("moto_server"))
    endpoint = f"http://{host}:{port}"
    with log.open("wb") as sink:
        server = subprocess.Popen((program, "-H", host, "-p", str(port)), stdout=sink, stderr=sink)
    try:
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=_KEY_ID,
            aws_secret_access_key=_SECRET,
            region_name="us-east-1",
        )
        give_up_at = time.monotonic() + 60
        while True:
            try:
                client.create_bucket(Bucket=_BUCKET)
                break
            except Exception:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.2)
        client.close()
        yield endpoint
    finally:
        server.kill()
        server.wait()


@contextmanager
def _worker(network: Network, number: int, keys: ClusterKeys, address: str) -> Iterator[str]:
    """Run a host that has joined; give its namespace."""
    space, own = network.host(number)
    name = f"node-{number}"
    home = keys.folder.parent / name
    home.mkdir()
    ticket = invite(keys, address=address, name=name, addresses=(own,), now=now())
    (home / "ticket.json").write_text(json.dumps(ticket.document()))
    node = {"node_id": name, "cpus": 2, "memory_mib": 4096, "warm_bare": 1, "warm_numeric": 0}
    command = (sys.executable, "-c", _WORKER, str(home / "ticket.json"), str(home / "w"))
    with (home / "worker.log").open("wb") as sink:
        process = subprocess.Popen(
            (*inside(space), *command, json.dumps(node)), stdout=sink, stderr=sink
        )
    try:
        yield space
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        network.kill(space)
        process.wait()


def _head(keys: ClusterKeys, address: str, redis: str) -> RayNode:
    return RayNode(
        name="head",
        folder=keys.folder.parent / "head",
        address=address,
        host=address.partition(":")[0],
        security=security_here(keys, now=now()),
        head=True,
        redis=RedisPlace(address=redis, namespace=address),
    )


@asynccontextmanager
async def _mastered(
    ledger: JobLedger, database: Database, store: ArtifactStore, engine: RayEngine
) -> AsyncIterator[None]:
    """Run a master on the engine."""
    master = make_master(
        ledger=ledger,
        nodes=SqlNodeBook(database),
        leadership=SqlLeadership(database),
        store=store,
        engine=engine,
        clock=now,
        config=MasterConfig(lease_s=LEASE_S, admission=AdmissionConfig(owners=frozenset("*"))),
    )
    running = asyncio.create_task(master.run())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def _survey() -> bytes:
    rows = "\n".join(
        f"{line},{500_000 + 100 * line},{7_000_000 + 20 * station},{line + station / 7:.3f}"
        for line in range(8)
        for station in range(40)
    )
    return f"line,easting,northing,tmi_anomaly_nt\n{rows}\n".encode()


async def _upload(store: ArtifactStore) -> InputFile:
    content = _survey()

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    await store.put("tenants/acme/uploads/survey", chunks())
    digest = hashlib.sha256(content).hexdigest()
    return InputFile(
        name="survey.csv", key="tenants/acme/uploads/survey", size=len(content), sha256=digest
    )


def _request(name: str, params: Mapping[str, Any], *inputs: InputFile) -> JobRequest:
    kind = catalog()[name]
    return JobRequest(
        tenant="acme",
        user="ada",
        kind=name,
        kind_version=kind.version,
        run=kind.run,
        params=canonical_params(kind, params),
        inputs=inputs,
        resources=Resources(cpus=0.5, memory_mib=512, scratch_mib=64),
        tier=kind.tier,
        wall_s=90.0,
        max_attempts=4,
    )


async def _submit_all(ledger: JobLedger, survey: InputFile) -> dict[str, str]:
    """Submit sleepers and jobs that read a file; give each job's echo, empty for the readers."""
    wishes = [
        *((_request("noop", {"sleep_s": 1.0, "echo": f"echo {n}"}), f"echo {n}") for n in range(SLEEPERS)),
        *((_request("inspect", {}, survey), "") for _ in range(3)),
    ]  # fmt: skip
    jobs = [((await ledger.submit(request, now=now()))[0], echo) for request, echo in wishes]
    return {job.id: echo for job, echo in jobs}


async def _until(ledger: JobLedger, jobs: Mapping[str, str], ended: int) -> list[Job]:
    """Wait until so many have ended; give all as they are then."""
    async with asyncio.timeout(ALL_S):
        while True:
            seen = [await ledger.get(job_id) for job_id in jobs]
            if sum(job.state in TERMINAL for job in seen) >= ended:
                return seen
            await asyncio.sleep(0.25)


async def _work_through(
    behind: Behind, engine: RayEngine, network: Network, victim: str
) -> tuple[list[Job], dict[str, str]]:
    """Run everything; end one host once some jobs have ended and it is at work."""
    database = await open_database(behind.database_url)
    ledger = await open_ledger(database)
    store = open_store(
        f"s3://{_BUCKET}/cluster?endpoint={behind.s3}&region=us-east-1",
        access_key_id=_KEY_ID,
        secret_access_key=_SECRET,
    )
    try:
        async with _mastered(ledger, database, store, engine):
            await _nodes(engine, HOSTS)
            jobs = await _submit_all(ledger, await _upload(store))
            await _until(ledger, jobs, ended=5)
            await _until_at_work(ledger, "node-2")
            await asyncio.to_thread(network.kill, victim)
            return await _until(ledger, jobs, ended=len(jobs)), jobs
    finally:
        await database.close()


async def _until_at_work(ledger: JobLedger, node: str) -> None:
    """Wait until an attempt runs on a node."""

    async def works() -> bool:
        attempts = [attempt for job in await ledger.live() for attempt in job.attempts]
        return any(a.node == node and a.state is AttemptState.RUNNING for a in attempts)

    async with asyncio.timeout(60):
        while not await works():  # noqa: ASYNC110 -- the ledger is asked, as anybody may
            await asyncio.sleep(0.02)


async def _nodes(engine: RayEngine, count: int) -> None:
    async with asyncio.timeout(90):
        while len(await engine.nodes()) < count:  # noqa: ASYNC110 -- Ray tells nobody
            await asyncio.sleep(0.5)


def test_a_host_lost_midway_loses_no_job(network: Network, behind: Behind, folder: Path) -> None:
    keys = keep_cluster_keys(folder / "keys", now=now())
    address = f"{network.gateway}:{free_port(network.gateway)}"
    head = _head(keys, address, behind.redis)

    async def scenario() -> tuple[list[Job], dict[str, str]]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(running_node(head, os.environ))
            spaces = [
                stack.enter_context(_worker(network, number, keys, address))
                for number in range(1, HOSTS + 1)
            ]
            engine = RayEngine(
                RayPlace(address=address, security=head.security),
                folder=folder / "engine",
                inherited=os.environ,
            )
            return await _work_through(behind, engine, network, spaces[1])

    jobs, echoes = asyncio.run(scenario())
    lost = 0
    for job in jobs:
        assert job.state is JobState.SUCCEEDED, job.failure
        assert job.result is not None
        if echoes[job.id]:
            assert job.result == {"echo": echoes[job.id]}
        states = [attempt.state for attempt in job.attempts]
        assert states.count(AttemptState.SUCCEEDED) == 1
        assert states[-1] is AttemptState.SUCCEEDED
        assert set(states[:-1]) <= {AttemptState.LOST}
        lost += len(states) - 1
    assert lost >= 1, "the lost host was doing nothing"
    assert {attempt.node for job in jobs for attempt in job.attempts} == {
        "node-1", "node-2", "node-3",
    }  # fmt: skip
    for place in (folder / "head", *(folder / f"node-{n}" / "w" for n in (1, 2, 3))):
        assert marked_processes(place) == ()
