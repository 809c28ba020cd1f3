"""How a machine tells whose it is: what we write on it when it is made, and read again after any restart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quetzalcore.autoscaler.model import Shape
from quetzalcore.jobs.ledger import StaleEpoch

__all__ = ["Fence", "Mark", "mark_of", "tags_of"]

_ROLE = "worker"
_FIELDS = ("cluster", "order", "epoch", "launched", "shape", "millicpus", "memory-mib", "vgpus")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a machine of ours carries; ``cluster`` tells ours from those of another installation."""

    cluster: str
    order: str
    epoch: int
    launched_at: dt.datetime
    shape: Shape


def tags_of(mark: Mark, *, prefix: str) -> dict[str, str]:
    """Write a mark as labels or tags: lower case, digits and dashes, as the narrowest cloud allows."""
    shape = mark.shape
    values = (
        *(mark.cluster, mark.order, str(mark.epoch)),
        str(round(mark.launched_at.timestamp())),
        *(shape.name, str(round(1000 * shape.cpus)), str(shape.memory_mib), str(shape.vgpus)),
    )
    named = {f"{prefix}{name}": value for name, value in zip(_FIELDS, values, strict=True)}
    return {f"{prefix}role": _ROLE, **named}


def mark_of(
    tags: Mapping[str, str], *, prefix: str, cluster: str, shapes: Iterable[Shape] = ()
) -> Mark | None:
    """Read a mark; None where the machine is not ours.

    A shape that is offered no more is known by what was written of it.
    """
    if (tags.get(f"{prefix}role"), tags.get(f"{prefix}cluster")) != (_ROLE, cluster):
        return None
    try:
        _, order, epoch, launched, name, millicpus, memory_mib, vgpus = (
            tags[f"{prefix}{field}"] for field in _FIELDS
        )
        written = Shape(
            name=name, cpus=int(millicpus) / 1000, memory_mib=int(memory_mib), vgpus=int(vgpus)
        )
        return Mark(
            cluster=cluster,
            order=order,
            epoch=int(epoch),
            launched_at=dt.datetime.fromtimestamp(int(launched), tz=dt.UTC),
            shape=next((shape for shape in shapes if shape.name == name), written),
        )
    except (
        KeyError,
        ValueError,
        TypeError,
        OverflowError,
    ):  # somebody else's, or spoilt: never to be touched
        return None


class Fence:
    """The highest epoch that was seen; an older leader does nothing."""

    def __init__(self) -> None:
        self._seen = 0

    def see(self, *epochs: int) -> None:
        """Note epochs that machines carry."""
        self._seen = max(self._seen, *epochs, 0)

    def admit(self, epoch: int) -> None:
        """Let the leader of an epoch act; ``StaleEpoch`` if a later one has been seen."""
        if epoch < self._seen:
            raise StaleEpoch(
                f"epoch {epoch} is over: epoch {self._seen} leads", hint="stand by as another leads"
            )
        self._seen = epoch
