"""Follows the agents' events, writes them into the ledger, and lets products be stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from quetzalcore.cluster import reports
from quetzalcore.cluster.book import Held
from quetzalcore.cluster.engine import AgentLink, AgentUnreachable
from quetzalcore.cluster.failures import failure_of
from quetzalcore.cluster.messages import AgentEvent, Grant, Produced, Renew, Stop
from quetzalcore.cluster.orders import artifact_key
from quetzalcore.cluster.term_state import FIRST_PAUSE_S, LONG_POLL_S, TermState
from quetzalcore.errors import QuetzalError
from quetzalcore.jobs.ledger import LedgerUnavailable, QuotaExceeded, Report, ReportKind

__all__ = ["Listening"]

log = logging.getLogger(__name__)


class Listening:
    """The ears of a term; events are acknowledged only once they are stored."""

    def __init__(self, term: TermState) -> None:
        self._term = term
        self._stored: dict[str, int] = {}
        self._granted: dict[str, tuple[str, ...]] = {}  # the keys that attempts may put

    async def watch(self, node: str) -> None:
        """Follow one node's events until it cannot be reached; the next look at the nodes begins anew."""
        try:
            link = self._term.seams.engine.agent(node)
            await self._greet(link, node)
            after = 0
            while True:
                batch = await link.events(after=after, wait_s=LONG_POLL_S)
                self._term.heard_at[node] = heard_at = self._term.time()
                if batch.events:
                    await self._store(link, node, batch.events)
                    after = batch.events[-1].sequence
                    await self._term.end_round(heard_at)
        except AgentUnreachable as error:
            if self._term.takes(node):
                log.warning("node %s: %s", node, error)
            else:
                log.info("node %s has left", node)
            self._term.heard_at.pop(node, None)
            await asyncio.sleep(FIRST_PAUSE_S)
            self._term.look.set()

    async def _greet(self, link: AgentLink, node: str) -> None:
        """Make this epoch known, and compare what the agent holds with what it should."""
        told = self._term.told(node)
        answer = await link.command(Renew(epoch=self._term.epoch, leases_s={}))
        self._term.heard_at[node] = self._term.time()
        await self._term.settle(link, node, answer.attempts, before=told)
        self._term.wake.set()

    async def _store(self, link: AgentLink, node: str, events: Sequence[AgentEvent]) -> None:
        """Write events into the ledger, as often as it takes; only then may they be acknowledged."""
        said = reports.reports(
            reports.unsaid(events, self._stored.get(node, 0)),
            self._term.book,
            now=self._term.seams.clock(),
            lease_s=self._term.config.lease_s,
        )
        ended = [event.attempt_id for event in reports.endings(events)]
        self._term.forget(ended)  # nothing of them runs: what follows need not wait for the disk
        fenced = await self._term.record(said)
        self._stored[node] = events[-1].sequence
        for event in reports.endings(events):
            self._term.tally.count_end(event.used)
            self._term.time_attempt(event.used)
            keys = self._granted.pop(event.attempt_id, ())
            # A success that is fenced off may be one that was stored by a write whose answer was lost:
            # its files are left to the janitor, who asks the ledger.
            if event.ending != "succeeded":
                await self._delete(keys)
        if dead := tuple(attempt for attempt in fenced if attempt not in ended):
            self._term.forget(dead)
            await link.command(Stop(epoch=self._term.epoch, attempt_ids=dead))
        for produced in reports.products(events):
            await self._grant(link, produced)

    async def _grant(self, link: AgentLink, produced: Produced) -> None:
        """Let an agent put an attempt's products, or fail the attempt if one has an impossible name."""
        held = self._term.book.get(produced.attempt_id)
        if held is None:
            return
        try:
            await self._check_room(held, produced)
            urls = {
                file.name: await self._term.seams.store.link(
                    artifact_key(held, file.name), method="PUT", expires_s=self._term.config.link_s
                )
                for file in produced.files
            }
        except QuetzalError as error:
            await self._fail(held, error)
            await link.command(Stop(epoch=self._term.epoch, attempt_ids=(held.attempt_id,)))
            return
        self._granted[held.attempt_id] = tuple(artifact_key(held, name) for name in urls)
        await link.command(Grant(epoch=self._term.epoch, attempt_id=held.attempt_id, urls=urls))

    async def _check_room(self, held: Held, produced: Produced) -> None:
        """Refuse products for which their tenant has no room: when the job was submitted there was still some.

        Raises
        ------
        QuotaExceeded
        """
        most = self._term.config.artifact_bytes
        if most is None:
            return
        try:
            loads = await self._term.seams.ledger.loads()
        except LedgerUnavailable as error:
            log.warning("%s; products of %s are taken unseen", error, held.tenant)
            return
        kept = sum(load.artifact_bytes for load in loads if load.tenant == held.tenant)
        size = sum(file.size for file in produced.files)
        if kept + size > most:
            raise QuotaExceeded(
                f"the products take {size} bytes, those of {held.tenant} {kept}, and {most} are allowed",
                hint="wait until old jobs are forgotten, or ask the operator for more room",
            )

    async def _delete(self, keys: Sequence[str]) -> None:
        """Delete what an attempt has put that did not succeed; nobody refers to it."""
        for key in keys:
            try:
                await self._term.seams.store.delete(key)
            except (QuetzalError, OSError) as error:
                log.warning("the file %s of a dead attempt stays: %s", key, error)

    async def _fail(self, held: Held, error: QuetzalError) -> None:
        await self._term.record(
            [
                Report(
                    attempt_id=held.attempt_id,
                    job_id=held.job_id,
                    kind=ReportKind.FAILED,
                    at=self._term.seams.clock(),
                    failure=failure_of(error),
                )
            ]
        )
        self._term.forget([held.attempt_id])
