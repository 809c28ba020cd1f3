"""Reduction to the pole where the main field's direction varies over the area."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.grid import like
from quetzalcore.geophysics.spectral.pole import DEFAULT_AMPLITUDE_INCLINATION_DEG, reduce_to_pole
from quetzalcore.geophysics.spectral.prepared import PreparedGrid, prepare

__all__ = ["reduce_to_pole_panels"]

Floats = NDArray[np.float64]
DirectionAt = Callable[[float, float], tuple[float, float]]
_MAX_PANELS = 16
_FEW_CELLS = 16


def reduce_to_pole_panels(
    grid: xr.DataArray,
    direction_at: DirectionAt,
    *,
    tolerance_deg: float = 1.0,
    overlap_fraction: float = 0.25,
    amplitude_inclination_deg: float = DEFAULT_AMPLITUDE_INCLINATION_DEG,
) -> xr.DataArray:
    """Reduce to the pole in overlapping panels, each with the field's direction at its middle.

    Panels are so many that the direction changes by less than ``tolerance_deg`` from middle to
    middle (at most 16 along a side). Each panel reaches over its neighbours by ``overlap_fraction``
    of its size and fades linearly there, so that the sum has no seams. A panel is prepared on its
    own (plane removed, padded, filled); where one panel is enough, this is :func:`reduce_to_pole`.

    Parameters
    ----------
    grid : (rows, columns) xr.DataArray
        Total-field anomaly, nT; NaN stays NaN.
    direction_at : callable
        (easting_m, northing_m) to (inclination_deg, declination_deg), the declination from **grid
        north** at that place.
    tolerance_deg : float
        The largest change of direction inside a panel, above 0.
    overlap_fraction : float
        0.05 to 0.5.
    amplitude_inclination_deg : float
        As in :func:`reduce_to_pole`.

    Returns
    -------
    (rows, columns) xr.DataArray
        nT.

    Raises
    ------
    BadParameter
        If a parameter is out of range.
    """
    if tolerance_deg <= 0.0 or not 0.05 <= overlap_fraction <= 0.5:  # noqa: PLR2004 -- the range
        raise BadParameter(
            f"tolerance_deg is {tolerance_deg} and overlap_fraction {overlap_fraction}",
            hint="give a tolerance above 0 and an overlap of 0.05 to 0.5",
        )
    rows, columns = _panel_counts(grid, direction_at, tolerance_deg)
    total = np.zeros(grid.shape)
    weight = np.zeros(grid.shape)
    for row_slice, row_weight in _windows(grid.shape[0], rows, overlap_fraction):
        for column_slice, column_weight in _windows(grid.shape[1], columns, overlap_fraction):
            panel = grid[row_slice, column_slice]
            if int(np.isfinite(panel.to_numpy()).sum()) < _FEW_CELLS:
                continue
            ready = prepare(panel)
            fade = row_weight[:, None] * column_weight
            total[row_slice, column_slice] += fade * np.nan_to_num(
                _reduced(ready, direction_at, amplitude_inclination_deg)
            )
            weight[row_slice, column_slice] += fade
    known = np.isfinite(grid.to_numpy()) & (weight > 0.0)
    values = np.where(known, total / np.where(known, weight, 1.0), np.nan)
    return like(
        grid,
        values.astype(grid.dtype) if grid.dtype == np.float32 else values,
        name="rtp",
        unit="nT",
        long_name=f"reduced to the pole in {rows * columns} panels",
    )


def _reduced(ready: PreparedGrid, direction_at: DirectionAt, amplitude_deg: float) -> Floats:
    panel = ready.grid
    inclination, declination = direction_at(
        float(panel["easting"].mean()), float(panel["northing"].mean())
    )
    reduced = reduce_to_pole(
        ready, inclination, declination, amplitude_inclination_deg=amplitude_deg
    )
    return np.asarray(reduced.to_numpy(), dtype=np.float64)


def _panel_counts(
    grid: xr.DataArray, direction_at: DirectionAt, tolerance_deg: float
) -> tuple[int, int]:
    """Count the panels along each axis from the direction's change across the area."""
    easting, northing = grid["easting"].to_numpy(), grid["northing"].to_numpy()
    e_mid, n_mid = float(easting.mean()), float(northing.mean())
    along_northing = _change(
        direction_at(e_mid, float(northing[0])), direction_at(e_mid, float(northing[-1]))
    )
    along_easting = _change(
        direction_at(float(easting[0]), n_mid), direction_at(float(easting[-1]), n_mid)
    )

    def count(change: float) -> int:
        return min(_MAX_PANELS, max(1, int(np.ceil(change / tolerance_deg))))

    return count(along_northing), count(along_easting)


def _change(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Give the angle between two directions, degrees."""

    def unit(direction: tuple[float, float]) -> Floats:
        inclination, declination = np.radians(direction)
        flat = np.cos(inclination)
        return np.array(
            [flat * np.sin(declination), flat * np.cos(declination), np.sin(inclination)]
        )

    return float(np.degrees(np.arccos(np.clip(unit(a) @ unit(b), -1.0, 1.0))))


def _windows(size: int, count: int, overlap: float) -> list[tuple[slice, Floats]]:
    """Cut ``range(size)`` into overlapping slices with weights that fade towards neighbours."""
    if count == 1:
        return [(slice(0, size), np.ones(size))]
    width = size / count
    reach = max(2.0, overlap * width)
    windows = []
    for i in range(count):
        start, stop = max(0.0, i * width - reach), min(size, (i + 1) * width + reach)
        rows = np.arange(int(start), int(np.ceil(stop)))
        rise = 1.0 if i == 0 else (rows - i * width + reach) / (2 * reach)
        fall = 1.0 if i == count - 1 else ((i + 1) * width + reach - rows) / (2 * reach)
        fade = np.clip(np.minimum(rise, fall), 1e-6, 1.0) * np.ones(len(rows))
        windows.append((slice(int(rows[0]), int(rows[-1]) + 1), fade))
    return windows
