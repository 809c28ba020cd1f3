"""A set's members, counted once for every rule of a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quetzalcore.autoscaler.model import Member, MemberState, Shape

__all__ = ["Muster", "muster"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Muster:
    """Who is there. Draining members are on their way out and count for nothing.

    ``live`` is ready and starting together; ``shapes`` are the distinct sizes of live members; ``free`` says of each
    size how many members take the next jobs to come: those that are starting or have nothing to do.
    """

    live: int
    ready: int
    starting: int
    draining: int
    shapes: tuple[Shape, ...]
    free: Mapping[Shape, int]


def muster(members: Sequence[Member]) -> Muster:
    """Count members, in one pass."""
    starting = draining = 0
    sizes: dict[tuple[float, int, int, int], Shape] = {}
    free: dict[tuple[float, int, int, int], int] = {}
    for member in members:
        if member.state is MemberState.DRAINING:
            draining += 1
            continue
        shape = member.shape
        size = (shape.cpus, shape.memory_mib, shape.vgpus, shape.scratch_mib)
        sizes.setdefault(size, shape)
        if member.state is MemberState.STARTING:
            starting += 1
        elif member.busy:
            continue
        free[size] = free.get(size, 0) + 1
    live = len(members) - draining
    return Muster(
        live=live,
        ready=live - starting,
        starting=starting,
        draining=draining,
        shapes=tuple(sizes.values()),
        free={sizes[size]: count for size, count in free.items()},
    )
