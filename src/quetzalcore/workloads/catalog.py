"""Every job kind by name: our own, and those that other packages add.

A package adds kinds by an entry point of the group ``quetzalcore.workloads`` that names a ``Kind``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from pydantic import BaseModel, ConfigDict, Field

from quetzalcore.errors import BadParameter
from quetzalcore.workloads.cost_analysis.kind import KIND as COST_ANALYSIS
from quetzalcore.workloads.discriminate.kind import KIND as DISCRIMINATE
from quetzalcore.workloads.igrf.kind import KIND as IGRF
from quetzalcore.workloads.inspection.kind import KIND as INSPECT
from quetzalcore.workloads.kind import Kind
from quetzalcore.workloads.mag_survey.kind import KIND as MAG_SURVEY
from quetzalcore.workloads.target_drills.kind import KIND as TARGET_DRILLS
from quetzalcore.workloads.wasm.kind import KIND as WASM

__all__ = ["GROUP", "OURS", "catalog", "find_kind", "load_kind"]

GROUP = "quetzalcore.workloads"
_log = logging.getLogger(__name__)


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

OURS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        INSPECT, MAG_SURVEY, COST_ANALYSIS, IGRF, DISCRIMINATE, TARGET_DRILLS, WASM, NOOP,
    )
}  # fmt: skip


def catalog() -> Mapping[str, Kind]:
    """Give every kind by name; ours cannot be replaced, and a package that is broken is left out."""
    points = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    loaded = (load_kind(point) for point in points)
    return {**{kind.name: kind for kind in loaded if kind is not None}, **OURS}


def load_kind(point: EntryPoint) -> Kind | None:
    """Import what another package offers; None, with a warning that names it, where that fails."""
    try:
        kind = point.load()
    except Exception as error:  # noqa: BLE001 -- another's code at import: whatever it raises must not end us
        _log.warning("the job kind %s (%s) cannot be loaded: %r", point.name, point.value, error)
        return None
    if not isinstance(kind, Kind):
        _log.warning("the job kind %s (%s) is not a Kind", point.name, point.value)
        return None
    if kind.name in OURS:
        _log.warning("the job kind %s (%s) has the name of one of ours", kind.name, point.value)
        return None
    return kind


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
