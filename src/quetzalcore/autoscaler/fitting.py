"""Which shapes fit what waits, the cheapest first, and how much of a machine a job takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quetzalcore.autoscaler.model import Demand, Launch, Shape
from quetzalcore.jobs.model import Resources

__all__ = [
    "ALWAYS_FITS",
    "allowed",
    "by_price",
    "cheapest_fitting",
    "fits",
    "jobs_at_once",
    "launches",
]

# What admission scales down to a smaller node, so that it fits every one (a test holds the two together).
ALWAYS_FITS = Resources(cpus=4.0, memory_mib=8192, vgpus=0, scratch_mib=1024)
_MOST_AT_ONCE = 256


def fits(resources: Resources, shape: Shape) -> bool:
    """Say whether an empty machine of a shape takes a job, as admission sees it."""
    return (
        resources.cpus <= max(shape.cpus, ALWAYS_FITS.cpus)
        and resources.memory_mib <= max(shape.memory_mib, ALWAYS_FITS.memory_mib)
        and resources.vgpus <= shape.vgpus
        and resources.scratch_mib <= max(shape.scratch_mib, ALWAYS_FITS.scratch_mib)
    )


def jobs_at_once(resources: Resources, shape: Shape) -> int:
    """Say how many such jobs an empty machine that fits them runs at a time."""
    share = max(
        _share(resources.cpus, shape.cpus),
        _share(resources.memory_mib, shape.memory_mib),
        _share(resources.vgpus, shape.vgpus),
        _share(resources.scratch_mib, shape.scratch_mib),
        1.0 / _MOST_AT_ONCE,
    )
    return max(1, int(1.0 / share + 1e-9))


def by_price(shapes: Iterable[Shape], *, first: str = "") -> list[Shape]:
    """Order shapes: the one named ``first``, then the cheapest, and of the same price the smallest."""
    return sorted(
        shapes,
        key=lambda s: (s.name != first, s.hourly_price, s.cpus, s.memory_mib, s.vgpus, s.name),
    )


def cheapest_fitting(
    resources: Resources, shapes: Iterable[Shape], *, spot: bool = False
) -> Shape | None:
    """Give the cheapest shape with room that takes a job; ``spot`` allows machines that may be taken away."""
    fitting = (
        shape
        for shape in shapes
        if fits(resources, shape) and (spot or not shape.spot) and shape.room != 0
    )
    return next(iter(by_price(fitting)), None)


def allowed(shapes: Sequence[Shape], demands: Sequence[Demand], *, spot: bool) -> list[Shape]:
    """Leave out spot shapes, unless they are wanted and every waiting job that could land there allows it."""
    return [
        shape
        for shape in shapes
        if not shape.spot or (spot and all(d.spot for d in demands if fits(d.resources, shape)))
    ]


def launches(orders: Sequence[tuple[Sequence[Shape], int]], *, most: int) -> tuple[Launch, ...]:
    """Turn orders (shapes in the order of choice, how many) into launches, within each shape's room and ``most``."""
    room = {shape.name: shape.room for shapes, _ in orders for shape in shapes}
    chosen: dict[str, Launch] = {}
    for shapes, count in orders:
        wanted = min(count, most - sum(launch.count for launch in chosen.values()))
        for shape in shapes:
            left = room[shape.name]
            given = wanted if left is None else min(wanted, max(0, left))
            if given <= 0:
                continue
            room[shape.name] = None if left is None else left - given
            before = chosen[shape.name].count if shape.name in chosen else 0
            chosen[shape.name] = Launch(shape=shape, count=before + given)
            wanted -= given
    return tuple(chosen.values())


def _share(asked: float, there: float) -> float:
    """Give the share of a machine that a request takes; a machine that has less gives all that it has."""
    return min(1.0, asked / there) if there > 0 else 0.0
