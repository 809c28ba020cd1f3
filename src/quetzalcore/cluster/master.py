"""A master: stands by until it leads, then leads under its epoch until deposed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Protocol

from quetzalcore.cluster.status import MasterMetrics, MasterStatus, Tally, status_of
from quetzalcore.cluster.term import MasterConfig, Seams, Term
from quetzalcore.cluster.term_state import Occupied
from quetzalcore.errors import Retryable
from quetzalcore.jobs.ledger import Leadership, LedgerUnavailable, StaleEpoch
from quetzalcore.jobs.model import Resources

__all__ = ["Companion", "Master", "Workplace"]

log = logging.getLogger(__name__)


class Workplace(Protocol):
    """What a companion of a leader sees of the nodes."""

    def occupied(self) -> tuple[Occupied, ...] | None:
        """Give the nodes with what they hold; None before they were looked at."""
        ...

    def look(self) -> None:
        """Look at the nodes soon: one came, or was asked to drain."""
        ...

    def offer(self, shapes: Sequence[Resources]) -> None:
        """Say what nodes could come, so that jobs that would fit them are not rejected."""
        ...


# Runs beside a term, under its epoch, until cancelled; ``StaleEpoch`` from it ends the term.
Companion = Callable[[int, Workplace], Coroutine[Any, Any, None]]


class Master:
    """One of any number of masters; at most one of them leads.

    Parameters
    ----------
    holder : str
        A name that no other process ever has.
    companions : sequence of Companion
        What else is done under each of its terms.
    """

    def __init__(
        self,
        seams: Seams,
        leadership: Leadership,
        config: MasterConfig,
        *,
        holder: str,
        companions: Sequence[Companion] = (),
    ) -> None:
        self._seams = seams
        self._leadership = leadership
        self._config = config
        self._holder = holder
        self._companions = companions
        self._term: Term | None = None
        self._tally = Tally()

    @property
    def leads(self) -> bool:
        """Whether this master leads now, as far as it knows."""
        return self._term is not None

    async def run(self) -> None:
        """Stand by and lead in turn, until cancelled; what runs then goes on without a master."""
        await self._seams.engine.start()
        try:
            while True:
                await self._lead(await self._stand_by())
        finally:
            with suppress(Retryable):
                await asyncio.shield(self._leadership.release(self._holder))
            await self._seams.engine.close()

    async def status(self) -> MasterStatus:
        """Say how the cluster is, also while standing by."""
        return status_of(
            await self._seams.nodes.list(),
            await self._seams.ledger.loads(),
            leads=self.leads,
            epoch=self._term.epoch if self._term else 0,
        )

    async def metrics(self) -> MasterMetrics:
        """Give what is counted."""
        counts = await self._seams.ledger.counts()
        oldest, now = counts.oldest_queued_at, self._seams.clock()
        return MasterMetrics(
            status=await self.status(),
            terms=self._tally.terms,
            admissions=self._tally.admissions,
            vm_starts=self._tally.vm_starts,
            vm_start_s=self._tally.vm_start_s,
            queue_age_s=0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()),
            jobs=dict(counts.by_state),
        )

    async def _stand_by(self) -> int:
        while True:
            epoch = await self._acquire()
            if epoch is not None:
                return epoch
            await asyncio.sleep(self._config.leader_renew_s * random.uniform(0.8, 1.2))  # noqa: S311 -- jitter

    async def _acquire(self) -> int | None:
        try:
            return await self._leadership.acquire(
                self._holder, lease_s=self._config.leader_lease_s, now=self._seams.clock()
            )
        except LedgerUnavailable as error:
            log.warning("%s; standing by", error)
            return None

    async def _lead(self, epoch: int) -> None:
        term = self._term = Term(self._seams, self._config, epoch=epoch, tally=self._tally)
        self._tally.terms += 1
        log.info("leading with epoch %d", epoch)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep(epoch))
                tasks.create_task(term.run())
                for companion in self._companions:
                    tasks.create_task(companion(epoch, term))
        except* StaleEpoch as deposed:
            log.warning("standing by: %s", deposed.exceptions[0])
        finally:
            self._term = None

    async def _keep(self, epoch: int) -> None:
        """Renew the leadership; an unreachable ledger deposes nobody, for it lets nobody else lead."""
        while True:
            await asyncio.sleep(self._config.leader_renew_s)
            try:
                now_mine = await self._leadership.acquire(
                    self._holder, lease_s=self._config.leader_lease_s, now=self._seams.clock()
                )
            except LedgerUnavailable as error:
                log.warning("%s; the leadership is not renewed", error)
                continue
            if now_mine != epoch:
                raise StaleEpoch("another master leads", hint="stand by")
