"""What else runs beside a leader: under which epoch, what it sees of the nodes, and what it may ask of them."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.unit.cluster.virtual_clock import run_virtually

from quetzalcore.cluster.admission import AdmissionConfig
from quetzalcore.cluster.composition import make_master
from quetzalcore.cluster.engines.memory import MemoryEngine
from quetzalcore.cluster.master import Workplace
from quetzalcore.cluster.term import MasterConfig
from quetzalcore.cluster.term_state import Occupied
from quetzalcore.jobs.memory import MemoryLedger
from quetzalcore.jobs.memory_books import MemoryLeadership, MemoryNodeBook
from quetzalcore.jobs.model import TERMINAL, Job, JobRequest, JobState, Node, Resources
from quetzalcore.jobs.stores.memory import MemoryStore

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TOTAL = Resources(cpus=4, memory_mib=4096, scratch_mib=4096)
OWNERS = AdmissionConfig(owners=frozenset("*"))


class Beside:
    """A master with one companion, which hands its workplace to a test."""

    def __init__(self, folder: Path) -> None:
        self.leadership = MemoryLeadership()
        self.ledger = MemoryLedger(self.leadership)
        self.book = MemoryNodeBook(self.leadership)
        node = Node(id="n", address="", total=TOTAL, free=TOTAL, runtime="fake")
        self.engine = MemoryEngine((node,), folder)
        self.began: asyncio.Queue[tuple[int, Workplace]] = asyncio.Queue()
        self.ended: list[int] = []
        self.first_look: tuple[Occupied, ...] | None = ()

    async def companion(self, epoch: int, workplace: Workplace) -> None:
        self.first_look = workplace.occupied()
        await self.began.put((epoch, workplace))
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append(epoch)

    async def submit(self, cpus: float, **params: object) -> str:
        request = JobRequest(
            tenant="t",
            user="u",
            kind="noop",
            kind_version="1",
            run="x:y",
            params=params,
            resources=Resources(cpus=cpus, memory_mib=64, scratch_mib=1),
        )
        return (await self.ledger.submit(request, now=clock()))[0].id

    async def nodes(
        self, workplace: Workplace, wanted: Callable[[tuple[Occupied, ...]], bool]
    ) -> tuple[Occupied, ...]:
        async with asyncio.timeout(60):
            while not wanted(workplace.occupied() or ()):  # noqa: ASYNC110 -- virtual time
                await asyncio.sleep(0.05)
        return workplace.occupied() or ()

    async def until_ended(self, job_id: str) -> Job:
        async with asyncio.timeout(120):
            while (job := await self.ledger.get(job_id)).state not in TERMINAL:  # noqa: ASYNC110 -- as above
                await asyncio.sleep(0.1)
        return job


def clock() -> dt.datetime:
    return START + dt.timedelta(seconds=asyncio.get_running_loop().time())


def play(folder: Path, scenario: Callable[[Beside, int, Workplace], Awaitable[None]]) -> None:
    async def main() -> None:
        beside = Beside(folder)
        master = make_master(
            ledger=beside.ledger,
            nodes=beside.book,
            leadership=beside.leadership,
            store=MemoryStore(),
            engine=beside.engine,
            clock=clock,
            config=MasterConfig(admission=OWNERS, settle_s=5.0),
            companions=(beside.companion,),
        )
        running = asyncio.create_task(master.run())
        try:
            epoch, workplace = await beside.began.get()
            await scenario(beside, epoch, workplace)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await beside.engine.shut_down()

    run_virtually(main())


def test_a_companion_runs_under_each_term_and_ends_with_it(tmp_path) -> None:
    async def scenario(beside: Beside, epoch: int, _workplace: Workplace) -> None:
        beside.leadership._until = clock()
        later = await beside.leadership.acquire("another", lease_s=5, now=clock())
        again, _ = await asyncio.wait_for(beside.began.get(), 60)
        assert beside.ended == [epoch]
        assert later is not None
        assert again > later > epoch

    play(tmp_path, scenario)


def test_it_sees_nothing_before_the_nodes_were_looked_at_and_then_what_they_hold(tmp_path) -> None:
    async def scenario(beside: Beside, _epoch: int, workplace: Workplace) -> None:
        assert beside.first_look is None
        (idle,) = await beside.nodes(workplace, bool)
        assert (idle.node.id, idle.running) == ("n", 0)
        job_id = await beside.submit(1.0, echo="a", sleep_s=5)
        await beside.nodes(workplace, lambda found: [one.running for one in found] == [1])
        await beside.until_ended(job_id)
        await beside.nodes(workplace, lambda found: [one.running for one in found] == [0])

    play(tmp_path, scenario)


def test_nothing_comes_to_a_node_that_is_seen_to_drain(tmp_path) -> None:
    async def scenario(beside: Beside, _epoch: int, workplace: Workplace) -> None:
        await beside.nodes(workplace, bool)
        await beside.book.drain("n", draining=True)
        workplace.look()
        await beside.nodes(workplace, lambda found: [one.node.draining for one in found] == [True])
        job_id = await beside.submit(1.0, echo="a")
        await asyncio.sleep(20)
        assert (await beside.ledger.get(job_id)).state is JobState.QUEUED
        assert beside.engine.vms["n"].begun == []
        await beside.book.drain("n", draining=False)
        workplace.look()
        assert (await beside.until_ended(job_id)).state is JobState.SUCCEEDED

    play(tmp_path, scenario)


def test_what_would_fit_a_node_that_could_come_is_not_rejected(tmp_path) -> None:
    async def scenario(beside: Beside, _epoch: int, workplace: Workplace) -> None:
        await beside.nodes(workplace, bool)
        workplace.offer([Resources(cpus=16, memory_mib=16384, scratch_mib=1 << 30)])
        waits = await beside.submit(8.0, echo="a")
        hopeless = await beside.submit(64.0, echo="b")
        rejected = await beside.until_ended(hopeless)
        assert rejected.state is JobState.FAILED
        await asyncio.sleep(30)
        assert (await beside.ledger.get(waits)).state is JobState.QUEUED

    play(tmp_path, scenario)
