"""Real masters and a real agent, killed and stopped under load: every job ends exactly once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.cluster import master_process
from tests.integration.cluster.master_process import LEASE_S, now, settings_in

from quetzalcore.cluster.engines.local import LocalEngine
from quetzalcore.database import open_database
from quetzalcore.jobs.model import AttemptState, EventType, JobRequest, JobState, Resources
from quetzalcore.jobs.sql import SqlLedger, SqlNodeBook, open_ledger

PATIENCE_S = 120.0
NOOP = JobRequest(
    tenant="t",
    user="u",
    kind="noop",
    kind_version="1",
    run="quetzalcore.workloads.noop:run",
    params={"sleep_s": 0.0, "echo": ""},
    resources=Resources(cpus=1, memory_mib=128, scratch_mib=8),
    forkable=True,
    max_attempts=5,
)


class Cluster:
    """Masters in processes of their own, and the ledger that they share with the test."""

    def __init__(self, folder: Path, ledger: SqlLedger, nodes: SqlNodeBook) -> None:
        self.folder = folder
        self.ledger = ledger
        self.nodes = nodes
        self.masters: list[subprocess.Popen[bytes]] = []

    def start_master(self) -> subprocess.Popen[bytes]:
        with (self.folder / f"master-{len(self.masters)}.log").open("wb") as log:
            process = subprocess.Popen(
                (sys.executable, master_process.__file__, str(self.folder)),
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": "src"},
            )
        self.masters.append(process)
        return process

    async def submit(self, count: int, *, sleep_s: float = 0.0) -> list[str]:
        return [
            (
                await self.ledger.submit(
                    replace(NOOP, params={"sleep_s": sleep_s, "echo": str(number)}), now=now()
                )
            )[0].id
            for number in range(count)
        ]

    async def until(self, true: Callable[[Counter[JobState]], bool]) -> None:
        """Wait until the number of jobs by state is as wished."""
        async with asyncio.timeout(PATIENCE_S):
            while not true(Counter((await self.ledger.counts()).by_state)):  # noqa: ASYNC110 -- other processes write it
                await asyncio.sleep(0.1)

    async def check(self, job_ids: list[str]) -> Counter[int]:
        """Every job has succeeded once, with its own result; give how many took how many attempts."""
        tries: Counter[int] = Counter()
        for number, job_id in enumerate(job_ids):
            job = await self.ledger.get(job_id)
            assert job.state is JobState.SUCCEEDED, job
            assert job.result == {"echo": str(number)}
            results = await self.ledger.events(job_id, types=(EventType.RESULT,))
            assert len(results) == 1
            assert [a.state for a in job.attempts].count(AttemptState.SUCCEEDED) == 1
            tries[len(job.attempts)] += 1
        return tries

    async def active_vms(self) -> int:
        """Ask the agent itself; that is no word of a master."""
        engine = LocalEngine(settings_in(self.folder))
        try:
            return (await engine.nodes())[0].active_vms
        finally:
            await engine.close()

    def agent_pid(self) -> int:
        return int((self.folder / "agent" / "agent.pid").read_text())


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[Cluster]:
    """Open a ledger; at the end no master and no agent is left."""
    database = await open_database(f"sqlite:///{folder}/ledger.db")
    opened = Cluster(folder, await open_ledger(database), SqlNodeBook(database))
    try:
        yield opened
    finally:
        for master in opened.masters:
            master.kill()
            master.wait()
        await LocalEngine(settings_in(folder)).shut_down()
        await database.close()


def run(folder: Path, scenario: Callable[[Cluster], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with cluster(folder) as opened:
            await scenario(opened)

    asyncio.run(inside())


@pytest.mark.slow
def test_two_hundred_jobs_survive_the_kill_of_the_leading_master(tmp_path) -> None:
    async def scenario(c: Cluster) -> None:
        leader = c.start_master()
        ids = await c.submit(200)
        await c.until(lambda n: n[JobState.SUCCEEDED] >= 20)
        c.start_master()
        await c.until(lambda n: n[JobState.SUCCEEDED] >= 40)
        leader.send_signal(signal.SIGKILL)
        leader.wait()
        done = (await c.ledger.counts()).by_state[JobState.SUCCEEDED]
        killed_at = time.monotonic()
        await c.until(lambda n: n[JobState.SUCCEEDED] > done + 5)
        assert time.monotonic() - killed_at < 10
        await c.until(lambda n: n[JobState.SUCCEEDED] == 200)
        await c.check(ids)

    run(tmp_path, scenario)


@pytest.mark.slow
def test_two_hundred_jobs_survive_the_kill_of_the_agent(tmp_path) -> None:
    async def scenario(c: Cluster) -> None:
        c.start_master()
        ids = await c.submit(200)
        await c.until(lambda n: n[JobState.SUCCEEDED] >= 30)
        pid = c.agent_pid()
        os.kill(pid, signal.SIGKILL)
        await c.until(lambda n: n[JobState.SUCCEEDED] == 200)
        await c.check(ids)
        assert c.agent_pid() != pid

    run(tmp_path, scenario)


@pytest.mark.slow
def test_an_agent_whose_masters_fall_silent_kills_its_vms_and_the_jobs_run_again(tmp_path) -> None:
    async def scenario(c: Cluster) -> None:
        master = c.start_master()
        ids = await c.submit(4, sleep_s=LEASE_S + 6)
        await c.until(lambda n: n[JobState.RUNNING] == 4)
        assert await c.active_vms() == 4
        master.send_signal(signal.SIGSTOP)
        await asyncio.sleep(LEASE_S)
        assert await c.active_vms() == 0
        master.send_signal(signal.SIGCONT)
        await c.until(lambda n: n[JobState.SUCCEEDED] == 4)
        assert await c.check(ids) == {2: 4}

    run(tmp_path, scenario)


@pytest.mark.slow
def test_a_cancelled_job_is_gone_from_the_host(tmp_path) -> None:
    async def scenario(c: Cluster) -> None:
        c.start_master()
        (job_id,) = await c.submit(1, sleep_s=100)
        await c.until(lambda n: n[JobState.RUNNING] == 1)
        await c.ledger.cancel(job_id, now=now())
        await c.until(lambda n: n[JobState.CANCELLED] == 1)
        async with asyncio.timeout(20):
            while (await c.nodes.list())[0].active_vms:  # noqa: ASYNC110 -- another process writes it
                await asyncio.sleep(0.1)

    run(tmp_path, scenario)
