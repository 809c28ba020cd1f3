"""Every job kind by name: our own, and those that other packages add.

A package adds kinds by an entry point of the group ``quetzalcore.workloads`` that names a ``Kind``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points

from pydantic import BaseModel, ConfigDict, Field

from quetzalcore.errors import BadParameter
from quetzalcore.workloads.kind import Kind

__all__ = ["GROUP", "catalog", "find_kind"]

GROUP = "quetzalcore.workloads"


class NoopParams(BaseModel):
    """Parameters of a job that measures the platform."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sleep_s: float = Field(default=0.0, ge=0, le=3600, description="Sleep this long.")
    echo: str = Field(default="", max_length=1000, description="Given back in the result.")


NOOP = Kind(
    name="noop",
    version="1",
    title="Do nothing: measure the platform",
    params=NoopParams,
    run="quetzalcore.workloads.noop:run",
    reusable=False,
    forkable=True,
    waits=True,
)


def catalog() -> Mapping[str, Kind]:
    """Give every kind by name; ours cannot be replaced."""
    found = {
        kind.name: kind
        for point in entry_points(group=GROUP)
        if isinstance(kind := point.load(), Kind)
    }
    return {**found, NOOP.name: NOOP}


def find_kind(name: str, kinds: Mapping[str, Kind]) -> Kind:
    """Give a kind by name.

    Raises
    ------
    BadParameter
        Naming the kinds that there are.
    """
    if name not in kinds:
        raise BadParameter(
            f"there is no job kind {name!r}", hint=f"use one of {', '.join(sorted(kinds))}"
        )
    return kinds[name]
