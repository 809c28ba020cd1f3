"""Masters on a virtual clock: what runs, who leads, and what survives which fault."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.unit.cluster.virtual_clock import run_virtually

from quetzalcore.cluster.admission import AdmissionConfig
from quetzalcore.cluster.composition import make_master
from quetzalcore.cluster.engines.memory import MemoryEngine
from quetzalcore.cluster.master import Master
from quetzalcore.cluster.term import MasterConfig
from quetzalcore.jobs.ledger import JobFilter, LedgerUnavailable, Waiting
from quetzalcore.jobs.memory import MemoryLedger
from quetzalcore.jobs.memory_books import MemoryLeadership, MemoryNodeBook
from quetzalcore.jobs.model import TERMINAL, Job, JobRequest, JobState, Node, Resources
from quetzalcore.jobs.stores import FolderStore

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TOTAL = Resources(cpus=4, memory_mib=4096, scratch_mib=4096)
CONFIG = MasterConfig(admission=AdmissionConfig(owners=frozenset("*")), lease_s=30.0)


def clock() -> dt.datetime:
    return START + dt.timedelta(seconds=asyncio.get_running_loop().time())


class FlakyLedger(MemoryLedger):
    """A ledger whose database can be taken away."""

    gone = False

    async def record(self, reports, *, epoch: int) -> tuple[str, ...]:
        self._check()
        return await super().record(reports, epoch=epoch)

    async def waiting(self, *, limit: int) -> tuple[Waiting, ...]:
        self._check()
        return await super().waiting(limit=limit)

    async def expire(self, *, epoch: int, now: dt.datetime) -> tuple[str, ...]:
        self._check()
        return await super().expire(epoch=epoch, now=now)

    def _check(self) -> None:
        if self.gone:
            raise LedgerUnavailable("the database is away")


class KeptLeadership(MemoryLeadership):
    """A leadership that a killed master does not release."""

    kept = False

    async def release(self, holder: str) -> None:
        if not self.kept:
            await super().release(holder)


class World:
    """A ledger, a cluster and any number of masters."""

    def __init__(self, folder: Path, *, nodes: int = 2) -> None:
        self.leadership = KeptLeadership()
        self.ledger = FlakyLedger(self.leadership)
        self.book = MemoryNodeBook(self.leadership)
        self.store = FolderStore(folder / "store")
        self.files = folder / "store" / "files"
        self.engine = MemoryEngine(
            tuple(
                Node(id=f"n{n}", address="", total=TOTAL, free=TOTAL, runtime="fake")
                for n in range(nodes)
            ),
            folder,
        )
        self.tasks: dict[Master, asyncio.Task[None]] = {}

    def master(self, config: MasterConfig = CONFIG) -> Master:
        made = make_master(
            ledger=self.ledger,
            nodes=self.book,
            leadership=self.leadership,
            store=self.store,
            engine=self.engine,
            clock=clock,
            config=config,
        )
        self.tasks[made] = asyncio.create_task(made.run())
        return made

    async def kill(self, master: Master) -> None:
        """End a master as kill -9 would: its lease stays until it runs out."""
        self.leadership.kept = True
        await _end(self.tasks.pop(master))
        self.leadership.kept = False

    async def submit(self, *, cpus: float = 1.0, tenant: str = "t", **params: Any) -> str:  # noqa: ANN401 -- a fake task's
        request = JobRequest(
            tenant=tenant,
            user="u",
            kind="noop",
            kind_version="1",
            run="x:y",
            params=params,
            resources=Resources(cpus=cpus, memory_mib=64, scratch_mib=1),
        )
        return (await self.ledger.submit(request, now=clock()))[0].id

    async def ended(self, *job_ids: str, within_s: float = 300.0) -> list[Job]:
        async with asyncio.timeout(within_s):
            while True:
                jobs = [await self.ledger.get(job_id) for job_id in job_ids]
                if all(job.state in TERMINAL for job in jobs):
                    return jobs
                await asyncio.sleep(0.05)

    async def until(self, true: Callable[[], bool], within_s: float = 60.0) -> None:
        async with asyncio.timeout(within_s):
            while not true():  # noqa: ASYNC110 -- virtual time
                await asyncio.sleep(0.01)

    def begun(self) -> Counter[str]:
        """How often each task began, by its echo, on every agent there has been."""
        return Counter(
            task.params["echo"] for vms in self.engine.vms.values() for task in vms.begun
        )


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@asynccontextmanager
async def world(folder: Path, **changes: int) -> AsyncIterator[World]:
    made = World(folder, **changes)
    await made.engine.start()
    try:
        yield made
    finally:
        for task in made.tasks.values():
            await _end(task)
        await made.engine.shut_down()


def test_a_job_runs_and_its_products_are_in_the_store(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            w.master()
            job_id = await w.submit(echo="a", products={"maps/a.txt": "alpha"})
            (job,) = await w.ended(job_id, within_s=5)
            assert job.state is JobState.SUCCEEDED
            assert job.result == {"echo": "a"}
            attempt = job.attempts[-1]
            (artifact,) = job.artifacts
            assert artifact.key == f"tenants/t/jobs/{job_id}/{attempt.id}/maps/a.txt"
            assert (w.files / artifact.key).read_text() == "alpha"

    run_virtually(scenario())


def test_two_hundred_jobs_end_once_each(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            w.master()
            ids = [await w.submit(echo=str(n), sleep_s=n % 3) for n in range(200)]
            jobs = await w.ended(*ids)
            assert Counter(job.state for job in jobs) == {JobState.SUCCEEDED: 200}
            assert set(w.begun().values()) == {1}

    run_virtually(scenario())


def test_no_node_is_given_more_than_it_has(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path, nodes=1) as w:
            w.master()
            ids = [await w.submit(echo=str(n), sleep_s=1, cpus=1.5) for n in range(9)]
            most = 0
            while any(job.state not in TERMINAL for job in [await w.ledger.get(i) for i in ids]):
                most = max(most, w.engine.vms["n0"].stats().active)
                await asyncio.sleep(0.1)
            assert most == 2

    run_virtually(scenario())


def test_a_killed_leader_is_followed_within_ten_seconds_and_nothing_runs_twice(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            first, second = w.master(), None
            await w.until(lambda: first.leads)
            second = w.master()
            ids = [await w.submit(echo=str(n), sleep_s=20) for n in range(8)]
            ids += [await w.submit(echo=f"later{n}") for n in range(8)]
            await asyncio.sleep(3)
            assert not second.leads
            await w.kill(first)
            killed_at = asyncio.get_running_loop().time()
            await w.until(lambda: second.leads)
            assert asyncio.get_running_loop().time() - killed_at < 10
            jobs = await w.ended(*ids)
            assert Counter(job.state for job in jobs) == {JobState.SUCCEEDED: 16}
            assert set(w.begun().values()) == {1}, "what ran was adopted"

    run_virtually(scenario())


def test_a_leader_that_slept_stands_by_when_it_wakes(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            first = w.master()
            await w.until(lambda: first.leads)
            w.leadership._until = clock()  # as if it had not been able to renew
            assert await w.leadership.acquire("another", lease_s=20, now=clock()) == 2
            await w.until(lambda: not first.leads, within_s=5)
            await w.until(lambda: first.leads, within_s=60)
            (job,) = await w.ended(await w.submit(echo="a"))
            assert job.state is JobState.SUCCEEDED

    run_virtually(scenario())


def test_an_agent_that_died_loses_its_attempts_at_once(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path, nodes=1) as w:
            w.master()
            job_id = await w.submit(echo="a", sleep_s=10)
            await w.until(lambda: w.begun()["a"] == 1)
            await w.engine.kill("n0")
            w.engine.revive("n0")
            began = asyncio.get_running_loop().time()
            await w.until(lambda: w.begun()["a"] == 1)
            assert asyncio.get_running_loop().time() - began < 5, "no lease had to run out"
            (job,) = await w.ended(job_id)
            assert [a.state for a in job.attempts] == ["lost", "succeeded"]

    run_virtually(scenario())


def test_a_node_that_is_gone_for_good_loses_its_attempts_to_another(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            w.master()
            ids = [await w.submit(echo=str(n), sleep_s=10) for n in range(8)]
            await w.until(lambda: sum(w.begun().values()) == 8)
            await w.engine.kill("n0")
            jobs = await w.ended(*ids)
            assert Counter(job.state for job in jobs) == {JobState.SUCCEEDED: 8}
            assert sorted(len(job.attempts) for job in jobs) == [1] * 4 + [2] * 4
            assert {job.attempts[-1].node for job in jobs} == {"n1"}

    run_virtually(scenario())


def test_a_node_that_is_cut_off_kills_its_vms_before_anybody_else_runs_them(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            w.master()
            ids = [await w.submit(echo=str(n), sleep_s=100, cpus=2) for n in range(2)]
            await w.until(lambda: w.engine.vms["n0"].stats().active == 2)
            w.engine.cut("n0")
            other = w.engine.vms["n1"]
            await w.until(lambda: len(other.begun) == 2)
            assert len(w.engine.vms["n0"].killed) == 2, "both would run at once"
            w.engine.mend("n0")
            jobs = await w.ended(*ids)
            assert Counter(job.state for job in jobs) == {JobState.SUCCEEDED: 2}
            assert [len(job.attempts) for job in jobs] == [2, 2]

    run_virtually(scenario())


def test_a_ledger_that_is_away_for_a_while_loses_nothing(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            w.master()
            ids = [await w.submit(echo=str(n), sleep_s=3) for n in range(4)]
            await w.until(lambda: sum(w.begun().values()) == 4)
            w.ledger.gone = True
            ids.append(await w.submit(echo="meanwhile"))
            await asyncio.sleep(12)
            assert len(w.engine.vms["n0"].killed) == 0
            w.ledger.gone = False
            jobs = await w.ended(*ids, within_s=15)
            assert Counter(job.state for job in jobs) == {JobState.SUCCEEDED: 5}
            assert set(w.begun().values()) == {1}

    run_virtually(scenario())


def test_a_cancelled_job_ends_and_so_does_its_vm(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            w.master()
            job_id = await w.submit(echo="a", sleep_s=1000)
            await w.until(lambda: w.begun()["a"] == 1)
            await w.ledger.cancel(job_id, now=clock())
            (job,) = await w.ended(job_id, within_s=5)
            assert job.state is JobState.CANCELLED
            assert sum(len(vms.killed) for vms in w.engine.vms.values()) == 1

    run_virtually(scenario())


def test_a_long_job_is_renewed_for_as_long_as_it_runs(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path, nodes=1) as w:
            w.master()
            (job,) = await w.ended(await w.submit(echo="a", sleep_s=200))
            assert job.state is JobState.SUCCEEDED
            assert len(job.attempts) == 1

    run_virtually(scenario())


def test_a_draining_node_gets_nothing_new(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            w.master()
            await w.ended(await w.submit(echo="first"))
            await w.book.drain("n0", draining=True)
            await asyncio.sleep(5)
            before = len(w.engine.vms["n0"].begun)
            jobs = await w.ended(*[await w.submit(echo=str(n), sleep_s=1) for n in range(12)])
            assert {job.attempts[-1].node for job in jobs} == {"n1"}
            assert len(w.engine.vms["n0"].begun) == before

    run_virtually(scenario())


def test_what_no_node_can_hold_is_rejected_with_the_largest_there_is(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            w.master()
            (job,) = await w.ended(await w.submit(cpus=64, echo="super"), within_s=20)
            assert job.state is JobState.FAILED
            assert job.failure is not None
            assert job.failure.code == "infeasible"
            assert "64 cores" in job.failure.detail
            assert "the largest node has 4 cores" in job.failure.detail

    run_virtually(scenario())


def test_work_of_tenants_waits_where_no_node_enforces_every_limit(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            w.master(replace(CONFIG, admission=AdmissionConfig(owners=frozenset({"me"}))))
            mine = await w.submit(echo="mine", tenant="me")
            theirs = await w.submit(echo="theirs", tenant="them")
            (job, other) = await w.ended(mine, theirs, within_s=20)
            assert job.state is JobState.SUCCEEDED
            assert other.failure is not None
            assert other.failure.code == "no_trusted_node"
            assert w.begun() == {"mine": 1}

    run_virtually(scenario())


def test_a_product_with_an_impossible_name_fails_the_job_in_words(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            w.master()
            (job,) = await w.ended(await w.submit(echo="a", products={".hidden": "x"}))
            assert job.state is JobState.FAILED
            assert job.failure is not None
            assert ".hidden" in job.failure.detail
            assert not [path for path in w.files.rglob("*") if path.is_file()]

    run_virtually(scenario())


def test_a_failure_is_retried_by_its_remedy(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            w.master()
            mistake = await w.submit(echo="mistake", fail="user")
            unlucky = await w.submit(echo="unlucky", fail="retry")
            jobs = await w.ended(mistake, unlucky)
            assert [len(job.attempts) for job in jobs] == [1, 3]
            assert {job.state for job in jobs} == {JobState.FAILED}

    run_virtually(scenario())


def test_a_node_is_in_the_book_and_the_status_adds_up(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            master = w.master()
            standby = w.master()
            await w.until(lambda: master.leads)
            await w.submit(echo="a", sleep_s=50)
            await asyncio.sleep(3)
            assert [node.id for node in await w.book.list()] == ["n0", "n1"]
            for either in (master, standby):
                status = await either.status()
                assert (status.workers, status.active_vms, status.running) == (2, 1, 1)
                assert (status.total_cores, status.total_memory_gb) == (8, 8)
            metrics = await master.metrics()
            assert (metrics.terms, metrics.admissions, metrics.vm_starts) == (1, 1, 0)
            await w.ended(*[job.id for job in (await w.ledger.list(JobFilter())).items])
            await w.submit(echo="too much", cpus=4, sleep_s=100)
            await w.submit(echo="too much", cpus=4, sleep_s=100)
            await asyncio.sleep(1)
            await w.submit(echo="waits", cpus=4)
            await asyncio.sleep(30)
            metrics = await master.metrics()
            assert (metrics.admissions, metrics.vm_starts) == (3, 1)
            assert metrics.queue_age_s == 30
            assert metrics.jobs[JobState.QUEUED] == 1
            assert (await standby.status()).leads is False

    run_virtually(scenario())


def test_an_idle_master_writes_nothing_but_its_leadership(tmp_path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as w:
            w.master()
            await asyncio.sleep(10)
            asked: Counter[str] = Counter()
            for name in ("waiting", "loads", "record", "live", "list", "admit"):
                _count(w.ledger, name, asked)
            await asyncio.sleep(100)
            assert sum(asked.values()) <= 10, asked

    run_virtually(scenario())


def _count(ledger: MemoryLedger, name: str, asked: Counter[str]) -> None:
    call = getattr(ledger, name)

    async def counted(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- whatever the call takes
        asked[name] += 1
        return await call(*args, **kwargs)

    setattr(ledger, name, counted)
