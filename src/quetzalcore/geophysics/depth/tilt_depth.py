"""Depth to vertical contacts from the tilt of a pole-reduced grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.grid import spacing_m
from quetzalcore.vgpu import inline_kernel, kernel, map_threads, worker_count

__all__ = ["TiltDepth", "tilt_depth"]

Floats = NDArray[np.float64]
_FIELDS = 5
_SLICES_PER_WORKER = 4
_STEP_CELLS = 0.5
_DEEPEST_CELLS = 40.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TiltDepth:
    """Depths along the zero contour of the tilt; every array has shape (n,).

    Parameters
    ----------
    easting_m, northing_m : (n,) float64
        Points of the contour: where the contact is.
    depth_m : (n,) float64
        To the contact's top, below the sensor: half the distance between -45 and +45 degrees.
    uncertainty_m : (n,) float64
        Half the difference of the two sides, and a quarter of a cell, added in squares. A contact
        that is not vertical, or another source beside it, makes the sides differ.
    azimuth_deg : (n,) float64
        Towards increasing tilt (into the body), clockwise from grid north, 0 to 360.
    """

    easting_m: Floats
    northing_m: Floats
    depth_m: Floats
    uncertainty_m: Floats
    azimuth_deg: Floats

    def __len__(self) -> int:
        """Count the points."""
        return len(self.depth_m)


def tilt_depth(
    tilt: xr.DataArray, *, deepest_m: float | None = None, largest_ratio: float = 0.25
) -> TiltDepth:
    """Measure depths to vertical contacts by the tilt-depth method.

    Over a vertical contact, reduced to the pole, the tilt is ``atan(x / depth)``: zero above the
    contact, +-45 degrees at a horizontal distance equal to the depth. From each crossing of the zero
    contour with a grid line, the tilt is followed along its gradient to both.

    Parameters
    ----------
    tilt : (rows, columns) xr.DataArray
        Degrees, of data reduced to the pole. NaN cells end a walk: points beside them are left out.
    deepest_m : float, optional
        Points that do not reach +-45 degrees within this distance are left out; 40 cells by default.
    largest_ratio : float
        The largest uncertainty over depth that is kept.

    Raises
    ------
    BadParameter
        If ``deepest_m`` or ``largest_ratio`` is not positive.

    References
    ----------
    Salem, A., Williams, S., Fairhead, J. D., Ravat, D. & Smith, R. (2007), The Leading Edge 26,
    1502-1505.
    """
    row_m, column_m = spacing_m(tilt)
    reach_m = _DEEPEST_CELLS * min(row_m, column_m) if deepest_m is None else deepest_m
    if not (0.0 < reach_m < math.inf and largest_ratio > 0.0):
        raise BadParameter(
            f"deepest_m is {deepest_m} and largest_ratio {largest_ratio}",
            hint="give both above 0, and finite",
        )
    values = np.ascontiguousarray(tilt.to_numpy(), dtype=np.float64)
    rows, columns = values.shape
    slabs = max(1, min(rows, worker_count() * _SLICES_PER_WORKER))
    edges = [rows * i // slabs for i in range(slabs + 1)]

    def slab(number: int) -> Floats:
        start, stop = edges[number], edges[number + 1]
        out = np.empty((_FIELDS, 2 * (stop - start) * columns))
        return out[:, : _contour(values, row_m, column_m, reach_m, out, start, stop)]

    column, row, depth, difference, azimuth = np.concatenate(
        map_threads(slab, range(slabs)), axis=1
    )
    uncertainty = np.hypot(difference, 0.25 * min(row_m, column_m))
    keep = uncertainty <= largest_ratio * depth
    return TiltDepth(
        easting_m=float(tilt["easting"][0]) + column[keep] * column_m,
        northing_m=float(tilt["northing"][0]) + row[keep] * row_m,
        depth_m=depth[keep],
        uncertainty_m=uncertainty[keep],
        azimuth_deg=np.degrees(azimuth[keep]) % 360.0,
    )


@inline_kernel
def _at(values: Floats, y: float, x: float) -> float:
    """Interpolate bilinearly at fractional (row, column); NaN outside."""
    rows, columns = values.shape
    if not (0.0 <= y <= rows - 1.0 and 0.0 <= x <= columns - 1.0):
        return math.nan
    j, i = min(int(y), rows - 2), min(int(x), columns - 2)
    v, u = y - j, x - i
    lower = (1.0 - u) * values[j, i] + u * values[j, i + 1]
    upper = (1.0 - u) * values[j + 1, i] + u * values[j + 1, i + 1]
    return float((1.0 - v) * lower + v * upper)


@kernel
def _walk(
    values: Floats, y: float, x: float, dy: float, dx: float, target: float, steps: int
) -> float:
    """Count the steps (fractional) until the tilt passes ``target``; NaN if it does not."""
    before = 0.0
    for n in range(1, steps + 1):
        now = _at(values, y + n * dy, x + n * dx)
        if math.isnan(now):
            return math.nan
        if (target > 0.0 and now >= target) or (target < 0.0 and now <= target):
            return n - (now - target) / (now - before)
        before = now
    return math.nan


@kernel
def _contour(
    values: Floats,
    row_m: float,
    column_m: float,
    reach_m: float,
    out: Floats,
    start: int,
    stop: int,
) -> int:
    """Find zero crossings on the grid lines from rows start..stop-1 and measure both walks."""
    rows, columns = values.shape
    step_m = _STEP_CELLS * min(row_m, column_m)
    steps = int(reach_m / step_m) + 1
    kept = 0
    for j in range(start, stop):
        for i in range(columns):
            for side in range(2):
                j2, i2 = (j, i + 1) if side == 0 else (j + 1, i)
                if j2 >= rows or i2 >= columns:
                    continue
                a, b = values[j, i], values[j2, i2]
                if not ((a < 0.0 <= b) or (b < 0.0 <= a)):
                    continue
                along = a / (a - b)
                y, x = j + along * (j2 - j), i + along * (i2 - i)
                gy = (_at(values, y + 0.5, x) - _at(values, y - 0.5, x)) / row_m
                gx = (_at(values, y, x + 0.5) - _at(values, y, x - 0.5)) / column_m
                size = math.sqrt(gx * gx + gy * gy)
                if not size > 0.0:
                    continue
                dy, dx = gy / size * step_m / row_m, gx / size * step_m / column_m
                inner = step_m * _walk(values, y, x, dy, dx, 45.0, steps)
                outer = step_m * _walk(values, y, x, -dy, -dx, -45.0, steps)
                depth = 0.5 * (inner + outer)
                if depth <= reach_m:
                    out[0, kept] = x
                    out[1, kept] = y
                    out[2, kept] = depth
                    out[3, kept] = 0.5 * abs(inner - outer)
                    out[4, kept] = math.atan2(gx, gy)
                    kept += 1
    return kept
