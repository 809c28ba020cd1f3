"""What the works of one term share: who runs what where, and what wakes whom."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from quetzalcore.cluster import reports
from quetzalcore.cluster.book import Book
from quetzalcore.cluster.engine import AgentLink
from quetzalcore.cluster.master_config import MasterConfig, Seams
from quetzalcore.cluster.messages import Stop
from quetzalcore.cluster.status import Tally
from quetzalcore.jobs.ledger import LedgerRefused, LedgerUnavailable, Report
from quetzalcore.jobs.model import Node, Resources, Usage

__all__ = ["FIRST_PAUSE_S", "LONGEST_PAUSE_S", "LONG_POLL_S", "Occupied", "TermState", "round_s"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0  # while something cannot be reached
LONG_POLL_S = 20.0  # a long poll's patience
_LONGEST_ROUND_S = 0.05  # from one look at what has happened to the next, where nobody waits for it
_ROUND_SHARE = 0.2  # of what an attempt takes
_MEMORY = 0.9  # how much of what attempts took is remembered at the end of another

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupied:
    """A node and how many attempts it has; none can come to one that drains."""

    node: Node
    running: int


class TermState:
    """One epoch's knowledge.

    ``wake`` says that something may be admitted now, ``look`` that the nodes are to be looked at,
    ``cancels`` that a job may have been cancelled. ``heard_at`` has the nodes that can be reached.
    """

    def __init__(self, seams: Seams, config: MasterConfig, *, epoch: int, tally: Tally) -> None:
        self.seams = seams
        self.config = config
        self.epoch = epoch
        self.tally = tally
        self.book = Book()
        self.nodes: dict[str, Node] = {}
        self.heard_at: dict[str, float] = {}
        self.changed_at = 0.0
        self._typical_s = 0.0
        self.starting: set[str] = set()
        self.shapes: tuple[Resources, ...] = ()  # nodes that could come
        self.placing: frozenset[str] = frozenset()  # nodes of admissions that are being written
        self.wake, self.look, self.cancels = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def takes(self, node: str) -> bool:
        """Say whether jobs may be placed on a node as it is known now."""
        return node in self.nodes and not self.nodes[node].draining

    def occupied(self) -> tuple[Occupied, ...]:
        """Give the nodes with what they hold, counting jobs that are just being placed."""
        return tuple(
            Occupied(node=node, running=len(self.book.of_node(name)) + (name in self.placing))
            for name, node in self.nodes.items()
        )

    def told(self, node: str) -> set[str]:
        """Give a node's attempts whose start is not on its way."""
        return {held.attempt_id for held in self.book.of_node(node)} - self.starting

    async def settle(
        self, link: AgentLink, node: str, holds: Collection[str], *, before: Collection[str]
    ) -> None:
        """Requeue what the agent has lost, stop what it should not have."""
        found = self.book.compare(node, holds, before=before)
        if found.lost:
            log.warning("node %s has lost %d attempts", node, len(found.lost))
            await self.record(reports.lost(found.lost, now=self.seams.clock()))
            self.forget(held.attempt_id for held in found.lost)
        if found.unknown:
            await link.command(
                Stop(epoch=self.epoch, attempt_ids=found.unknown, reason="superseded")
            )

    async def record(self, said: Sequence[Report]) -> tuple[str, ...]:
        """Write reports into the ledger, as often as it takes; give the attempts that are not live."""
        pause_s = FIRST_PAUSE_S
        while said:
            try:
                return await self.seams.ledger.record(said, epoch=self.epoch)
            except LedgerUnavailable as error:
                log.warning("%s; trying again", error)
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except LedgerRefused as error:
                return await self._record_apart(said, error)
        return ()

    async def _record_apart(self, said: Sequence[Report], error: LedgerRefused) -> tuple[str, ...]:
        """Write one report at a time, so that one that cannot be kept harms its own attempt only."""
        if len(said) > 1:
            fenced = [await self.record((report,)) for report in said]
            return tuple(dict.fromkeys(attempt for some in fenced for attempt in some))
        log.error("a report of attempt %s cannot be kept: %s", said[0].attempt_id, error)
        instead = reports.unkeepable(said[0])
        return (said[0].attempt_id,) if instead is None else await self.record((instead,))

    def forget(self, attempt_ids: Iterable[str]) -> None:
        """Drop attempts that live no more; what they held may be given to others at once."""
        dropped = [self.book.drop(attempt_id) for attempt_id in tuple(attempt_ids)]
        if any(dropped):
            self.wake.set()

    def time_attempt(self, used: Usage | None) -> None:
        """Learn how long attempts take."""
        if used is not None:
            took_s = used.vm_start_s + used.wall_s
            self._typical_s += (1.0 - _MEMORY) * (took_s - self._typical_s)

    async def end_round(self, began_at: float) -> None:
        """Let a little more happen before the next look, so that one transaction stores it all."""
        cores = sum(node.total.cpus for node in self.nodes.values())
        wait_s = round_s(self._typical_s, attempts=len(self.book), cores=cores)
        await asyncio.sleep(max(0.0, began_at + wait_s - self.time()))

    def time(self) -> float:
        """Give the event loop's time."""
        return asyncio.get_running_loop().time()


def round_s(typical_s: float, *, attempts: int, cores: float) -> float:
    """Say how long a round may last: no time unless many more attempts run than there are cores.

    None of these then stands still for it; and each waits for a part of its own time only.
    """
    return min(_LONGEST_ROUND_S, _ROUND_SHARE * typical_s) if attempts > 2 * cores else 0.0
