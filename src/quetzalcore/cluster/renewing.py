"""Renews the leases of what runs, and stops what somebody has cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence

from quetzalcore.cluster import reports
from quetzalcore.cluster.engine import AgentUnreachable
from quetzalcore.cluster.messages import Renew, Stop
from quetzalcore.cluster.term_state import TermState
from quetzalcore.jobs.ledger import JobFilter
from quetzalcore.jobs.model import JobState

__all__ = ["Renewing"]

log = logging.getLogger(__name__)


class Renewing:
    """The keeper of a term's attempts."""

    def __init__(self, term: TermState) -> None:
        self._term = term

    async def renew(self) -> None:
        """Extend the leases of what reachable nodes run, in the ledger first; end what ran out."""
        await asyncio.sleep(self._term.config.lease_s / 3)
        nodes = tuple(self._term.heard_at)
        held = [one for node in nodes for one in self._term.book.of_node(node)]
        said_at = self._term.time()
        if held:
            said = reports.alive(
                held, now=self._term.seams.clock(), lease_s=self._term.config.lease_s
            )
            self._term.forget(await self._term.seams.ledger.record(said, epoch=self._term.epoch))
        await asyncio.gather(*(self._renew_at(node, said_at) for node in nodes))
        self._term.forget(
            await self._term.seams.ledger.expire(
                epoch=self._term.epoch, now=self._term.seams.clock()
            )
        )
        self._term.cancels.set()

    async def _renew_at(self, node: str, said_at: float) -> None:
        told = self._term.told(node)
        lease_s = self._term.config.lease_s - (self._term.time() - said_at)
        leases = dict.fromkeys((held.attempt_id for held in self._term.book.of_node(node)), lease_s)
        try:
            link = self._term.seams.engine.agent(node)
            answer = await link.command(Renew(epoch=self._term.epoch, leases_s=leases))
            await self._term.settle(link, node, answer.attempts, before=told)
        except AgentUnreachable as error:
            log.warning("node %s cannot renew: %s", node, error)
            self._term.heard_at.pop(node, None)
            self._term.look.set()

    async def cancel(self) -> None:
        """Stop the attempts of jobs that somebody has cancelled."""
        await self._term.cancels.wait()
        self._term.cancels.clear()
        if len(self._term.book):
            wanted = JobFilter(states=(JobState.CANCELLING,), limit=self._term.config.batch)
            page = await self._term.seams.ledger.list(wanted)
            by_node: dict[str, list[str]] = defaultdict(list)
            for job in page.items:
                if (held := self._term.book.of_job(job.id)) is not None:
                    by_node[held.node].append(held.attempt_id)
            for node, attempts in by_node.items():
                await self._stop(node, attempts)
        await asyncio.sleep(self._term.config.cancel_s)

    async def _stop(self, node: str, attempts: Sequence[str]) -> None:
        told = self._term.told(node)
        try:
            link = self._term.seams.engine.agent(node)
            answer = await link.command(Stop(epoch=self._term.epoch, attempt_ids=tuple(attempts)))
            await self._term.settle(link, node, answer.attempts, before=told)
        except AgentUnreachable as error:
            log.warning("node %s cannot be told to stop: %s", node, error)
