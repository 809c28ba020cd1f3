"""The fake's cloud, and a host with a fleet without processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.integration.autoscaler_providers.grounds.ground import START, Ground, now

from quetzalcore.autoscaler.fakes import FakeCloud, FakeProvider
from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import Machine, MachineState, Provider
from quetzalcore.autoscaler.providers.local import HostSize, LocalProvider

__all__ = ["FakeFleet", "FakeGround", "LocalGround"]


class FakeGround(Ground):
    def __init__(self) -> None:
        super().__init__()
        self.cloud = FakeCloud(capacity=5)

    def build(self) -> Provider:
        return FakeProvider(self.cloud, now=now)

    def build_broken(self) -> Provider:
        self.cloud.broken = 1
        return self.build()

    async def fill(self) -> Provider:
        self.cloud.capacity = 0
        return self.provider()

    async def add_foreign(self) -> str:
        self.cloud.others["foreign"] = Machine(
            id="foreign",
            shape=self.cloud.shapes[0],
            state=MachineState.RUNNING,
            launched_at=START,
        )
        return "foreign"

    async def foreign(self) -> set[str]:
        return set(self.cloud.others)

    async def traces(self) -> set[str]:
        return set(self.cloud.machines) | self.cloud.parts


@dataclass(frozen=True, kw_only=True)
class Entry:
    node_id: str
    cpus: float | None
    memory_mib: int | None


class FakeFleet:
    """A roster without processes; a broken one takes a worker in and cannot keep it."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.broken = False

    def members(self) -> Sequence[Entry]:
        return tuple(self.entries.values())

    async def add(self, name: str, *, cpus: float, memory_mib: int) -> object:
        entry = Entry(node_id=name, cpus=cpus, memory_mib=memory_mib)
        self.entries.setdefault(name, entry)
        if self.broken:
            raise OSError("no space left on device")
        return self.entries[name]

    async def remove(self, name: str) -> None:
        self.entries.pop(name, None)


class LocalGround(Ground):
    """The host's first worker is the one that is not the provider's."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.fleet = FakeFleet()
        self.memory_mib = 4096
        self.first: set[str] = set()

    def build(self) -> Provider:
        return LocalProvider(
            self.fleet,
            self.folder,
            slot=Shape(name="slot", cpus=1.0, memory_mib=512),
            host=HostSize(
                cpus=2.0, memory_mib=self.memory_mib, first_cpus=2.0, first_memory_mib=1024
            ),
            now=now,
        )

    def build_broken(self) -> Provider:
        self.fleet.broken = True
        return self.build()

    async def fill(self) -> Provider:
        provider = self.provider()
        while (await provider.shapes())[0].room:
            await self.fleet.add(f"filler-{len(self.fleet.entries)}", cpus=1.0, memory_mib=512)
        return provider

    async def add_foreign(self) -> str:
        self.first.add("first")
        return "first"

    async def foreign(self) -> set[str]:
        return self.first

    async def traces(self) -> set[str]:
        return {name for name in self.fleet.entries if not name.startswith("filler")}
