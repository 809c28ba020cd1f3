"""What a term does with reports that the ledger will never take."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pytest

from quetzalcore.cluster.engines.memory import MemoryEngine
from quetzalcore.cluster.master_config import MasterConfig, Seams
from quetzalcore.cluster.status import Tally
from quetzalcore.cluster.term_state import TermState
from quetzalcore.jobs.ledger import LedgerRefused, Report, ReportKind
from quetzalcore.jobs.memory import MemoryLedger
from quetzalcore.jobs.memory_books import MemoryLeadership, MemoryNodeBook
from quetzalcore.jobs.stores.memory import MemoryStore

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class _Picky(MemoryLedger):
    """A ledger that refuses every write with a report of some attempts, or of their success only."""

    def __init__(self, *, never: frozenset[str], no_success: frozenset[str]) -> None:
        super().__init__(MemoryLeadership())
        self.kept: list[tuple[str, str]] = []
        self._never, self._no_success = never, no_success

    async def record(self, reports: Sequence[Report], *, epoch: int) -> tuple[str, ...]:
        del epoch
        for each in reports:
            if each.attempt_id in self._never or (
                each.attempt_id in self._no_success and each.kind == ReportKind.SUCCEEDED
            ):
                raise LedgerRefused("no")
        self.kept += [(each.attempt_id, each.kind) for each in reports]
        return tuple(each.attempt_id for each in reports if each.attempt_id == "fenced")


def _ended(attempt_id: str) -> Report:
    return Report(attempt_id=attempt_id, job_id="j", kind=ReportKind.SUCCEEDED, at=NOW)


@pytest.mark.parametrize("alone", [True, False])
def test_a_report_that_cannot_be_kept_fails_its_own_attempt_only(
    tmp_path: Path, *, alone: bool
) -> None:
    ledger = _Picky(never=frozenset({"worst"}), no_success=frozenset({"bad"}))
    said = [_ended(name) for name in (("bad",) if alone else ("good", "bad", "worst", "fenced"))]

    async def scenario() -> tuple[str, ...]:
        seams = Seams(
            ledger=ledger,
            nodes=MemoryNodeBook(MemoryLeadership()),
            store=MemoryStore(),
            engine=MemoryEngine((), tmp_path),
            clock=lambda: NOW,
        )
        return await TermState(seams, MasterConfig(), epoch=1, tally=Tally()).record(said)

    fenced = asyncio.run(scenario())
    if alone:
        assert (ledger.kept, fenced) == ([("bad", ReportKind.FAILED)], ())
        return
    assert ledger.kept == [
        ("good", ReportKind.SUCCEEDED),
        ("bad", ReportKind.FAILED),
        ("fenced", ReportKind.SUCCEEDED),
    ]
    assert fenced == ("worst", "fenced")
