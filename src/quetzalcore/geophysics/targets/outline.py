"""Outline a blob: the connected region above half its peak, its polygon and its axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from quetzalcore.geophysics.grid import spacing_m

__all__ = ["Frame", "OutlineAxes", "Region", "grow_region", "outline_axes", "region_polygon"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_HALF = 0.5
_LEVELS = (0.5, 0.65, 0.8)  # of the peak: higher where half the peak takes in the neighbourhood
_WIDEST_SIGMAS = 5.0  # a Gaussian blob is 2.4 wide at half its peak
_BACKGROUND_PERCENTILE = 10.0
_WINDOW_SIGMAS = 5.0
_LEAST_CELLS = 10  # half width of the first window
_DOUBLINGS = 4  # a window that its region fills grows this often, for long dykes
_STRAIGHT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """Cells above half the peak. Lengths are in cells; ``strike_rad`` is from the row axis (north).

    ``mask`` covers the window whose first cell is (``row0``, ``column0``).
    """

    mask: Bools
    row0: int
    column0: int
    centre_row: float
    centre_column: float
    length_cells: float
    width_cells: float
    strike_rad: float
    truncated: str

    def is_wide(self, sigma_cells: float) -> bool:
        """Tell whether the region is much wider than a blob of this scale."""
        return self.width_cells > _WIDEST_SIGMAS * max(sigma_cells, 1.0)

    @property
    def rows(self) -> slice:
        """Rows of the window in the grid."""
        return slice(self.row0, self.row0 + self.mask.shape[0])

    @property
    def columns(self) -> slice:
        """Columns of the window in the grid."""
        return slice(self.column0, self.column0 + self.mask.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineAxes:
    """An outline in metres: centre, axes of the ellipse with the same moments, strike and area."""

    easting_m: float
    northing_m: float
    length_m: float
    width_m: float
    strike_deg: float
    area_m2: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where a grid's cells are: centre of the first, and the cell's sides, metres."""

    easting_m: float
    northing_m: float
    east_m: float
    north_m: float

    @classmethod
    def of(cls, grid: xr.DataArray) -> Self:
        """Read it off a grid."""
        north, east = spacing_m(grid)
        return cls(
            easting_m=float(grid["easting"][0]),
            northing_m=float(grid["northing"][0]),
            east_m=east,
            north_m=north,
        )

    @property
    def cell_m(self) -> float:
        """Side of a square cell of the same area."""
        return float(np.sqrt(self.north_m * self.east_m))


def outline_axes(region: Region, frame: Frame) -> OutlineAxes:
    """Put a region into metres; cells are taken as square for its axes."""
    return OutlineAxes(
        easting_m=frame.easting_m + region.centre_column * frame.east_m,
        northing_m=frame.northing_m + region.centre_row * frame.north_m,
        length_m=region.length_cells * frame.cell_m,
        width_m=region.width_cells * frame.cell_m,
        strike_deg=float(np.degrees(region.strike_rad)) % 180.0,
        area_m2=float(np.count_nonzero(region.mask)) * frame.north_m * frame.east_m,
    )


def grow_region(
    values: NDArray[np.floating], row: float, column: float, *, sigma_cells: float
) -> Region | None:
    """Outline the blob at (row, column) of a grid such as the analytic signal.

    The window is lightly smoothed (half the blob's sigma); the level lies halfway between the
    window's 10th percentile and the peak near the centre, or higher where that region would be much
    wider than the blob. None where the centre has no data. NaN is never inside.
    """
    half = max(_LEAST_CELLS, int(np.ceil(_WINDOW_SIGMAS * sigma_cells)))
    region = _grow(values, row, column, sigma_cells=sigma_cells, half=half)
    for _ in range(_DOUBLINGS):
        if region is None or region.truncated != "window" or region.is_wide(sigma_cells):
            break
        half *= 2
        region = _grow(values, row, column, sigma_cells=sigma_cells, half=half)
    return region


def _grow(
    values: NDArray[np.floating], row: float, column: float, *, sigma_cells: float, half: int
) -> Region | None:
    i, j = round(row), round(column)
    row0, column0 = max(0, i - half), max(0, j - half)
    window = np.asarray(values[row0 : i + half + 1, column0 : j + half + 1], dtype=np.float64)
    smooth = _smooth(window, max(0.6, _HALF * sigma_cells))
    i, j = _climb(smooth, i - row0, j - column0, reach=max(1, round(sigma_cells)))
    if not np.isfinite(smooth[i, j]):
        return None
    mask = _above(smooth, i, j, _LEVELS[0])
    for level in _LEVELS[1:]:
        if _width(mask) <= _WIDEST_SIGMAS * max(sigma_cells, 1.0):
            break
        mask = _above(smooth, i, j, level)
    truncated = _truncated(mask, row0, column0, (values.shape[0], values.shape[1]))
    return _described(mask, row0, column0, truncated)


