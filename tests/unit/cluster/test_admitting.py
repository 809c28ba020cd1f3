"""What a term does when it cannot tell a node to start what was admitted."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import pytest

from quetzalcore.cluster.admitting import Admitting
from quetzalcore.cluster.engine import AgentUnreachable
from quetzalcore.cluster.engines.memory import MemoryEngine
from quetzalcore.cluster.master_config import MasterConfig, Seams
from quetzalcore.cluster.status import Tally
from quetzalcore.cluster.term_state import TermState
from quetzalcore.errors import QuetzalError
from quetzalcore.jobs.ledger import StaleEpoch
from quetzalcore.jobs.memory import MemoryLedger
from quetzalcore.jobs.memory_books import MemoryLeadership, MemoryNodeBook
from quetzalcore.jobs.model import InputFile, JobRequest, JobState, Node, Resources
from quetzalcore.jobs.stores.faults import StoreRefused, StoreUnavailable
from quetzalcore.jobs.stores.memory import MemoryStore

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TOTAL = Resources(cpus=4.0, memory_mib=4096, scratch_mib=4096)
NODE = Node(id="n", address="", total=TOTAL, free=TOTAL, trust="tenant")
ASKED = JobRequest(
    tenant="acme",
    user="ada",
    kind="noop",
    kind_version="1",
    run="m:f",
    inputs=(InputFile(name="a.csv", key="tenants/acme/uploads/u", size=1, sha256=""),),
)


class _Faulty(MemoryStore):
    """A store that gives no links."""

    fault: QuetzalError

    async def link(self, *_: object, **__: object) -> str:
        raise self.fault


@pytest.mark.parametrize("kind", [StoreUnavailable, StoreRefused, AgentUnreachable, StaleEpoch])
def test_a_store_that_gives_no_links_stops_no_master(tmp_path: Path, kind) -> None:
    store = _Faulty()
    store.fault = kind("it does not answer")

    async def scenario() -> None:
        leadership = MemoryLeadership()
        ledger = MemoryLedger(leadership)
        epoch = await leadership.acquire("m", lease_s=60, now=NOW) or 0
        job, _ = await ledger.submit(ASKED, now=NOW)
        seams = Seams(
            ledger=ledger,
            nodes=MemoryNodeBook(leadership),
            store=store,
            engine=MemoryEngine((NODE,), tmp_path),
            clock=lambda: NOW,
        )
        term = TermState(seams, MasterConfig(), epoch=epoch, tally=Tally())
        term.nodes, term.heard_at = {"n": NODE}, {"n": 0.0}
        async with asyncio.TaskGroup() as tasks:
            term.wake.set()
            looking = tasks.create_task(Admitting(term, tasks).admit())
            async with asyncio.timeout(10):
                await term.look.wait()  # the next look at the nodes finds what was not begun
            looking.cancel()
        assert (await ledger.get(job.id)).state is JobState.STARTING
        assert not term.starting

    if kind is StaleEpoch:
        with pytest.raises(ExceptionGroup):
            asyncio.run(scenario())
    else:
        asyncio.run(scenario())
