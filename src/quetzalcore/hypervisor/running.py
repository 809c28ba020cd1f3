"""One task in one place that is ready for it: told, watched, limited in time, and ended."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Mapping
from typing import Any, Protocol

from quetzalcore.hypervisor.channel import Channel, End
from quetzalcore.hypervisor.endings import Cut, Ending
from quetzalcore.hypervisor.runtime import Stats
from quetzalcore.hypervisor.spec import Task, VMSpec

__all__ = ["Place", "converse", "task_message"]

_SEED_BITS = 63
_LAST_WORDS_S = 0.5  # between the end of a process and what it still had to say, and the other way
_GRACE_S = 0.5  # between being asked to end and being ended


class Place(Protocol):
    """Where a task runs: a VM of its own, or a fork of its tenant's."""

    @property
    def channel(self) -> Channel:
        """The task's own channel."""
        ...

    async def exit_status(self) -> int:
        """Wait for the end; negative for a signal."""
        ...

    def terminate(self) -> None:
        """Ask the task to end."""
        ...

    def stats(self) -> Stats:
        """Say what was used; also after the end, until ``end``."""
        ...

    async def end(self) -> None:
        """End every process of the task and wait until none is left. Idempotent."""
        ...


async def converse(
    place: Place, message: Mapping[str, Any], *, wall_s: float, killed: asyncio.Future[None]
) -> Ending:
    """Run a task to its end, or to ours: at ``wall_s``, or when ``killed`` is done. Nothing is left."""
    exited = asyncio.ensure_future(place.exit_status())
    try:
        place.channel.send(message)
        cut = await _wait(place, exited, wall_s=wall_s, killed=killed)
        if cut is Cut.WALL:
            place.terminate()
            await asyncio.wait({exited}, timeout=_GRACE_S)
        status = await _status(place, exited)
        stats = place.stats()
        place.channel.flush()
        return Ending(said=_said(place.channel), status=status, stats=stats, cut=cut)
    finally:
        await place.end()
        await asyncio.wait({exited})


async def _wait(
    place: Place, exited: asyncio.Future[int], *, wall_s: float, killed: asyncio.Future[None]
) -> Cut:
    end: asyncio.Future[End] = place.channel.end
    whatever: set[asyncio.Future[Any]] = {end, exited, killed}
    done, _ = await asyncio.wait(whatever, timeout=wall_s, return_when=asyncio.FIRST_COMPLETED)
    if killed in done and end not in done:
        return Cut.KILLED
    if not done:
        return Cut.WALL
    await asyncio.wait({end}, timeout=_LAST_WORDS_S)
    return Cut.NOT


async def _status(place: Place, exited: asyncio.Future[int]) -> int | None:
    """Wait for the exit of a task that has left without words: it says why."""
    if _said(place.channel) is None:
        await asyncio.wait({exited}, timeout=_LAST_WORDS_S)
    return exited.result() if exited.done() else None


def _said(channel: Channel) -> End:
    return channel.end.result() if channel.end.done() else None


def task_message(
    task: Task, spec: VMSpec, *, folder: str = "", enforced: bool = False
) -> Mapping[str, Any]:
    """Write a task as its guest reads it; its files lie in ``folder`` below ``/in`` and ``/out``."""
    return {
        "type": "task",
        "run": task.run,
        "params": dict(task.params),
        "inputs": list(task.inputs),
        "folder": folder,
        "stage": task.stage,
        "seed": task.seed or secrets.randbits(_SEED_BITS),
        "settings": dict(task.settings),
        "lease": {
            "cores": max(1, math.ceil(spec.cpus)),
            "memory_mib": spec.memory_mib,
            "enforced_by": "cgroup" if enforced else "advisory",
        },
    }
