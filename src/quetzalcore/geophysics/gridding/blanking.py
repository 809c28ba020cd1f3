"""Blanking: no values where no data are near."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
import xarray as xr

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.grid import spacing_m
from quetzalcore.geophysics.survey import Floats

__all__ = ["blank"]


def blank(
    grid: xr.DataArray, easting_m: Floats, northing_m: Floats, *, distance_m: float
) -> xr.DataArray:
    """Set nodes that are farther than a distance from every point to NaN, inside holes too.

    Distances run between nodes and the centres of the cells that hold points, so that they are right to
    half a cell's diagonal.

    Parameters
    ----------
    grid : xarray.DataArray
        Dims (northing, easting), even and increasing. NaN stays NaN.
    easting_m, northing_m : (n,) float64
        Positions of data, metres; those that are not finite, or lie outside the grid, do not count.
    distance_m : float
        Positive, metres.

    Returns
    -------
    xarray.DataArray
        A copy of the grid.

    Raises
    ------
    BadParameter
        If the distance is not positive.
    """
    if not distance_m > 0:
        raise BadParameter(
            f"the blanking distance is {distance_m} m", hint="give a positive distance in metres"
        )
    steps = spacing_m(grid)
    row = np.floor((northing_m - float(grid["northing"][0])) / steps[0] + 0.5)
    column = np.floor((easting_m - float(grid["easting"][0])) / steps[1] + 0.5)
    inside = (row >= 0) & (row < grid.shape[0]) & (column >= 0) & (column < grid.shape[1])
    empty = np.ones(grid.shape, dtype=bool)
    empty[row[inside].astype(np.intp), column[inside].astype(np.intp)] = False
    if empty.all():
        return grid.where(~empty)
    away = scipy.ndimage.distance_transform_edt(empty, sampling=steps)
    return grid.where(away <= distance_m)
