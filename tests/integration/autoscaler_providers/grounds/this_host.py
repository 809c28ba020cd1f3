"""This host with real agents' processes, whose adapters are made anew with an engine of their own."""

from __future__ import annotations

from pathlib import Path

from tests.integration.autoscaler_providers.grounds.ground import Ground, now

from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import Provider
from quetzalcore.autoscaler.providers.local import HostSize, LocalProvider
from quetzalcore.cluster.engines.local import LocalEngine
from quetzalcore.cluster.host import HostSettings

__all__ = ["ThisHostGround"]

_SLOT = Shape(name="slot", cpus=0.5, memory_mib=256)


class _BrokenEngine(LocalEngine):
    """Takes a worker in and cannot keep it."""

    async def add(self, name: str, *, cpus: float, memory_mib: int) -> HostSettings:
        await super().add(name, cpus=cpus, memory_mib=memory_mib)
        raise OSError("no space left on device")


class ThisHostGround(Ground):
    """Room for three workers beside the first, which is not the provider's."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._engines: list[LocalEngine] = []

    def build(self) -> Provider:
        return self._provider(self._engine(LocalEngine))

    def build_broken(self) -> Provider:
        return self._provider(self._engine(_BrokenEngine))

    async def fill(self) -> Provider:
        provider = self.provider()
        engine = self._engines[-1]
        while (await provider.shapes())[0].room:
            name = f"filler-{len(engine.members())}"
            await engine.add(name, cpus=_SLOT.cpus, memory_mib=_SLOT.memory_mib)
        return provider

    async def add_foreign(self) -> str:
        await self._engine(LocalEngine).start()
        return "first"

    async def foreign(self) -> set[str]:
        return {"first"} if (self._folder / "agent.pid").exists() else set()

    async def traces(self) -> set[str]:
        folders = {path.name for path in (self._folder / "more").glob("*")}
        return {name for name in folders if not name.startswith("filler")}

    async def clear(self) -> None:
        for engine in self._engines:
            await engine.shut_down()

    def _engine(self, kind: type[LocalEngine]) -> LocalEngine:
        settings = HostSettings(
            node_id="first",
            folder=self._folder,
            runtime="process",
            warm_numeric=0,
            warm_bare=0,
            memory_mib=256,
        )
        self._engines.append(kind(settings))
        return self._engines[-1]

    def _provider(self, engine: LocalEngine) -> Provider:
        return LocalProvider(
            engine,
            self._folder / "provider",
            slot=_SLOT,
            host=HostSize(cpus=2.0, memory_mib=4 * 256, first_cpus=0.5, first_memory_mib=256),
            now=now,
        )
