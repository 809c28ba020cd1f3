"""The workers as the scaling loop sees them: nodes that the master knows, machines that the provider made."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from quetzalcore.autoscaler.foresight import Foresight
from quetzalcore.autoscaler.model import (
    Demand,
    Member,
    MemberState,
    Metrics,
    Shape,
    Target,
)
from quetzalcore.autoscaler.provider import Machine, MachineState, Provider
from quetzalcore.autoscaler.scaled_set import NotSeenYet, Observed
from quetzalcore.autoscaler.smoothing import Smooth, mean
from quetzalcore.jobs.ledger import JobLedger, NodeBook, NotFound, Waiting
from quetzalcore.jobs.model import Node, Resources

__all__ = ["Occupied", "WorkerSet", "Workplace", "demands_of", "members_of"]

_PLENTY_MIB = 1 << 30
_WINDOW_S, _LEAST_S = 60.0, 10.0  # starting takes CPU, and says nothing of the load
_SAMPLE = 500  # of the queue's head: enough to know what kinds of jobs wait


class Occupied(Protocol):
    """A node and how many attempts it has."""

    @property
    def node(self) -> Node:
        """The node."""
        ...

    @property
    def running(self) -> int:
        """Its attempts, with those on their way to it."""
        ...


class Workplace(Protocol):
    """The leading master's view of its nodes."""

    def occupied(self) -> Sequence[Occupied] | None:
        """Give the nodes with what they hold; None before they were looked at."""
        ...

    def look(self) -> None:
        """Look at the nodes soon."""
        ...

    def offer(self, shapes: Sequence[Resources]) -> None:
        """Say what nodes could come, so that jobs that would fit them are not rejected."""
        ...


class WorkerSet:
    """The set of workers; machines that are no nodes ``ready_s`` after their launch are overdue.

    With ``foresight`` the queue's expected depth is told beside the depth that it has.
    """

    target = Target.WORKERS

    def __init__(  # noqa: PLR0913 -- each is one seam or one time
        self,
        provider: Provider,
        workplace: Workplace,
        ledger: JobLedger,
        nodes: NodeBook,
        *,
        ready_s: float,
        foresight: Foresight | None = None,
    ) -> None:
        self.provider = provider
        self._workplace = workplace
        self._ledger = ledger
        self._nodes = nodes
        self._ready_s = ready_s
        self._foresight = foresight
        self._idle_since: dict[str, dt.datetime] = {}
        self._starting: frozenset[str] = frozenset()
        self._cpu = Smooth(_WINDOW_S, least_s=_LEAST_S)
        self._memory = Smooth(_WINDOW_S, least_s=_LEAST_S)

    async def observe(self, now: dt.datetime) -> Observed:
        """Look at nodes, machines and the queue."""
        machines = {machine.id: machine for machine in await self.provider.list()}
        shapes = await self.provider.shapes()
        waiting = await self._ledger.waiting(limit=_SAMPLE)
        queued = sum(load.queued for load in await self._ledger.loads()) if waiting else 0
        there = self._workplace.occupied()
        if there is None:
            raise NotSeenYet("the master has not looked at its nodes", hint="wait a moment")
        self._workplace.offer([_resources(shape) for shape in shapes])
        self._keep_time(there, now)
        idle_s = {name: (now - at).total_seconds() for name, at in self._idle_since.items()}
        ready = [one.node for one in there if one.node.ready and not one.node.draining]
        nodes = {one.node.id for one in there}
        missing = [machine for name, machine in machines.items() if name not in nodes]
        if missing:
            self._workplace.look()
        self._time_starts(machines, nodes, now)
        return Observed(
            metrics=Metrics(
                members=members_of(there, machines, idle_s),
                shapes=shapes,
                queue_depth=max(queued, len(waiting)),
                demands=demands_of(waiting, depth=queued),
                cpu_percent=self._cpu.add(now, mean(node.cpu_percent for node in ready)),
                memory_percent=self._memory.add(now, mean(node.memory_percent for node in ready)),
                expected_depth=await self._expected_depth(there, now),
            ),
            made=frozenset(machines),
            vacant=frozenset(
                one.node.id
                for one in there
                if one.node.draining and not one.running and one.node.id in machines
            )
            | {machine.id for machine in missing},
            overdue=tuple(
                machine.id
                for machine in missing
                if machine.state is not MachineState.STOPPING
                and (now - machine.launched_at).total_seconds() > self._ready_s
            ),
        )

    async def drain(self, member_id: str) -> None:
        """Let nothing new start on a worker; one that is no node yet has nothing."""
        with suppress(NotFound):
            await self._nodes.drain(member_id, draining=True)
        self._workplace.look()

    async def _expected_depth(self, there: Sequence[Occupied], now: dt.datetime) -> float | None:
        if self._foresight is None:
            return None
        counts = await self._ledger.counts()
        takes = [one.node for one in there if not one.node.draining]
        return self._foresight.expected_depth(
            counts.by_state,
            busy_cores=sum(one.node.total.cpus for one in there if one.running),
            cores=sum(node.total.cpus for node in takes),
            now=now,
        )

    def _time_starts(
        self, machines: Mapping[str, Machine], nodes: Collection[str], now: dt.datetime
    ) -> None:
        """Learn from machines that have just become nodes how long that takes."""
        if self._foresight is not None:
            for name in self._starting & machines.keys() & set(nodes):
                self._foresight.learn_start((now - machines[name].launched_at).total_seconds())
        self._starting = frozenset(machines.keys() - set(nodes))

    def _keep_time(self, there: Sequence[Occupied], now: dt.datetime) -> None:
        """Remember since when each node has had nothing to do."""
        idle = {one.node.id for one in there if not one.running}
        self._idle_since = {name: self._idle_since.get(name, now) for name in idle}


