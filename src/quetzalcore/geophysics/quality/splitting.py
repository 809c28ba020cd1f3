"""Line numbers for a file that has none, from time, jumps and heading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadSurvey
from quetzalcore.geophysics.quality.geometry import axis_difference_deg, dominant_axis_deg
from quetzalcore.geophysics.survey import Bools, Floats, Ints

__all__ = ["split_lines"]

_WINDOW = 5  # rows each way for a local heading
_AXIS_DEG = 25.0  # a row that heads closer to an axis than this is on a line
_AXIS_SHARE = 0.08  # of the path: rarer headings are turns
_SHORT = 0.1  # of the typical line: shorter pieces belong to the turn they lie in
_MOST_AXES = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Path:
    """Steps (n - 1,) along the path and the breaks between rows."""

    east_m: Floats
    north_m: Floats
    breaks: Bools


def split_lines(
    easting_m: Floats,
    northing_m: Floats,
    *,
    time_s: Floats | None = None,
    gap_steps: float = 10.0,
) -> Ints:
    """Give each row of a track a line number: traverses, ties and the turns between.

    A new line begins where time or position jumps, and where the heading changes from one of the
    few directions in which most of the path lies to another or to none (a turn, which gets a
    number of its own; :func:`classify_lines` calls it ``other``).

    Parameters
    ----------
    easting_m, northing_m : (n,) float64
        Track in the order of acquisition, metres. Finite.
    time_s : (n,) float64, optional
        Seconds; NaN is ignored.
    gap_steps : float
        A step of more than this many usual steps, in time or distance, is a break.

    Returns
    -------
    (n,) int32
        0, 1, 2, ... along the rows.

    Raises
    ------
    BadSurvey
        If fewer than three rows are given, or none of them moves.
    """
    if len(easting_m) < 3:  # noqa: PLR2004 -- fewer make no line
        raise BadSurvey(
            f"{len(easting_m)} rows make no line", hint="give a survey with more stations"
        )
    path = _path(easting_m, northing_m, time_s, gap_steps)
    labels = _absorb_short(_labels(path), path)
    new = (np.diff(labels) != 0) | path.breaks
    numbers: Ints = np.append(0, np.cumsum(new)).astype(np.int32)
    return numbers


def _path(easting_m: Floats, northing_m: Floats, time_s: Floats | None, gap_steps: float) -> _Path:
    east, north = np.diff(easting_m), np.diff(northing_m)
    step = np.hypot(east, north)
    moving = step[step > 0.0]
    if not len(moving):
        raise BadSurvey(
            "no station differs in place from the one before it",
            hint="check which columns hold the coordinates",
        )
    breaks = step > gap_steps * np.median(moving)
    if time_s is not None:
        tick = np.diff(time_s)
        usual = np.nanmedian(tick[tick > 0.0]) if (tick > 0.0).any() else np.inf
        breaks |= (tick > gap_steps * usual) | (tick < 0.0)
    return _Path(east_m=east, north_m=north, breaks=breaks)


def _labels(path: _Path) -> NDArray[np.intp]:
    """Give every row the direction that it runs in: 1, 2, ... or 0 for none, (n,)."""
    heading, moved = _local_heading(path)
    labels = np.zeros(len(heading), dtype=np.intp)
    left = moved > 0.0
    for number in range(_MOST_AXES):
        if not left.any() or moved[left].sum() < _AXIS_SHARE * moved.sum():
            break
        axis = dominant_axis_deg(heading[left], moved[left])
        near = left & (axis_difference_deg(heading, axis) <= _AXIS_DEG)
        left &= ~near
        if moved[near].sum() >= _AXIS_SHARE * moved.sum():
            forward = np.cos(np.radians(heading - axis)) > 0.0
            labels[near] = np.where(forward, 2 * number + 1, 2 * number + 2)[near]
    return labels


def _local_heading(path: _Path) -> tuple[Floats, Floats]:
    """Return heading (degrees) and path length (metres) around every row, never across a break."""
    east = np.append(0.0, np.cumsum(np.where(path.breaks, 0.0, path.east_m)))
    north = np.append(0.0, np.cumsum(np.where(path.breaks, 0.0, path.north_m)))
    piece = np.append(0, np.cumsum(path.breaks))
    first = np.searchsorted(piece, piece, side="left")
    last = np.searchsorted(piece, piece, side="right") - 1
    row = np.arange(len(piece))
    a, b = np.maximum(row - _WINDOW, first), np.minimum(row + _WINDOW, last)
    de, dn = east[b] - east[a], north[b] - north[a]
    step = np.append(np.hypot(path.east_m, path.north_m), 0.0)
    step[:-1][path.breaks] = 0.0
    heading: Floats = np.degrees(np.arctan2(de, dn)) % 360.0
    return heading, np.where(np.hypot(de, dn) > 0.0, step, 0.0)


def _absorb_short(labels: NDArray[np.intp], path: _Path) -> NDArray[np.intp]:
    """Turn short straight pieces into turns, and give the few rows at a sharp corner to its lines."""
    edges = np.flatnonzero((np.diff(labels) != 0) | path.breaks) + 1
    start = np.append(0, edges)
    stop = np.append(edges, len(labels))
    count = stop - start
    kind = labels[start]
    straight = np.sort(count[kind > 0])
    if not len(straight):
        return labels
    typical = straight[np.searchsorted(np.cumsum(straight), straight.sum() / 2)]
    kind = np.where(count < _SHORT * typical, 0, kind)
    smooth = np.repeat(kind, count)
    return _close_corners(smooth, path)


def _close_corners(labels: NDArray[np.intp], path: _Path) -> NDArray[np.intp]:
    edges = np.flatnonzero((np.diff(labels) != 0) | path.breaks) + 1
    start = np.append(0, edges)
    stop = np.append(edges, len(labels))
    closed = labels.copy()
    joined = np.append(~path.breaks, False)
    for a, b in zip(start, stop, strict=True):
        if labels[a] or b - a > 2 * _WINDOW + 1:
            continue
        before = a > 0 and bool(joined[a - 1])
        after = b < len(labels) and bool(joined[b - 1])
        middle = {(True, True): (a + b) // 2, (True, False): b}.get((before, after), a)
        closed[a:middle] = labels[a - 1] if before else 0
        closed[middle:b] = labels[b] if after else 0
    return closed
