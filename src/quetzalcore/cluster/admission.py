"""Which waiting jobs start now, and where: a pure decision."""

from __future__ import annotations

import datetime as dt
import heapq
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from quetzalcore.cluster.fitting import Amounts, Capacity, granted, lacking, wanted, weight
from quetzalcore.jobs.ledger import TenantLoad, Waiting
from quetzalcore.jobs.model import Failure, Node, Remedy, Resources

__all__ = ["AdmissionConfig", "Decisions", "Placement", "Rejection", "decide"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionConfig:
    """How admission decides.

    Parameters
    ----------
    max_running : int
        Attempts that one tenant may have at a time; 0 for no limit.
    hold_after_s : float
        A job that no node has room for now has a node held back for it after it has waited so long.
    holds : int
        Nodes that may be held back at a time, each for another tenant.
    shapes : tuple of Resources
        Nodes that an autoscaler could add; what fits one of them is never rejected.
    settled : bool
        Whether the nodes are all known, so that what fits none of them may be rejected.
    owners : frozenset of str
        Tenants whose work is the nodes' owner's own and may run behind weaker walls; ``*`` for all.
    """

    max_running: int = 0
    hold_after_s: float = 30.0
    holds: int = 2
    shapes: tuple[Resources, ...] = ()
    settled: bool = True
    owners: frozenset[str] = frozenset()

    def needs_walls(self, tenant: str) -> bool:
        """Say whether a tenant's work needs a node that enforces every limit."""
        return not self.owners & {"*", tenant}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A job starts on a node with these resources: what it asked, or all that a small node has."""

    job_id: str
    node: str
    resources: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A job that no node will ever fit."""

    job_id: str
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What is to be done; ``reserved`` maps nodes that are held back to the jobs they wait for."""

    placements: tuple[Placement, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    reserved: Mapping[str, str] = field(default_factory=dict)


def decide(
    waiting: Sequence[Waiting],
    nodes: Sequence[Node],
    loads: Sequence[TenantLoad],
    config: AdmissionConfig,
    now: dt.datetime,
) -> Decisions:
    """Decide which jobs start where; the same arguments always give the same answer.

    Higher priority goes first. Within a priority the tenant that holds the least (``fitting.weight``; of
    ``loads`` it is ``cpus``) goes first, and within a tenant the oldest job. A job takes the fullest node that has room for it. Jobs that find no
    room let others pass, until a node is held back for them.
    """
    desk = _Desk(nodes, loads, config, now)
    for level in _levels(waiting):
        desk.serve(level)
    return Decisions(
        placements=tuple(desk.placements),
        rejections=tuple(desk.rejections),
        reserved=desk.reserved,
    )


class _Desk:
    """The state of one decision."""

    def __init__(
        self,
        nodes: Sequence[Node],
        loads: Sequence[TenantLoad],
        config: AdmissionConfig,
        now: dt.datetime,
    ) -> None:
        self.placements: list[Placement] = []
        self.rejections: list[Rejection] = []
        self.reserved: dict[str, str] = {}
        self._nodes = nodes
        self._config = config
        self._now = now
        self._capacity = Capacity([n for n in nodes if n.ready and not n.draining])
        self._held = defaultdict(float, {load.tenant: load.cpus for load in loads})
        self._running = defaultdict(int, {load.tenant: load.running for load in loads})
        self._holding: set[str] = set()
        self._no_room: set[Amounts] = set()
        self._possible: dict[Amounts, bool] = {}

    def serve(self, jobs: Sequence[Waiting]) -> None:
        """Go through one priority's jobs, always on with the tenant that holds the least."""
        queues: dict[str, deque[Waiting]] = defaultdict(deque)
        for job in sorted(jobs, key=_age):
            queues[job.tenant].append(job)
        order = [(self._held[tenant], _age(queue[0]), tenant) for tenant, queue in queues.items()]
        heapq.heapify(order)
        while order:
            _, _, tenant = heapq.heappop(order)
            limit = self._config.max_running
            if limit and self._running[tenant] >= limit:
                continue
            self._consider(queues[tenant].popleft())
            if queues[tenant]:
                entry = (self._held[tenant], _age(queues[tenant][0]), tenant)
                heapq.heappush(order, entry)

    def _consider(self, job: Waiting) -> None:
        request = wanted(job.resources, walls=self._config.needs_walls(job.tenant))
        if request in self._no_room or (place := self._capacity.find(request)) is None:
            self._no_room.add(request)  # room only shrinks while we decide
            self._defer(job, request)
            return
        node = self._capacity.nodes[place]
        given = granted(job.resources, node)
        self._capacity.take(place, given)
        self._count(job, given)
        self.placements.append(Placement(job_id=job.job_id, node=node.id, resources=given))

    def _defer(self, job: Waiting, request: Amounts) -> None:
        if not self._is_possible(request):
            if self._config.settled and self._nodes:
                self.rejections.append(Rejection(job_id=job.job_id, failure=self._refusal(job)))
            return
        waited_s = (self._now - job.submitted_at).total_seconds()
        if (
            waited_s >= self._config.hold_after_s
            and len(self.reserved) < self._config.holds
            and job.tenant not in self._holding
        ):
            self._hold(job, request)

    def _hold(self, job: Waiting, request: Amounts) -> None:
        """Hold back the node that is nearest to fitting; it only gets nearer while it is held."""
        nearest = min(
            (
                (lacking(request, node, self._capacity.free[place]), node.id, place)
                for place, node in enumerate(self._capacity.nodes)
                if node.id not in self.reserved and lacking(request, node, node.total) == 0.0
            ),
            default=None,
        )
        if nearest is None:
            return
        _, node_id, place = nearest
        self._capacity.close(place)
        self.reserved[node_id] = job.job_id
        self._holding.add(job.tenant)
        self._count(job, job.resources)

    def _count(self, job: Waiting, resources: Resources) -> None:
        self._held[job.tenant] += weight(resources)
        self._running[job.tenant] += 1

    def _is_possible(self, request: Amounts) -> bool:
        """Say whether a node or a shape would fit the request if it were empty."""
        if request not in self._possible:
            shapes = (_as_node(shape) for shape in self._config.shapes)
            self._possible[request] = any(
                lacking(request, node, node.total) == 0.0 for node in (*self._nodes, *shapes)
            )
        return self._possible[request]

    def _refusal(self, job: Waiting) -> Failure:
        walls = self._config.needs_walls(job.tenant)
        shapes = [
            *(node.total for node in self._nodes if node.trust == "tenant" or not walls),
            *self._config.shapes,
        ]
        if not shapes:
            return Failure(
                code="no_trusted_node",
                title="No node may run this",
                detail="the job needs every limit enforced, and no node's runtime does that",
                hint="run quetzal doctor on the nodes to see what is missing",
                remedy=Remedy.USER,
            )
        largest = max(shapes, key=lambda s: (s.cpus, s.memory_mib, s.vgpus, s.scratch_mib))
        return Failure(
            code="infeasible",
            title="No node is large enough",
            detail=f"the job asks for {_words(job.resources)}; the largest node has {_words(largest)}",
            hint="ask for less, or add a larger node",
            remedy=Remedy.USER,
        )


def _age(job: Waiting) -> tuple[dt.datetime, str]:
    return (job.submitted_at, job.job_id)


def _levels(waiting: Sequence[Waiting]) -> Iterator[list[Waiting]]:
    """Give the jobs of each priority, highest first."""
    levels: dict[int, list[Waiting]] = defaultdict(list)
    for job in waiting:
        levels[job.priority].append(job)
    for priority in sorted(levels, reverse=True):
        yield levels[priority]


def _as_node(shape: Resources) -> Node:
    return Node(id="", address="", total=shape, free=shape, trust="tenant")


def _words(resources: Resources) -> str:
    parts = [f"{resources.cpus:g} cores", f"{resources.memory_mib} MiB of memory"]
    if resources.vgpus:
        parts.append(f"{resources.vgpus} vGPUs")
    parts.append(f"{resources.scratch_mib} MiB of scratch space")
    return ", ".join(parts)