def _above(smooth: Floats, i: int, j: int, level: float) -> Bools:
    """Return the connected cells around (i, j) above ``level`` of the way from floor to peak."""
    floor = float(np.nanpercentile(smooth, _BACKGROUND_PERCENTILE))
    labels, _ = ndimage.label(smooth >= floor + level * (smooth[i, j] - floor))
    return np.asarray(labels == labels[i, j])


def _truncated(mask: Bools, row0: int, column0: int, shape: tuple[int, int]) -> str:
    """Say what cuts the region off: the window (it may grow), the grid's edge, or nothing."""
    sides = (
        (mask[0].any(), row0 == 0),
        (mask[-1].any(), row0 + mask.shape[0] == shape[0]),
        (mask[:, 0].any(), column0 == 0),
        (mask[:, -1].any(), column0 + mask.shape[1] == shape[1]),
    )
    if any(touched and not at_edge for touched, at_edge in sides):
        return "window"
    return "grid's edge" if any(touched for touched, _ in sides) else ""


def _width(mask: Bools) -> float:
    """Return the short axis of the ellipse with the mask's second moments, cells."""
    return float(4.0 * np.sqrt(np.linalg.eigvalsh(_spread(*np.nonzero(mask)))[0]))


def _spread(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """Return the covariance of cells, each with its own area."""
    return np.asarray(np.cov(np.vstack([rows, columns]), bias=True) + np.eye(2) / 12.0)


def _smooth(window: Floats, sigma: float) -> Floats:
    valid = np.isfinite(window)
    if valid.all():
        return np.asarray(ndimage.gaussian_filter(window, sigma, mode="nearest"))
    mass = ndimage.gaussian_filter(valid.astype(np.float64), sigma, mode="nearest")
    blurred = ndimage.gaussian_filter(np.where(valid, window, 0.0), sigma, mode="nearest")
    return np.where(valid, blurred / np.maximum(mass, 1e-6), np.nan)


def _climb(smooth: Floats, i: int, j: int, *, reach: int) -> tuple[int, int]:
    """Find the highest cell within ``reach`` of (i, j)."""
    top, left = max(0, i - reach), max(0, j - reach)
    near = smooth[top : i + reach + 1, left : j + reach + 1]
    if not np.isfinite(near).any():
        return i, j
    best = np.unravel_index(int(np.nanargmax(near)), near.shape)
    return top + int(best[0]), left + int(best[1])


def _described(mask: Bools, row0: int, column0: int, truncated: str) -> Region:
    rows, columns = np.nonzero(mask)
    centre_row, centre_column = rows.mean(), columns.mean()
    variance, axes = np.linalg.eigh(_spread(rows, columns))
    north, east = axes[:, 1]
    return Region(
        mask=mask,
        row0=row0,
        column0=column0,
        centre_row=float(row0 + centre_row),
        centre_column=float(column0 + centre_column),
        length_cells=float(4.0 * np.sqrt(variance[1])),  # of the ellipse with these moments
        width_cells=float(4.0 * np.sqrt(variance[0])),
        strike_rad=float(np.arctan2(east, north) % np.pi),
        truncated=truncated,
    )


def region_polygon(region: Region) -> Floats:
    """Trace the outer boundary of a region, (k, 2) of (row, column) in grid cells, closed.

    Corners lie between cells; points on straight runs are left out. The interior is to the left of
    the walk when rows point north.
    """
    # With holes filled, inside and outside are each one piece, so that no corner has two exits.
    mask = np.pad(ndimage.binary_fill_holes(region.mask), 1)
    inside = mask[1:-1, 1:-1]
    sides = (  # the neighbour beyond each side, and where that side starts and ends
        (mask[:-2, 1:-1], (0, 0), (0, 1)),
        (mask[1:-1, 2:], (0, 1), (1, 1)),
        (mask[2:, 1:-1], (1, 1), (1, 0)),
        (mask[1:-1, :-2], (1, 0), (0, 0)),
    )
    onward: dict[tuple[int, int], tuple[int, int]] = {}
    for beyond, start, end in sides:
        for i, j in np.argwhere(inside & ~beyond).tolist():
            onward[i + start[0], j + start[1]] = (i + end[0], j + end[1])
    path = [min(onward)]
    while len(path) == 1 or path[-1] != path[0]:
        path.append(onward[path[-1]])
    points = np.array(path, dtype=np.float64)
    step = np.diff(points, axis=0)
    turn = np.abs(step[:-1, 0] * step[1:, 1] - step[:-1, 1] * step[1:, 0]) > _STRAIGHT
    kept = points[np.concatenate([[True], turn, [True]])]
    corner: Floats = kept + np.array([region.row0, region.column0]) - _HALF
    return corner