def members_of(
    there: Sequence[Occupied], machines: Mapping[str, Machine], idle_s: Mapping[str, float]
) -> tuple[Member, ...]:
    """Give nodes and machines as members: a machine that is no node yet is starting, or leaving."""
    members = [
        Member(
            id=one.node.id,
            state=_state(one.node, machines.get(one.node.id)),
            shape=_shape(one.node, machines.get(one.node.id)),
            busy=one.running,
            idle_s=idle_s.get(one.node.id, 0.0),
            removable=one.node.id in machines,
        )
        for one in there
    ]
    known = {member.id for member in members}
    members += [
        Member(
            id=machine.id,
            state=MemberState.DRAINING
            if machine.state is MachineState.STOPPING
            else MemberState.STARTING,
            shape=machine.shape,
        )
        for machine in machines.values()
        if machine.id not in known
    ]
    return tuple(members)


def demands_of(waiting: Sequence[Waiting], *, depth: int) -> tuple[Demand, ...]:
    """Group what waits by what it asks for; where only the queue's head is known, the rest is taken to be like it.

    A job that lost an attempt already is not for a machine that may be taken away.
    """
    counts = Counter((one.resources, one.attempts == 0) for one in waiting)
    scale = max(1.0, depth / len(waiting)) if waiting else 1.0
    return tuple(
        Demand(resources=resources, count=round(count * scale), spot=spot)
        for (resources, spot), count in counts.items()
    )


def _state(node: Node, machine: Machine | None) -> MemberState:
    if node.draining or (machine is not None and machine.state is MachineState.STOPPING):
        return MemberState.DRAINING
    return MemberState.READY if node.ready else MemberState.STARTING


def _shape(node: Node, machine: Machine | None) -> Shape:
    """Give what the node really offers, under the name and the price that its machine has."""
    total = node.total
    return Shape(
        name=machine.shape.name if machine else "host",
        cpus=total.cpus,
        memory_mib=total.memory_mib,
        vgpus=total.vgpus,
        scratch_mib=total.scratch_mib,
        hourly_price=machine.shape.hourly_price if machine else 0.0,
        spot=machine.shape.spot if machine else False,
    )


def _resources(shape: Shape) -> Resources:
    """Give what a machine would offer; scratch space that nobody states is not what a job fails for."""
    return Resources(
        cpus=shape.cpus,
        memory_mib=shape.memory_mib,
        vgpus=shape.vgpus,
        scratch_mib=shape.scratch_mib or _PLENTY_MIB,
    )
