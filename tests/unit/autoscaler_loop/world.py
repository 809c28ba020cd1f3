"""A small world for the scaling loop: a fake cloud whose machines become nodes, a queue that a test fills."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from quetzalcore.autoscaler.fakes import FakeCloud, FakeProvider
from quetzalcore.autoscaler.loop import LoopConfig, ScalingLoop
from quetzalcore.autoscaler.model import Policy
from quetzalcore.autoscaler.policies import worker_policy
from quetzalcore.autoscaler.workers import WorkerSet
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.memory import MemoryLedger
from quetzalcore.jobs.memory_books import MemoryLeadership, MemoryNodeBook
from quetzalcore.jobs.memory_scaling import MemoryScalingBook
from quetzalcore.jobs.model import JobRequest, Node, Resources

START = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)  # a Monday
TOTAL = Resources(cpus=2.0, memory_mib=4096, scratch_mib=4096)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupied:
    """A node and what it holds."""

    node: Node
    running: int


@dataclass(kw_only=True)
class World:
    """Everything that a loop touches; ``now`` stands still until a test moves it."""

    now: dt.datetime = START
    cloud: FakeCloud = field(default_factory=FakeCloud)
    first: tuple[str, ...] = ("first",)
    running: dict[str, int] = field(default_factory=lambda: {"first": 1})
    never_ready: bool = False
    offered: Sequence[Resources] = ()

    def __post_init__(self) -> None:
        self.leadership = MemoryLeadership()
        self.ledger = MemoryLedger(self.leadership)
        self.nodes = MemoryNodeBook(self.leadership)
        self.book = MemoryScalingBook(self.leadership)
        self.draining: set[str] = set()

    def clock(self) -> dt.datetime:
        return self.now

    def pass_time(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)

    async def lead(self, policy: Policy | None = None, **config: Any) -> ScalingLoop:  # noqa: ANN401 -- fields of LoopConfig
        """Give the loop of a new leader."""
        epoch = await self.leadership.acquire(new_id(), lease_s=1e6, now=self.now)
        if epoch is None:
            await self.leadership.release(self.leadership._holder)
            epoch = await self.leadership.acquire(new_id(), lease_s=1e6, now=self.now)
        assert epoch
        provider = FakeProvider(self.cloud, now=self.clock)
        scaled = WorkerSet(provider, self, self.ledger, self.nodes, ready_s=600.0)
        loop = ScalingLoop(
            scaled,
            self.book,
            LoopConfig(policy=policy or worker_policy(), **config),
            clock=self.clock,
            epoch=epoch,
        )
        await loop.recall()
        return loop

    async def look_at_nodes(self) -> None:
        """Do what the master does: write down the nodes, read who drains."""
        await self.nodes.put([self._node(name) for name in self._names()], epoch=self._epoch)
        self.draining = {node.id for node in await self.nodes.list() if node.draining}

    async def submit(self, count: int, **fields: Any) -> None:  # noqa: ANN401 -- fields of a JobRequest
        for _ in range(count):
            request = JobRequest(
                tenant="t", user="u", kind="noop", kind_version="1", run="m:f", **fields
            )
            await self.ledger.submit(request, now=self.now)

    # The master's view of its nodes.

    def occupied(self) -> Sequence[Occupied]:
        return [
            Occupied(
                node=replace(self._node(name), draining=name in self.draining),
                running=self.running.get(name, 0),
            )
            for name in self._names()
        ]

    def look(self) -> None:
        pass

    def offer(self, shapes: Sequence[Resources]) -> None:
        self.offered = shapes

    @property
    def _epoch(self) -> int:
        return self.leadership.epoch

    def _names(self) -> list[str]:
        made = [] if self.never_ready else list(self.cloud.machines)
        return [*self.first, *made]

    def _node(self, name: str) -> Node:
        return Node(id=name, address="", total=TOTAL, free=TOTAL)


def run(scenario) -> None:
    asyncio.run(scenario)
