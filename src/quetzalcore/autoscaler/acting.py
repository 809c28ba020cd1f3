"""Carries decisions out: asks the provider, and says what came of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from quetzalcore.autoscaler.model import Launch, ScaleUp, Shape
from quetzalcore.autoscaler.provider import LaunchOrder, NoCapacity, Provider
from quetzalcore.errors import Permanent, Retryable

__all__ = ["Launched", "Launcher"]

_AT_ONCE = 16
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 15.0, 600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """What came of a growth: what was launched, and what went wrong."""

    launches: tuple[Launch, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Pause:
    until: dt.datetime
    length_s: float


class Launcher:
    """Launches machines under names of their own; a shape that cannot be had is left alone for a while, longer each time."""

    def __init__(self, provider: Provider, *, epoch: int, new_name: Callable[[], str]) -> None:
        self._provider = provider
        self._epoch = epoch
        self._new_name = new_name
        self._pauses: dict[str, _Pause] = {}

    def open_to(self, shapes: Sequence[Shape], now: dt.datetime) -> tuple[Shape, ...]:
        """Give the shapes with no room in those that were refused lately."""
        return tuple(
            replace(shape, room=0) if self._is_paused(shape.name, now) else shape
            for shape in shapes
        )

    async def launch(self, growth: ScaleUp, now: dt.datetime) -> Launched:
        """Ask for every machine of a growth; ``StaleEpoch`` if another leads."""
        wanted = [launch.shape for launch in growth.launches for _ in range(launch.count)]
        gate = asyncio.Semaphore(_AT_ONCE)
        ends = await asyncio.gather(*(self._one(shape, gate) for shape in wanted))
        came = [(shape, name) for shape, (name, note) in zip(wanted, ends, strict=True) if not note]
        refused = {shape.name: shape for shape, (_, note) in zip(wanted, ends, strict=True) if note}
        for shape in refused.values():
            self.pause(shape, now)
        for shape, _ in came:
            if shape.name not in refused:
                self._pauses.pop(shape.name, None)
        return Launched(
            launches=tuple(
                Launch(shape=launch.shape, count=count)
                for launch in growth.launches
                if (count := sum(shape == launch.shape for shape, _ in came))
            ),
            names=tuple(name for _, name in came),
            notes=tuple(dict.fromkeys(note for _, note in ends if note)),
        )

    async def _one(self, shape: Shape, gate: asyncio.Semaphore) -> tuple[str, str]:
        """Launch one machine; give its id, or why there is none."""
        order = LaunchOrder(name=self._new_name(), shape=shape, epoch=self._epoch)
        async with gate:
            try:
                machine = await self._provider.launch(order)
            except NoCapacity as error:
                return "", f"{shape.name}: {error.detail}"
            except (Retryable, Permanent) as error:
                log.warning("machine %s of shape %s: %s", order.name, shape.name, error)
                return "", f"{shape.name}: {error.detail}"
        return machine.id, ""

    def _is_paused(self, shape: str, now: dt.datetime) -> bool:
        return shape in self._pauses and now < self._pauses[shape].until

    def pause(self, shape: Shape, now: dt.datetime) -> None:
        """Leave a shape alone for a while."""
        before = self._pauses.get(shape.name)
        length_s = _FIRST_PAUSE_S if before is None else min(2 * before.length_s, _LONGEST_PAUSE_S)
        self._pauses[shape.name] = _Pause(now + dt.timedelta(seconds=length_s), length_s)
