"""What a term does with the files of attempts that have ended."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quetzalcore.cluster.book import Held
from quetzalcore.cluster.engine import AgentUnreachable
from quetzalcore.cluster.listening import Listening
from quetzalcore.cluster.master_config import MasterConfig, Seams
from quetzalcore.cluster.messages import Answer, EventBatch, Finished, Grant, Produced, ProducedFile
from quetzalcore.cluster.status import Tally
from quetzalcore.cluster.term_state import TermState
from quetzalcore.jobs.ledger import LedgerUnavailable, Report, ReportKind, TenantLoad
from quetzalcore.jobs.memory import MemoryLedger
from quetzalcore.jobs.memory_books import MemoryLeadership, MemoryNodeBook
from quetzalcore.jobs.model import Remedy, Resources
from quetzalcore.jobs.stores import FolderStore

KEY = "tenants/t/jobs/j/a/map.txt"


class _Agent:
    """An agent that puts its one file as soon as it may, and then ends as it is told to."""

    def __init__(self, files: Path, ending: str) -> None:
        self._files, self._ending = files, ending
        self._said = 0

    async def command(self, command: object) -> Answer:
        if isinstance(command, Grant):
            (self._files / KEY).parent.mkdir(parents=True)
            (self._files / KEY).write_text("alpha")
        return Answer(attempts=("a",))

    async def events(self, *, after: int, wait_s: float) -> EventBatch:  # noqa: ARG002 -- the link's
        self._said += 1
        about: dict[str, Any] = {"sequence": self._said, "attempt_id": "a", "job_id": "j"}
        if self._said == 1:
            file = ProducedFile(name="map.txt", size=5, sha256="0" * 64, media_type="text/plain")
            return EventBatch(events=(Produced(files=(file,), **about),))
        if self._said == 2:
            return EventBatch(events=(Finished(ending=self._ending, **about),))
        raise AgentUnreachable("it has said everything")


class _Ledger(MemoryLedger):
    """A ledger that takes every report, or finds every attempt dead; a tenant keeps ``kept`` bytes already."""

    fenced: tuple[str, ...] = ()
    kept: int | None = 0

    def __init__(self, leadership: MemoryLeadership) -> None:
        super().__init__(leadership)
        self.said: list[Report] = []

    async def record(self, reports, *, epoch: int) -> tuple[str, ...]:  # noqa: ARG002 -- the ledger's
        self.said += reports
        return self.fenced

    async def loads(self) -> tuple[TenantLoad, ...]:
        if self.kept is None:
            raise LedgerUnavailable("it does not answer")
        other = TenantLoad(tenant="other", artifact_bytes=10**15)
        return (other, TenantLoad(tenant="t", artifact_bytes=self.kept))


@pytest.mark.parametrize(
    ("ending", "fenced", "stays"),
    [
        ("succeeded", (), True),
        ("succeeded", ("a",), True),  # perhaps stored by a write whose answer was lost
        ("failed", (), False),
        ("cancelled", (), False),
    ],
)
def test_only_the_files_of_a_failure_go_at_once(tmp_path, ending, fenced, stays) -> None:
    async def scenario() -> None:
        leadership = MemoryLeadership()
        ledger = _Ledger(leadership)
        ledger.fenced = fenced
        agent = _Agent(tmp_path / "files", ending)
        seams = Seams(
            ledger=ledger,
            nodes=MemoryNodeBook(leadership),
            store=FolderStore(tmp_path),
            engine=SimpleNamespace(agent=lambda _node: agent),
            clock=lambda: dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        )
        term = TermState(seams, MasterConfig(), epoch=1, tally=Tally())
        term.book.add(Held(attempt_id="a", job_id="j", tenant="t", node="n", resources=Resources()))
        await Listening(term).watch("n")

    asyncio.run(scenario())
    assert (tmp_path / "files" / KEY).exists() is stays


@pytest.mark.parametrize(
    ("kept", "most", "stays"),
    [(0, None, True), (95, 100, True), (96, 100, False), (None, 100, True)],
)
def test_products_beyond_the_quota_are_not_taken(tmp_path, kept, most, stays) -> None:
    ledger = _Ledger(MemoryLeadership())
    ledger.kept = kept

    async def scenario() -> None:
        agent = _Agent(tmp_path / "files", "succeeded")
        seams = Seams(
            ledger=ledger,
            nodes=MemoryNodeBook(MemoryLeadership()),
            store=FolderStore(tmp_path),
            engine=SimpleNamespace(agent=lambda _node: agent),
            clock=lambda: dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        )
        term = TermState(seams, MasterConfig(artifact_bytes=most), epoch=1, tally=Tally())
        term.book.add(Held(attempt_id="a", job_id="j", tenant="t", node="n", resources=Resources()))
        await Listening(term).watch("n")

    asyncio.run(scenario())
    assert (tmp_path / "files" / KEY).exists() is stays
    first = ledger.said[0]
    if stays:
        assert first.kind == ReportKind.SUCCEEDED
    else:
        assert first.failure is not None
        assert (first.failure.code, first.failure.remedy) == ("quota_exceeded", Remedy.USER)
