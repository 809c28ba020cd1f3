"""One term of a leading master: admit, start, watch, renew, cancel, until deposed."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from quetzalcore.cluster import reports
from quetzalcore.cluster.admission import AdmissionConfig, Placement, decide
from quetzalcore.cluster.book import Book, Held, held_by
from quetzalcore.cluster.engine import AgentLink, AgentUnreachable, Engine
from quetzalcore.cluster.failures import failure_of
from quetzalcore.cluster.messages import AgentEvent, Grant, Produced, Renew, Start, Stop
from quetzalcore.cluster.orders import artifact_key, assignment
from quetzalcore.cluster.status import Tally
from quetzalcore.errors import QuetzalError
from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import (
    Admission,
    JobFilter,
    JobLedger,
    LedgerUnavailable,
    NodeBook,
    Report,
    ReportKind,
    Waiting,
)
from quetzalcore.jobs.model import Job, JobState, Node

__all__ = ["MasterConfig", "Seams", "Term"]

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 5.0  # while something cannot be reached
_POLL_S = 20.0  # a long poll's patience
_SEEN_S = 10.0  # the book of nodes says at least so often that they are there
_LEAST_BATCH, _PER_CORE = 32, 16  # jobs that a decision looks at: some may ask for a part of a core
_LOOK_AGAIN_S = 1.0  # while jobs wait: some become due by time alone


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterConfig:
    """How a master works; times in seconds.

    Parameters
    ----------
    admission : AdmissionConfig
        Who goes first and who goes where.
    lease_s : float
        How long an attempt lives unrenewed. Longer than the engine takes to notice a dead node.
    leader_lease_s, leader_renew_s : float
        How long a leader leads unrenewed, and how often it renews.
    nodes_s : float
        How often the nodes are looked at.
    settle_s : float
        How long the nodes must be unchanged before what fits none of them is rejected.
    cancel_s : float
        The least time between two looks for jobs to cancel.
    link_s : float
        How long links to files work.
    batch : int
        Jobs that one decision looks at, at most; fewer where there is room for few.
    settings : mapping
        The operator's settings that concern the science, handed to every task.
    """

    admission: AdmissionConfig = field(default_factory=AdmissionConfig)
    lease_s: float = 30.0
    leader_lease_s: float = 5.0
    leader_renew_s: float = 1.5
    nodes_s: float = 2.0
    settle_s: float = 15.0
    cancel_s: float = 0.2
    link_s: float = 3600.0
    batch: int = 500
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """The world as a master sees it."""

    ledger: JobLedger
    nodes: NodeBook
    store: ArtifactStore
    engine: Engine
    clock: Callable[[], dt.datetime]


class Term:
    """What a leader does under one epoch; ``run`` ends only by ``StaleEpoch`` or by being cancelled."""

    def __init__(
        self, seams: Seams, config: MasterConfig, *, epoch: int, tally: Tally | None = None
    ) -> None:
        self.epoch = epoch
        self.book = Book()
        self._tally = tally or Tally()
        self._seams = seams
        self._config = config
        self._nodes: dict[str, Node] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._heard_at: dict[str, float] = {}
        self._changed_at = 0.0
        self._stored: dict[str, int] = {}
        self._seen: int | None = None
        self._starting: set[str] = set()
        self._wake = asyncio.Event()
        self._look = asyncio.Event()
        self._cancels = asyncio.Event()
        self._tasks: asyncio.TaskGroup

    async def run(self) -> None:
        """Adopt what runs, then do everything that a leader does."""
        await self._take_over()
        async with asyncio.TaskGroup() as self._tasks:
            for work in (
                self._follow_nodes,
                self._listen,
                self._admit,
                self._renew,
                self._cancel,
            ):
                self._tasks.create_task(self._persist(work), name=work.__name__)

    async def _persist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do work for ever; wait a little, longer each time, while the ledger cannot be reached."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                await work()
                pause_s = _FIRST_PAUSE_S
            except (LedgerUnavailable, AgentUnreachable) as error:
                log.warning("%s; trying again", error)
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    # ------------------------------------------------------------------------------ taking over

    async def _take_over(self) -> None:
        for job in await self._seams.ledger.live():
            self.book.add(held_by(job))
        log.info("term %d begins with %d live attempts", self.epoch, len(self.book))

    # ------------------------------------------------------------------------------------ nodes

    async def _follow_nodes(self) -> None:
        """Look which nodes there are, watch each, and write them down."""
        found = {node.id: node for node in await self._seams.engine.nodes()}
        known = {node.id: node for node in await self._seams.nodes.list()}
        now = self._seams.clock()
        nodes = {
            name: replace(
                node,
                draining=name in known and known[name].draining,
                free=self.book.free(node),
                seen_at=now,
            )
            for name, node in found.items()
        }
        if {n: _shape(node) for n, node in nodes.items()} != {
            n: _shape(node) for n, node in self._nodes.items()
        }:
            self._changed_at = self._time()
            self._wake.set()
        self._nodes = nodes
        for name in nodes:
            if name not in self._watches or self._watches[name].done():
                self._watches[name] = self._tasks.create_task(self._watch(name))
        if _differs(nodes, known, now):
            await self._seams.nodes.put(tuple(nodes.values()), epoch=self.epoch)
        self._look.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._look.wait(), self._config.nodes_s)

    async def _watch(self, node: str) -> None:
        """Follow one node's events until it cannot be reached; the next look at the nodes begins anew."""
        try:
            link = self._seams.engine.agent(node)
            await self._greet(link, node)
            after = 0
            while True:
                batch = await link.events(after=after, wait_s=_POLL_S)
                self._heard_at[node] = self._time()
                if batch.events:
                    await self._store(link, node, batch.events)
                    after = batch.events[-1].sequence
        except AgentUnreachable as error:
            log.warning("node %s: %s", node, error)
            self._heard_at.pop(node, None)
            await asyncio.sleep(_FIRST_PAUSE_S)
            self._look.set()

    async def _greet(self, link: AgentLink, node: str) -> None:
        """Make this epoch known, and compare what the agent holds with what it should."""
        told = self._told(node)
        answer = await link.command(Renew(epoch=self.epoch, leases_s={}))
        self._heard_at[node] = self._time()
        await self._settle(link, node, answer.attempts, before=told)
        self._wake.set()

    def _told(self, node: str) -> set[str]:
        """Give a node's attempts whose start is not on its way."""
        return {held.attempt_id for held in self.book.of_node(node)} - self._starting

    async def _settle(
        self, link: AgentLink, node: str, holds: Collection[str], *, before: Collection[str]
    ) -> None:
        """Requeue what the agent has lost, stop what it should not have."""
        found = self.book.compare(node, holds, before=before)
        if found.lost:
            log.warning("node %s has lost %d attempts", node, len(found.lost))
            await self._record(reports.lost(found.lost, now=self._seams.clock()))
            self._forget(held.attempt_id for held in found.lost)
        if found.unknown:
            await link.command(
                Stop(epoch=self.epoch, attempt_ids=found.unknown, reason="superseded")
            )

    # ----------------------------------------------------------------------------------- events

    async def _store(self, link: AgentLink, node: str, events: Sequence[AgentEvent]) -> None:
        """Write events into the ledger, as often as it takes; only then may they be acknowledged."""
        said = reports.reports(
            reports.unsaid(events, self._stored.get(node, 0)),
            self.book,
            now=self._seams.clock(),
            lease_s=self._config.lease_s,
        )
        fenced = await self._record(said)
        self._stored[node] = events[-1].sequence
        ended = []
        for event in reports.endings(events):
            ended.append(event.attempt_id)
            self._tally.count_end(event.used)
        dead = [attempt for attempt in fenced if attempt not in ended]
        self._forget((*ended, *dead))
        if dead:
            await link.command(Stop(epoch=self.epoch, attempt_ids=tuple(dead)))
        for produced in reports.products(events):
            await self._grant(link, produced)

    async def _record(self, said: Sequence[Report]) -> tuple[str, ...]:
        fenced: tuple[str, ...] = ()

        async def write() -> None:
            nonlocal fenced
            fenced = await self._seams.ledger.record(said, epoch=self.epoch)

        if said:
            await self._until_written(write)
        return fenced

    async def _until_written(self, write: Callable[[], Awaitable[None]]) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                await write()
            except LedgerUnavailable as error:
                log.warning("%s; trying again", error)
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                return

    def _forget(self, attempt_ids: Iterable[str]) -> None:
        dropped = [self.book.drop(attempt_id) for attempt_id in tuple(attempt_ids)]
        if any(dropped):
            self._wake.set()

    async def _grant(self, link: AgentLink, produced: Produced) -> None:
        """Let an agent put an attempt's products, or fail the attempt if one has an impossible name."""
        held = self.book.get(produced.attempt_id)
        if held is None:
            return
        try:
            urls = {
                file.name: await self._seams.store.link(
                    artifact_key(held, file.name), method="PUT", expires_s=self._config.link_s
                )
                for file in produced.files
            }
        except QuetzalError as error:
            await self._fail(held, error)
            await link.command(Stop(epoch=self.epoch, attempt_ids=(held.attempt_id,)))
            return
        await link.command(Grant(epoch=self.epoch, attempt_id=held.attempt_id, urls=urls))

    async def _fail(self, held: Held, error: QuetzalError) -> None:
        await self._record(
            [
                Report(
                    attempt_id=held.attempt_id,
                    job_id=held.job_id,
                    kind=ReportKind.FAILED,
                    at=self._seams.clock(),
                    failure=failure_of(error),
                )
            ]
        )
        self._forget([held.attempt_id])

    # -------------------------------------------------------------------------------- admission

    async def _listen(self) -> None:
        """Wake the others when somebody has written to the ledger."""
        self._seen = await self._seams.ledger.changed(timeout_s=_POLL_S, seen=self._seen)
        self._wake.set()
        self._cancels.set()

    async def _admit(self) -> None:
        """Start what fits now, then wait until something has changed."""
        self._wake.clear()
        nodes = [
            replace(node, free=self.book.free(node), ready=node.ready and name in self._heard_at)
            for name, node in self._nodes.items()
        ]
        room = sum(node.free.cpus for node in nodes if node.ready and not node.draining)
        waiting: Sequence[Waiting] = ()
        if room > 0:  # while every core is taken, no question to the ledger can start anything
            limit = min(self._config.batch, _LEAST_BATCH + int(_PER_CORE * room))
            waiting = await self._seams.ledger.waiting(limit=limit)
        if waiting:
            await self._decide(waiting, nodes)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), _LOOK_AGAIN_S if waiting else None)

    async def _decide(self, waiting: Sequence[Waiting], nodes: Sequence[Node]) -> None:
        settled = self._time() - self._changed_at >= self._config.settle_s
        decisions = decide(
            waiting,
            nodes,
            await self._seams.ledger.loads(),
            replace(self._config.admission, settled=settled),
            self._seams.clock(),
        )
        for rejection in decisions.rejections:
            await self._seams.ledger.reject(
                rejection.job_id, rejection.failure, epoch=self.epoch, now=self._seams.clock()
            )
        await self._place(decisions.placements)

    async def _place(self, placements: Sequence[Placement]) -> None:
        """Begin attempts in the ledger, then at the agents."""
        if not placements:
            return
        now = self._seams.clock()
        until = now + dt.timedelta(seconds=self._config.lease_s)
        began_at = self._time()
        jobs = await self._seams.ledger.admit(
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
            epoch=self.epoch,
            now=now,
        )
        self._tally.admissions += len(jobs)
        by_node: dict[str, list[Job]] = defaultdict(list)
        for job in jobs:
            held = held_by(job)
            self.book.add(held)
            self._starting.add(held.attempt_id)
            by_node[held.node].append(job)
        for node, its_jobs in by_node.items():
            self._tasks.create_task(self._start(node, its_jobs, began_at))

    async def _start(self, node: str, jobs: Sequence[Job], began_at: float) -> None:
        """Order a node to start attempts; if it cannot be told, its next greeting shows what it has."""
        try:
            orders = [
                assignment(
                    job,
                    held,
                    await self._input_links(job),
                    lease_s=self._config.lease_s - (self._time() - began_at),
                    trust="tenant" if self._config.admission.needs_walls(held.tenant) else "owner",
                    settings=self._config.settings,
                )
                for job in jobs
                if (held := self.book.get(job.attempts[-1].id)) is not None
            ]
            await self._seams.engine.agent(node).command(
                Start(epoch=self.epoch, assignments=tuple(orders))
            )
        except AgentUnreachable as error:
            log.warning("node %s was not told to start %d attempts: %s", node, len(jobs), error)
            self._look.set()
        finally:
            self._starting.difference_update(job.attempts[-1].id for job in jobs)

    async def _input_links(self, job: Job) -> Mapping[str, str]:
        return {
            file.name: await self._seams.store.link(
                file.key, method="GET", expires_s=self._config.link_s
            )
            for file in job.request.inputs
        }

    # ------------------------------------------------------------------------ leases and cancels

    async def _renew(self) -> None:
        """Extend the leases of what reachable nodes run, in the ledger first; end what ran out."""
        await asyncio.sleep(self._config.lease_s / 3)
        nodes = tuple(self._heard_at)
        held = [one for node in nodes for one in self.book.of_node(node)]
        said_at = self._time()
        if held:
            said = reports.alive(held, now=self._seams.clock(), lease_s=self._config.lease_s)
            self._forget(await self._seams.ledger.record(said, epoch=self.epoch))
        await asyncio.gather(*(self._renew_at(node, said_at) for node in nodes))
        self._forget(await self._seams.ledger.expire(epoch=self.epoch, now=self._seams.clock()))
        self._cancels.set()

    async def _renew_at(self, node: str, said_at: float) -> None:
        told = self._told(node)
        lease_s = self._config.lease_s - (self._time() - said_at)
        leases = dict.fromkeys((held.attempt_id for held in self.book.of_node(node)), lease_s)
        try:
            link = self._seams.engine.agent(node)
            answer = await link.command(Renew(epoch=self.epoch, leases_s=leases))
            await self._settle(link, node, answer.attempts, before=told)
        except AgentUnreachable as error:
            log.warning("node %s cannot renew: %s", node, error)
            self._heard_at.pop(node, None)
            self._look.set()

    async def _cancel(self) -> None:
        """Stop the attempts of jobs that somebody has cancelled."""
        await self._cancels.wait()
        self._cancels.clear()
        if len(self.book):
            wanted = JobFilter(states=(JobState.CANCELLING,), limit=self._config.batch)
            page = await self._seams.ledger.list(wanted)
            by_node: dict[str, list[str]] = defaultdict(list)
            for job in page.items:
                if (held := self.book.of_job(job.id)) is not None:
                    by_node[held.node].append(held.attempt_id)
            for node, attempts in by_node.items():
                await self._stop(node, attempts)
        await asyncio.sleep(self._config.cancel_s)

    async def _stop(self, node: str, attempts: Sequence[str]) -> None:
        told = self._told(node)
        try:
            link = self._seams.engine.agent(node)
            answer = await link.command(Stop(epoch=self.epoch, attempt_ids=tuple(attempts)))
            await self._settle(link, node, answer.attempts, before=told)
        except AgentUnreachable as error:
            log.warning("node %s cannot be told to stop: %s", node, error)

    def _time(self) -> float:
        return asyncio.get_running_loop().time()


def _shape(node: Node) -> tuple[object, ...]:
    return (node.total, node.trust, node.ready, node.draining)


def _differs(found: Mapping[str, Node], known: Mapping[str, Node], now: dt.datetime) -> bool:
    """Say whether the book of nodes needs to be written again."""
    if found.keys() != known.keys():
        return True
    for name, node in found.items():
        seen_at = known[name].seen_at
        if replace(node, seen_at=seen_at) != known[name]:
            return True
        if seen_at is None or (now - seen_at).total_seconds() > _SEEN_S:
            return True
    return False
