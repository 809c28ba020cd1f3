"""Isolated no-op jobs on a Ray cluster of two nodes, beside the local engine; and what a call costs beside bare Ray.

Both platforms are up together and take turns. Token and TLS are on, as in production.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.race import Figure, peer_version
from quetzalcore.cluster.admission import AdmissionConfig
from quetzalcore.cluster.certificates import issue, new_authority, write_tls_files
from quetzalcore.cluster.composition import make_master
from quetzalcore.cluster.engine import Engine
from quetzalcore.cluster.engines.local import LocalEngine
from quetzalcore.cluster.engines.ray import RayEngine
from quetzalcore.cluster.host import HostSettings
from quetzalcore.cluster.messages import Renew
from quetzalcore.cluster.ray_access import RayPlace, RaySecurity, client_environment
from quetzalcore.cluster.ray_node import RayNode
from quetzalcore.cluster.ray_process import marked_processes, running_node
from quetzalcore.cluster.term import MasterConfig
from quetzalcore.database import open_database
from quetzalcore.jobs.model import JobRequest, JobState, Resources
from quetzalcore.jobs.sql import SqlLeadership, SqlLedger, SqlNodeBook, open_ledger
from quetzalcore.jobs.stores import open_store

__all__ = ["figures"]

_HOST = "127.0.0.2"
_ROUNDS = 3
_BATCH = 200
_CALLS = 300
_MIB = 1 << 20
_NOOP = JobRequest(
    tenant="bench",
    user="bench",
    kind="noop",
    kind_version="1",
    run="quetzalcore.workloads.noop:run",
    params={"sleep_s": 0.0, "echo": "x"},
    resources=Resources(cpus=1, memory_mib=256, scratch_mib=16),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What calls cost: one after another, and how many when many are under way."""

    median_ms: float
    rate: float


