"""One term of a leading master: admit, start, watch, renew, cancel, until deposed."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from quetzalcore.cluster.admitting import Admitting
from quetzalcore.cluster.book import held_by
from quetzalcore.cluster.engine import AgentUnreachable
from quetzalcore.cluster.listening import Listening
from quetzalcore.cluster.master_config import MasterConfig, Seams
from quetzalcore.cluster.renewing import Renewing
from quetzalcore.cluster.status import Tally
from quetzalcore.cluster.term_state import (
    FIRST_PAUSE_S,
    LONG_POLL_S,
    LONGEST_PAUSE_S,
    Occupied,
    TermState,
)
from quetzalcore.jobs.ledger import LedgerUnavailable
from quetzalcore.jobs.model import Node, Resources

__all__ = ["MasterConfig", "Seams", "Term"]

log = logging.getLogger(__name__)

_SEEN_S = 10.0  # the book of nodes says at least so often that they are there


class Term:
    """What a leader does under one epoch; ``run`` ends only by ``StaleEpoch`` or by being cancelled."""

    def __init__(
        self, seams: Seams, config: MasterConfig, *, epoch: int, tally: Tally | None = None
    ) -> None:
        self.epoch = epoch
        self._state = TermState(seams, config, epoch=epoch, tally=tally or Tally())
        self._listening = Listening(self._state)
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._seen: int | None = None
        self._looked = False
        self._tasks: asyncio.TaskGroup

    def occupied(self) -> tuple[Occupied, ...] | None:
        """Give the nodes with what they hold; None before they were looked at."""
        return self._state.occupied() if self._looked else None

    def look(self) -> None:
        """Look at the nodes soon."""
        self._state.look.set()

    def offer(self, shapes: Sequence[Resources]) -> None:
        """Say what nodes could come."""
        self._state.shapes = tuple(shapes)

    async def run(self) -> None:
        """Adopt what runs, then do everything that a leader does."""
        for job in await self._state.seams.ledger.live():
            self._state.book.add(held_by(job))
        log.info("term %d begins with %d live attempts", self.epoch, len(self._state.book))
        renewing = Renewing(self._state)
        async with asyncio.TaskGroup() as self._tasks:
            for work in (
                self._follow_nodes,
                self._notice,
                Admitting(self._state, self._tasks).admit,
                renewing.renew,
                renewing.cancel,
            ):
                self._tasks.create_task(self._persist(work), name=work.__name__)

    async def _persist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do work for ever; wait a little, longer each time, while the ledger cannot be reached."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await work()
                pause_s = FIRST_PAUSE_S
            except (LedgerUnavailable, AgentUnreachable) as error:
                log.warning("%s; trying again", error)
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _notice(self) -> None:
        """Wake the others when somebody has written to the ledger."""
        self._seen = await self._state.seams.ledger.changed(timeout_s=LONG_POLL_S, seen=self._seen)
        self._state.wake.set()
        self._state.cancels.set()

    async def _follow_nodes(self) -> None:
        """Look which nodes there are, watch each, and write them down."""
        found = {node.id: node for node in await self._state.seams.engine.nodes()}
        known = {node.id: node for node in await self._state.seams.nodes.list()}
        now = self._state.seams.clock()
        nodes = {
            name: replace(
                node,
                draining=name in known and known[name].draining,
                free=self._state.book.free(node),
                seen_at=now,
            )
            for name, node in found.items()
        }
        if {n: _shape(node) for n, node in nodes.items()} != {
            n: _shape(node) for n, node in self._state.nodes.items()
        }:
            self._state.changed_at = self._state.time()
            self._state.wake.set()
        self._state.nodes, self._looked = nodes, True
        for name in nodes:
            if name not in self._watches or self._watches[name].done():
                self._watches[name] = self._tasks.create_task(self._listening.watch(name))
        if _differs(nodes, known, now):
            await self._state.seams.nodes.put(tuple(nodes.values()), epoch=self._state.epoch)
        self._state.look.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._state.look.wait(), self._state.config.nodes_s)


def _shape(node: Node) -> tuple[object, ...]:
    return (node.total, node.trust, node.ready, node.draining)


def _differs(found: Mapping[str, Node], known: Mapping[str, Node], now: dt.datetime) -> bool:
    """Say whether the book of nodes needs to be written again."""
    if found.keys() != known.keys():
        return True
    for name, node in found.items():
        was = known[name]
        seen_at = was.seen_at
        # How busy a host is changes all the time, and is written when anything else is.
        same = replace(
            node,
            seen_at=seen_at,
            cpu_percent=was.cpu_percent,
            memory_percent=was.memory_percent,
        )
        if same != was:
            return True
        if seen_at is None or (now - seen_at).total_seconds() > _SEEN_S:
            return True
    return False
