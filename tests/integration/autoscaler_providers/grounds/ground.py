"""What the contract's tests need to know of the place where a provider works."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import LaunchOrder, Machine, MachineState, Provider

__all__ = ["START", "Ground", "now"]

START = dt.datetime(2026, 3, 2, 8, 0, tzinfo=dt.UTC)
_DEADLINE_S = 30.0
_numbers = itertools.count(1)


def now() -> dt.datetime:
    """Give the only time there is in these tests."""
    return START


class Ground(ABC):
    """A place with room for three small machines at least; every adapter made on it sees the same machines."""

    def __init__(self) -> None:
        self._made: list[Provider] = []

    @abstractmethod
    def build(self) -> Provider:
        """Make an adapter as a restarted leader does."""

    @abstractmethod
    def build_broken(self) -> Provider:
        """Make an adapter whose launches fail half way."""

    @abstractmethod
    async def fill(self) -> Provider:
        """Leave no room, without machines of ours where that is possible; give an adapter."""

    @abstractmethod
    async def add_foreign(self) -> str:
        """Make a machine that is not ours; give an id that we might wrongly remove it by."""

    @abstractmethod
    async def foreign(self) -> set[str]:
        """Give the machines of others that are there."""

    @abstractmethod
    async def traces(self) -> set[str]:
        """Give all that is there of ours, also parts of machines, as the place itself sees it."""

    def build_unreachable(self) -> Provider | None:
        """Make an adapter that reaches nobody; None where there is nobody to reach."""
        return None

    async def clear(self) -> None:  # noqa: B027 -- most places are new for each test
        """Remove everything that the test made."""

    def provider(self) -> Provider:
        """Make an adapter that is closed at the end."""
        return self.keep(self.build())

    def keep(self, provider: Provider) -> Provider:
        """Close an adapter at the end."""
        self._made.append(provider)
        return provider

    def play(self, story: Callable[[], Awaitable[None]]) -> None:
        """Run a test's story, and clean up whatever comes of it."""

        async def main() -> None:
            try:
                await story()
            finally:
                for provider in self._made:
                    await provider.close()
                await self.clear()

        asyncio.run(main())

    async def small(self, provider: Provider) -> Shape:
        """Give the cheapest size."""
        return (await provider.shapes())[0]

    async def order(self, provider: Provider, *, epoch: int = 5, name: str = "") -> LaunchOrder:
        """Give an order that nobody gave before."""
        return LaunchOrder(
            name=name or f"order-{next(_numbers)}", shape=await self.small(provider), epoch=epoch
        )

    async def settled(self, provider: Provider, count: int) -> tuple[Machine, ...]:
        """Wait until so many machines are there under their final ids and none is stopping; give them."""
        give_up_at = time.monotonic() + _DEADLINE_S
        while True:
            machines = await provider.list()
            on_the_way = any(
                machine.state is MachineState.STOPPING or not machine.provider_id
                for machine in machines
            )
            if len(machines) == count and not on_the_way:
                return machines
            assert time.monotonic() < give_up_at, machines
            await asyncio.sleep(0.02)
