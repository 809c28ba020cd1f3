"""Found against true: which bodies were found, how far off, and what was found that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quetzalcore.geophysics.simulation.truth import TrueBody

__all__ = ["BodyRow", "Comparison", "FoundTargets", "compare"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundTargets:
    """Targets of an interpretation, (k,) each, in order of rank; NaN means unknown.

    Parameters
    ----------
    easting_m, northing_m : (k,) array_like
    depth_m, depth_low_m, depth_high_m : (k,) array_like
        Depth below the ground, and its interval.
    to_centre : (k,) array_like of bool
        Whether that depth is to the source's centre (a ball's) and not to its top.
    """

    easting_m: ArrayLike
    northing_m: ArrayLike
    depth_m: ArrayLike
    depth_low_m: ArrayLike
    depth_high_m: ArrayLike
    to_centre: ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyRow:
    """One true body and the target nearest to it.

    ``target`` counts from 0 and is None if none lies within reach; then what was found is NaN and
    ``inside_interval`` is False. ``depth_true_m`` is to the top, or to the centre where the
    target's depth is.
    """

    name: str
    kind: str
    source_class: str
    amplitude_nt: float
    target: int | None
    distance_m: float
    depth_true_m: float
    to_centre: bool
    depth_found_m: float
    depth_low_m: float
    depth_high_m: float
    inside_interval: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A row for every body, and the targets that are near none, as indices from 0."""

    rows: tuple[BodyRow, ...]
    false_targets: tuple[int, ...]

    @property
    def found(self) -> int:
        """Count the bodies that a target lies near."""
        return sum(row.target is not None for row in self.rows)


def compare(
    bodies: Sequence[TrueBody], found: FoundTargets, *, reach_m: float = 300.0
) -> Comparison:
    """Compare targets with the bodies that are there.

    Parameters
    ----------
    bodies : sequence of TrueBody
    found : FoundTargets
    reach_m : float
        A target farther than this from a body (from the middle of its top) is not about it. A long
        dyke may hold targets anywhere along it, so distances are to its top's middle line.

    Returns
    -------
    Comparison
        Targets that are near no body are false ones.
    """
    east, north = np.asarray(found.easting_m), np.asarray(found.northing_m)
    distance = np.array([_distance(body, east, north) for body in bodies]).reshape(
        len(bodies), len(east)
    )
    rows = tuple(
        _row(body, away, found, reach_m) for body, away in zip(bodies, distance, strict=True)
    )
    lost = ~(distance <= reach_m).any(axis=0)
    return Comparison(rows=rows, false_targets=tuple(int(i) for i in np.flatnonzero(lost)))


def _distance(body: TrueBody, east: Array, north: Array) -> Array:
    """Return the distance from each target to the line along the body's top."""
    strike = np.radians(body.strike_deg)
    de, dn = east - body.easting_m, north - body.northing_m
    along = de * np.sin(strike) + dn * np.cos(strike)
    beyond = along - np.clip(along, -body.length_m / 2, body.length_m / 2)
    across = de * np.cos(strike) - dn * np.sin(strike)
    return np.asarray(np.hypot(across, beyond))


def _row(body: TrueBody, distance_m: Array, found: FoundTargets, reach_m: float) -> BodyRow:
    best = int(np.argmin(distance_m)) if len(distance_m) else None
    if best is not None and not distance_m[best] <= reach_m:
        best = None

    def at(values: ArrayLike) -> float:
        return float("nan") if best is None else float(np.asarray(values, dtype=np.float64)[best])

    low, high = at(found.depth_low_m), at(found.depth_high_m)
    centred = best is not None and bool(np.asarray(found.to_centre)[best])
    true = body.depth_to_centre_m if centred else body.depth_to_top_m
    return BodyRow(
        name=body.name,
        kind=body.kind,
        source_class=body.source_class,
        amplitude_nt=body.amplitude_nt,
        target=best,
        distance_m=at(distance_m),
        depth_true_m=true,
        to_centre=centred,
        depth_found_m=at(found.depth_m),
        depth_low_m=low,
        depth_high_m=high,
        inside_interval=low <= true <= high,
    )
