"""Admits what fits: asks the ledger who waits, decides, writes it down and tells the agents."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from quetzalcore.cluster.admission import Placement, decide
from quetzalcore.cluster.book import held_by
from quetzalcore.cluster.messages import Start
from quetzalcore.cluster.orders import assignment
from quetzalcore.cluster.term_state import TermState
from quetzalcore.errors import Permanent, Retryable, UserMistake
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import Admission, Waiting
from quetzalcore.jobs.model import Job, Node

__all__ = ["Admitting"]

_LEAST_BATCH, _PER_CORE = 32, 16  # jobs that a decision looks at: some may ask for a part of a core
_LOOK_AGAIN_S = 1.0  # while jobs wait: some become due by time alone
_FRESH_S = 0.1  # how long the head of the queue is not read again while something of it can start

_FAULTS = (Retryable, Permanent, UserMistake)  # of the agent or of the store; not a newer leader

log = logging.getLogger(__name__)


class Admitting:
    """The desk of a term."""

    def __init__(self, term: TermState, tasks: asyncio.TaskGroup) -> None:
        self._term = term
        self._tasks = tasks
        self._queue: Sequence[Waiting] = ()  # its head as read, without what was started since
        self._read_at = 0.0

    async def admit(self) -> None:
        """Start what fits now, then wait until something has changed."""
        self._term.wake.clear()
        began_at = self._term.time()
        nodes = [
            replace(
                node,
                free=self._term.book.free(node),
                ready=node.ready and name in self._term.heard_at,
            )
            for name, node in self._term.nodes.items()
        ]
        room = sum(node.free.cpus for node in nodes if node.ready and not node.draining)
        if room > 0:  # while every core is taken, no question to the ledger can start anything
            await self._fill(nodes, room)
            await self._term.end_round(began_at)
        with suppress(TimeoutError):
            patience_s = _LOOK_AGAIN_S if self._queue and room > 0 else None
            await asyncio.wait_for(self._term.wake.wait(), patience_s)

    async def _fill(self, nodes: Sequence[Node], room: float) -> None:
        """Decide on the queue's head as it was a moment ago; read it again if nothing of it fits."""
        is_fresh = self._term.time() - self._read_at < _FRESH_S
        if self._queue and is_fresh and await self._decide(nodes):
            return
        limit = min(self._term.config.batch, _LEAST_BATCH + int(_PER_CORE * room))
        self._queue = await self._term.seams.ledger.waiting(limit=limit)
        self._read_at = self._term.time()
        if self._queue:
            await self._decide(nodes)

    async def _decide(self, nodes: Sequence[Node]) -> bool:
        """Place and reject; give whether anything was placed."""
        settled = self._term.time() - self._term.changed_at >= self._term.config.settle_s
        decisions = decide(
            self._queue,
            nodes,
            self._term.book.loads(),
            replace(
                self._term.config.admission,
                settled=settled,
                shapes=(*self._term.config.admission.shapes, *self._term.shapes),
            ),
            self._term.seams.clock(),
        )
        for rejection in decisions.rejections:
            await self._term.seams.ledger.reject(
                rejection.job_id,
                rejection.failure,
                epoch=self._term.epoch,
                now=self._term.seams.clock(),
            )
        gone = {placement.job_id for placement in decisions.placements}
        gone |= {rejection.job_id for rejection in decisions.rejections}
        self._queue = [job for job in self._queue if job.job_id not in gone]
        return bool(await self._place(decisions.placements))

    async def _place(self, placements: Sequence[Placement]) -> int:
        """Begin attempts in the ledger, then at the agents; give their number."""
        # A node may have been asked to drain since it was decided on.
        placements = [each for each in placements if self._term.takes(each.node)]
        if not placements:
            return 0
        self._term.placing = frozenset(each.node for each in placements)
        try:
            return await self._begin(placements)
        finally:
            self._term.placing = frozenset()

    async def _begin(self, placements: Sequence[Placement]) -> int:
        now = self._term.seams.clock()
        until = now + dt.timedelta(seconds=self._term.config.lease_s)
        began_at = self._term.time()
        jobs = await self._term.seams.ledger.admit(
            [
                Admission(
                    job_id=placement.job_id,
                    attempt_id=new_id(now),
                    node=placement.node,
                    resources=placement.resources,
                    lease_until=until,
                )
                for placement in placements
            ],
            epoch=self._term.epoch,
            now=now,
        )
        self._term.tally.admissions += len(jobs)
        by_node: dict[str, list[Job]] = defaultdict(list)
        for job in jobs:
            held = held_by(job)
            self._term.book.add(held)
            self._term.starting.add(held.attempt_id)
            by_node[held.node].append(job)
        for node, its_jobs in by_node.items():
            self._tasks.create_task(self._start(node, its_jobs, began_at))
        return len(jobs)

    async def _start(self, node: str, jobs: Sequence[Job], began_at: float) -> None:
        """Order a node to start attempts; if it cannot be told, its next greeting shows what it has."""
        try:
            orders = [
                assignment(
                    job,
                    held,
                    await self._input_links(job),
                    lease_s=self._term.config.lease_s - (self._term.time() - began_at),
                    trust="tenant"
                    if self._term.config.admission.needs_walls(held.tenant)
                    else "owner",
                    settings=self._term.config.settings,
                )
                for job in jobs
                if (held := self._term.book.get(job.attempts[-1].id)) is not None
            ]
            await self._term.seams.engine.agent(node).command(
                Start(epoch=self._term.epoch, assignments=tuple(orders))
            )
        except _FAULTS as error:
            log.warning("node %s was not told to start %d attempts: %s", node, len(jobs), error)
            self._term.look.set()
        finally:
            self._term.starting.difference_update(job.attempts[-1].id for job in jobs)

    async def _input_links(self, job: Job) -> Mapping[str, str]:
        return {
            file.name: await self._term.seams.store.link(
                file.key, method="GET", expires_s=self._term.config.link_s
            )
            for file in job.request.inputs
        }
