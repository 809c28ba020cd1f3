"""Instances and scaling decisions in memory: for tests, and to compare the real ones with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from quetzalcore.jobs.memory_books import MemoryLeadership
from quetzalcore.jobs.scaling import InstanceReport, ScalingRecord, Standing, Wish

__all__ = ["MemoryInstanceBook", "MemoryScalingBook"]


class MemoryInstanceBook:
    """An ``InstanceBook``."""

    def __init__(self) -> None:
        self._instances: dict[str, InstanceReport] = {}

    async def report(self, report: InstanceReport) -> None:
        """Write what an instance says of itself."""
        self._instances[report.id] = report

    async def list(self) -> tuple[InstanceReport, ...]:
        """Give every instance that has not left."""
        return tuple(report for _, report in sorted(self._instances.items()))

    async def leave(self, *instance_ids: str) -> None:
        """Forget instances."""
        for instance_id in instance_ids:
            self._instances.pop(instance_id, None)


class MemoryScalingBook:
    """A ``ScalingBook``."""

    def __init__(self, leadership: MemoryLeadership) -> None:
        self._leadership = leadership
        self._records: list[ScalingRecord] = []
        self._standings: dict[str, Standing] = {}

    async def record(self, records: Sequence[ScalingRecord], *, epoch: int) -> None:
        """Write decisions."""
        self._leadership.check(epoch)
        self._records += records

    async def history(self, *, target: str = "", limit: int = 50) -> tuple[ScalingRecord, ...]:
        """Give decisions, newest first."""
        found = [r for r in reversed(self._records) if target in {"", r.target}]
        return tuple(found[:limit])

    async def standing(self, target: str) -> Standing:
        """Give what holds for a set."""
        return self._standings.get(target, Standing(target=target))

    async def wish(self, target: str, wish: Wish) -> None:
        """Write what an operator asks for."""
        self._standings[target] = replace(await self.standing(target), wish=wish)

    async def change(self, target: str, changes: Mapping[str, Any]) -> None:
        """Merge changes into a set's live policy."""
        standing = await self.standing(target)
        merged = {**standing.changes, **changes}
        kept = {name: value for name, value in merged.items() if value is not None}
        self._standings[target] = replace(standing, changes=kept)

    async def show(self, target: str, view: Mapping[str, Any], *, epoch: int) -> None:
        """Write the leader's view of a set."""
        self._leadership.check(epoch)
        self._standings[target] = replace(await self.standing(target), view=dict(view))