def figures() -> list[Figure]:
    """Measure jobs through both engines, calls through ours and bare ones, and memory."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="qr-", dir="/tmp") as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Figure]:
    async with AsyncExitStack() as stack:
        place, nodes = await _cluster(folder, stack)
        engine = RayEngine(place, folder=folder / "engine", inherited=os.environ)
        local = LocalEngine(HostSettings(node_id="bench", folder=folder / "local", warm_numeric=0))
        for name in ("on-ray", "on-local"):
            (folder / name).mkdir()
        on_ray = await stack.enter_async_context(_platform(folder / "on-ray", engine))
        on_local = await stack.enter_async_context(_platform(folder / "on-local", local))
        stack.push_async_callback(local.shut_down)
        while len(await engine.nodes()) < len(nodes):  # noqa: ASYNC110 -- Ray tells nobody
            await asyncio.sleep(0.2)
        rates = [(await _rate(on_ray), await _rate(on_local)) for _ in range(_ROUNDS)]
        ours = await _calls_through(engine)
        actor = await asyncio.to_thread(_bare, place, "actor")
        task = await asyncio.to_thread(_bare, place, "task")
        memory = {name: _memory_mib(folder / name) for name in ("head", "one")}
    return [_jobs_figure(rates), _calls_figure(ours, actor, task), _memory_figure(memory)]


def _jobs_figure(rates: list[tuple[float, float]]) -> Figure:
    ratio = statistics.median(ours / theirs for ours, theirs in rates)
    return Figure(
        work=f"{_BATCH} isolated no-op jobs, RayEngine with 2 nodes on this host",
        ours=f"{statistics.median(r for r, _ in rates):.0f}/s",
        peer=f"{statistics.median(r for _, r in rates):.0f}/s",
        peer_name="LocalEngine",
        bar="at least half of LocalEngine's rate (ratio: ours over theirs)",
        ratio=ratio,
        met=ratio >= 0.5,
    )


def _calls_figure(ours: Calls, actor: Calls, task: Calls) -> Figure:
    def told(calls: Calls) -> str:
        return f"{calls.median_ms:.2f} ms, {calls.rate:.0f}/s"

    return Figure(
        work="a command to an agent: alone, and with 60 under way; token and TLS",
        ours=told(ours),
        peer=f"{told(actor)} | {told(task)}",
        peer_name=f"bare {peer_version('ray')} actor call | task",
        bar="printed",
        ratio=actor.median_ms / ours.median_ms,
        met=True,
    )


def _memory_figure(memory: dict[str, float]) -> Figure:
    return Figure(
        work="memory (PSS) of a head without an agent, and of a node with its agent (VMs apart)",
        ours=f"{memory['head']:.0f} MiB, {memory['one']:.0f} MiB",
        bar="printed",
        met=True,
    )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


async def _cluster(folder: Path, stack: AsyncExitStack) -> tuple[RayPlace, tuple[str, ...]]:
    """Start a head and two nodes of half this host each."""
    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    authority = new_authority("bench", now=_now())
    host = issue(authority, name="host", hosts=[_HOST], now=_now())
    tls = write_tls_files(folder / "tls", host, authority=authority.certificate)
    security = RaySecurity(token_file=token, tls=tls)
    with socket.create_server((_HOST, 0)) as free:
        address = f"{_HOST}:{free.getsockname()[1]}"

    def node(name: str, agent: HostSettings | None) -> RayNode:
        return RayNode(
            name=name,
            folder=folder / name,
            address=address,
            host=_HOST,
            security=security,
            head=agent is None,
            agent=agent,
        )

    names = ("one", "two")
    cpus = len(os.sched_getaffinity(0)) / len(names)
    await stack.enter_async_context(running_node(node("head", None), os.environ))
    for name in names:
        agent = HostSettings(
            node_id=name, folder=folder / name / "agent", cpus=cpus, memory_mib=4096, warm_numeric=0
        )
        await stack.enter_async_context(running_node(node(name, agent), os.environ))
    return RayPlace(address=address, security=security), names


@asynccontextmanager
async def _platform(folder: Path, engine: Engine) -> AsyncIterator[SqlLedger]:
    """Run a master over an engine; give its ledger."""
    database = await open_database(f"sqlite:///{folder}/ledger.db")
    ledger = await open_ledger(database)
    master = make_master(
        ledger=ledger,
        nodes=SqlNodeBook(database),
        leadership=SqlLeadership(database),
        store=open_store((folder / "artifacts").as_uri()),
        engine=engine,
        clock=_now,
        config=MasterConfig(admission=AdmissionConfig(owners=frozenset("*"))),
    )
    running = asyncio.create_task(master.run())
    try:
        yield ledger
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await database.close()


async def _rate(ledger: SqlLedger) -> float:
    """Submit a batch and give the jobs a second until the last has ended."""
    await _through(ledger, 10)
    start = time.perf_counter()
    await _through(ledger, _BATCH)
    return _BATCH / (time.perf_counter() - start)


async def _through(ledger: SqlLedger, count: int) -> None:
    done = (await ledger.counts()).by_state.get(JobState.SUCCEEDED, 0)
    await asyncio.gather(*(ledger.submit(_NOOP, now=_now()) for _ in range(count)))
    while (await ledger.counts()).by_state.get(JobState.SUCCEEDED, 0) < done + count:  # noqa: ASYNC110 -- as clients look
        await asyncio.sleep(0.05)


async def _calls_through(engine: RayEngine) -> Calls:
    link = engine.agent("one")
    order = Renew(epoch=1 << 40, leases_s={})
    return await _calls(lambda: link.command(order))


async def _calls(call: Callable[[], Awaitable[object]]) -> Calls:
    await call()
    alone = []
    for _ in range(_CALLS):
        start = time.perf_counter()
        await call()
        alone.append(time.perf_counter() - start)
    start = time.perf_counter()
    for _ in range(10):
        await asyncio.gather(*(call() for _ in range(60)))
    rate = 600 / (time.perf_counter() - start)
    return Calls(median_ms=statistics.median(alone) * 1e3, rate=rate)


def _bare(place: RayPlace, what: str) -> Calls:
    """Measure bare Ray in a driver process of its own."""
    said = subprocess.run(
        (sys.executable, "-m", "benchmarks.ray_engine", place.address, what),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=client_environment(place.security, os.environ),
    ).stdout
    return Calls(**json.loads(said.splitlines()[-1]))


class _Echo:
    async def same(self, body: bytes) -> bytes:
        """Give it back."""
        return body


def _same(body: bytes) -> bytes:
    return body


def _race_bare(address: str, what: str) -> Calls:
    import ray  # noqa: PLC0415 -- only in the peer's process

    ray.init(address=address, log_to_driver=False, configure_logging=False)
    body = Renew(epoch=1, leases_s={}).model_dump_json().encode()
    echo = ray.remote(_Echo).options(num_cpus=0, max_concurrency=64).remote()
    task = ray.remote(_same).options(num_cpus=0)

    async def race() -> Calls:
        return await _calls(
            (lambda: echo.same.remote(body)) if what == "actor" else (lambda: task.remote(body))
        )

    try:
        return asyncio.run(race())
    finally:
        ray.shutdown()


def _memory_mib(folder: Path) -> float:
    return (
        sum(psutil.Process(pid).memory_full_info().pss for pid in marked_processes(folder)) / _MIB
    )


if __name__ == "__main__":
    found = _race_bare(*sys.argv[1:])
    print(json.dumps({"median_ms": found.median_ms, "rate": found.rate}))
