"""A provider without machines, for tests: it is late, full or broken when told to be."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from quetzalcore.autoscaler.marks import Fence
from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import (
    LaunchFailed,
    LaunchOrder,
    Machine,
    MachineState,
    NoCapacity,
)

__all__ = ["FakeCloud", "FakeProvider"]


@dataclass(kw_only=True)
class FakeCloud:
    """What there is, whoever looks: give one to several providers, as after a restart.

    ``capacity`` is how many machines it holds; ``boot_s`` how long one is pending; ``call_s`` how long each call
    takes; ``broken`` launches make a part of a machine and fail. ``parts`` counts what is there of machines, also
    of half made ones; ``others`` belong to somebody else.
    """

    shapes: tuple[Shape, ...] = (
        Shape(name="small", cpus=2.0, memory_mib=4096, hourly_price=0.1),
        Shape(name="large", cpus=8.0, memory_mib=16384, hourly_price=0.4),
    )
    capacity: int = 1000
    boot_s: float = 0.0
    call_s: float = 0.0
    broken: int = 0
    machines: dict[str, Machine] = field(default_factory=dict)
    others: dict[str, Machine] = field(default_factory=dict)
    parts: set[str] = field(default_factory=set)
    fence: Fence = field(default_factory=Fence)

    @property
    def room(self) -> int:
        """How many more machines it holds."""
        return max(0, self.capacity - len(self.machines) - len(self.others))


class FakeProvider:
    """Keeps every promise of the seam over a ``FakeCloud``."""

    def __init__(self, cloud: FakeCloud, *, now: Callable[[], dt.datetime]) -> None:
        self._cloud = cloud
        self._now = now

    async def shapes(self) -> tuple[Shape, ...]:
        """Give the cloud's sizes with the room that is left."""
        sizes = sorted(self._cloud.shapes, key=lambda shape: shape.hourly_price)
        return tuple(replace(size, room=self._cloud.room) for size in sizes)

    async def launch(self, order: LaunchOrder) -> Machine:
        """Make a machine at once, or fail as told."""
        await asyncio.sleep(self._cloud.call_s)
        self._cloud.fence.admit(order.epoch)
        there = self._cloud.machines.get(order.name)
        if there is not None:
            return self._seen(there)
        if not self._cloud.room:
            raise NoCapacity(
                f"all {self._cloud.capacity} machines are taken", hint="ask again later"
            )
        self._cloud.parts.add(order.name)
        if self._cloud.broken:
            self._cloud.broken -= 1
            self._cloud.parts.discard(order.name)
            raise LaunchFailed(f"{order.name} broke while it was made", hint="mend the cloud")
        machine = Machine(
            id=order.name,
            shape=order.shape,
            state=MachineState.PENDING,
            launched_at=self._now(),
            provider_id=f"fake-{order.name}",
        )
        self._cloud.machines[order.name] = machine
        return self._seen(machine)

    async def list(self) -> tuple[Machine, ...]:
        """Give our machines."""
        await asyncio.sleep(self._cloud.call_s)
        return tuple(self._seen(machine) for machine in self._cloud.machines.values())

    async def terminate(self, machine_id: str, *, epoch: int) -> None:
        """Remove a machine at once."""
        await asyncio.sleep(self._cloud.call_s)
        self._cloud.fence.admit(epoch)
        self._cloud.machines.pop(machine_id, None)
        self._cloud.parts.discard(machine_id)

    async def close(self) -> None:
        """Nothing is open."""

    def _seen(self, machine: Machine) -> Machine:
        up = (self._now() - machine.launched_at).total_seconds() >= self._cloud.boot_s
        return replace(machine, state=MachineState.RUNNING if up else MachineState.PENDING)
