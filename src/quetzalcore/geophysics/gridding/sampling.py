"""Values of a grid at points."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from quetzalcore.geophysics.grid import spacing_m
from quetzalcore.geophysics.gridding.interpolation import cubic_weights, linear_weights
from quetzalcore.geophysics.survey import Floats

__all__ = ["sample", "sample_nodes"]

_EDGE = 1e-6  # of a cell: a point that rounding put just outside is still inside


def sample(
    grid: xr.DataArray,
    easting_m: Floats,
    northing_m: Floats,
    *,
    method: Literal["bilinear", "bicubic"] = "bicubic",
) -> Floats:
    """Interpolate a grid at points.

    Parameters
    ----------
    grid : xarray.DataArray
        Dims (northing, easting), even and increasing.
    easting_m, northing_m : (n,) float64
        Positions, metres.
    method : {"bicubic", "bilinear"}
        Cubic polynomials through 4 x 4 nodes (exact for cubics), or 2 x 2.

    Returns
    -------
    (n,) float64
        In the grid's unit; NaN outside the grid and where any node of the support is NaN (bicubic falls
        back to bilinear where only its outer nodes are NaN).
    """
    values = _interpolate(grid, easting_m, northing_m, method)
    if method == "bicubic":
        near_gap = np.isnan(values)
        if near_gap.any():
            values[near_gap] = _interpolate(
                grid, easting_m[near_gap], northing_m[near_gap], "bilinear"
            )
    return values


def sample_nodes(grid: xr.DataArray, easting_m: Floats, northing_m: Floats) -> Floats:
    """Interpolate as minimum curvature does: by cubics, continued to the edge of the outer cells."""
    return _interpolate(grid, easting_m, northing_m, "bicubic", margin_cells=0.5)


def _interpolate(
    grid: xr.DataArray,
    easting_m: Floats,
    northing_m: Floats,
    method: str,
    *,
    margin_cells: float = _EDGE,
) -> Floats:
    step_north, step_east = spacing_m(grid)
    nodes = grid.to_numpy()
    y = (np.asarray(northing_m, dtype=np.float64) - float(grid["northing"][0])) / step_north
    x = (np.asarray(easting_m, dtype=np.float64) - float(grid["easting"][0])) / step_east
    inside = (np.abs(y - (nodes.shape[0] - 1) / 2) <= (nodes.shape[0] - 1) / 2 + margin_cells) & (
        np.abs(x - (nodes.shape[1] - 1) / 2) <= (nodes.shape[1] - 1) / 2 + margin_cells
    )
    weigh = cubic_weights if method == "bicubic" else linear_weights
    row, weight_y = weigh(np.where(inside, y, 0.0), nodes.shape[0])
    column, weight_x = weigh(np.where(inside, x, 0.0), nodes.shape[1])
    total = np.zeros(len(y))
    for a in range(weight_y.shape[1]):
        for b in range(weight_x.shape[1]):
            total += weight_y[:, a] * weight_x[:, b] * nodes[row + a, column + b]
    total[~inside] = np.nan
    return total
