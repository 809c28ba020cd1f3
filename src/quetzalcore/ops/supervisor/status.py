"""How a supervisor and its processes are, as its control socket tells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from quetzalcore.ops.supervisor.slots import Slot

__all__ = ["Condition", "instance_document", "process_document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What the shell adds to a slot: process ids, where it answers, what the last one said before it died."""

    url: str
    pids: Mapping[str, int]
    epitaph: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Process:
    name: str
    role: str
    id: str
    pid: int | None
    state: str
    since: float
    restarts: int
    url: str
    said: str
    leaving: tuple[int, ...]


def process_document(
    slot: Slot, condition: Condition, wall: Callable[[float], float]
) -> dict[str, Any]:
    """Tell of one slot; ``wall`` turns the supervisor's clock into seconds since 1970."""
    run = slot.run
    leaving = (condition.pids.get(gone.id) for gone in slot.leaving)
    return asdict(
        _Process(
            name=slot.name,
            role=slot.role.value,
            id="" if run is None else run.id,
            pid=None if run is None else condition.pids.get(run.id),
            state=slot.state,
            since=wall(slot.made_at if run is None else run.since),
            restarts=slot.restarts,
            url=condition.url,
            said="" if slot.serves else condition.epitaph,
            leaving=tuple(pid for pid in leaving if pid is not None),
        )
    )


_STATES = {"ready": "running", "replacing": "running", "draining": "stopping"}


def instance_document(slot: Slot, url: str, wall: Callable[[float], float]) -> dict[str, Any]:
    """Tell of one instance as a machine: its id is its process's, and it counts from when that began.

    Who asks need not replace one that keeps dying: that is seen to here.
    """
    run = slot.run or (slot.leaving[0] if slot.leaving else None)
    begun = max(slot.made_at, slot.retry_at) if run is None else run.born_at
    return {
        "id": slot.name if run is None else run.id,
        "name": slot.order,
        "state": _STATES.get(slot.state, "pending"),
        "launched_at": wall(begun),
        "url": url,
    }
