"""The box that a survey fills in longitude, latitude, height and time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.igrf.coefficients import FIRST_YEAR, LAST_YEAR, model
from quetzalcore.geophysics.igrf.main_field import DEEPEST_M, RIGHT_ANGLE_DEG, Points
from quetzalcore.geophysics.igrf.remainder import Axis, Box

__all__ = ["bounding_box", "guess_box", "unwrapped"]

Floats = NDArray[np.float64]

_SAMPLE = 4096
_WIDEST_DEG = 180.0
# How much wider than its sample the guessed box is made, and the least half-widths.
_MARGINS = (0.05, 0.5, 0.03, 0.03)
_EXACT = (1e-9, 1e-9, 1e-9, 1e-9)
_LEAST = (1e-6, 1.0, 1e-6, 1e-6)


def guess_box(points: Points) -> Box | None:
    """Guess the box from a regular sample of the points; the evaluation finds out if it is right.

    None where the sample is empty, spans half the globe or the model's epochs.
    """
    step = max(1, len(points.height_m) // _SAMPLE)
    return _box([column[::step] for column in points.columns], points, _MARGINS)


def bounding_box(points: Points) -> Box | None:
    """Return the box of all points that have coordinates, or None as above."""
    return _box(list(points.columns), points, _EXACT)


def unwrapped(points: Points) -> Points:
    """Return points whose longitudes do not jump by a turn from the first known one."""
    known = points.longitude_deg[np.isfinite(points.longitude_deg)]
    if not known.size or known.max() - known.min() <= _WIDEST_DEG:
        return points
    first = known[0]
    turned = first + (points.longitude_deg - first + 180.0) % 360.0 - 180.0
    return points.at_longitudes(turned)


def _box(columns: list[Floats], points: Points, margins: tuple[float, ...]) -> Box | None:
    columns = [columns[0] if columns[0].size else points.year, *columns[1:]]
    known = [column[np.isfinite(column)] for column in columns]
    if not all(column.size for column in known):
        return None
    ends = [(float(column.min()), float(column.max())) for column in known]
    interval = int(model().interval(np.asarray(ends[0][0])))
    epochs = model().epochs
    if not _usable(ends, float(epochs[interval + 1])):
        return None
    wide = [
        _widened(low, high, margin, least)
        for (low, high), margin, least in zip(ends, margins, _LEAST, strict=True)
    ]
    year = (
        Axis(centre=ends[0][0], half=0.0)
        if points.year.size == 1
        else _clipped(wide[0], float(epochs[interval]), float(epochs[interval + 1]))
    )
    return Box(
        year=year,
        height_m=wide[1],
        longitude_deg=wide[2],
        latitude_deg=_clipped(wide[3], -RIGHT_ANGLE_DEG, RIGHT_ANGLE_DEG),
    )


def _usable(ends: list[tuple[float, float]], next_epoch: float) -> bool:
    (first, last), (lowest, _), (west, east), (south, north) = ends
    in_time = first >= FIRST_YEAR and last <= min(next_epoch, LAST_YEAR)
    on_globe = south >= -RIGHT_ANGLE_DEG and north <= RIGHT_ANGLE_DEG and lowest >= DEEPEST_M
    return in_time and on_globe and east - west <= _WIDEST_DEG


def _widened(low: float, high: float, margin: float, least: float) -> Axis:
    return Axis(centre=(low + high) / 2, half=max((high - low) / 2 * (1 + margin), least))


def _clipped(axis: Axis, least: float, greatest: float) -> Axis:
    low, high = axis.ends
    low, high = max(low, least), min(high, greatest)
    return Axis(centre=(low + high) / 2, half=(high - low) / 2)
