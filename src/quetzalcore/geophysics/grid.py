"""A regular grid: an ``xarray.DataArray`` with dims (northing, easting), both increasing, metres."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter

__all__ = ["DIMS", "like", "make_grid", "spacing_m"]

DIMS = ("northing", "easting")
_UNEVEN = 1e-3  # of a cell: coordinates that were printed with few digits still pass


def make_grid(
    values: NDArray[Any],
    easting_m: NDArray[np.float64],
    northing_m: NDArray[np.float64],
    *,
    name: str,
    unit: str,
    long_name: str = "",
    crs: str | None = None,
) -> xr.DataArray:
    """Build a grid with CF attributes.

    Parameters
    ----------
    values : (n, m) array
        Row 0 is the southernmost. NaN means no data.
    easting_m : (m,) float64
    northing_m : (n,) float64
        Cell centres, increasing and evenly spaced, metres.
    name, unit, long_name : str
        CF ``name``, ``units`` and ``long_name``.
    crs : str, optional
        Kept as ``attrs["crs"]``; writers turn it into each format's own.
    """
    return xr.DataArray(
        values,
        dims=DIMS,
        coords={
            "northing": ("northing", northing_m, _axis("projection_y_coordinate")),
            "easting": ("easting", easting_m, _axis("projection_x_coordinate")),
        },
        name=name,
        attrs={"units": unit, "long_name": long_name or name, **({"crs": crs} if crs else {})},
    )


def like(
    template: xr.DataArray, values: NDArray[Any], *, name: str, unit: str, long_name: str = ""
) -> xr.DataArray:
    """Build a grid on the axes and CRS of ``template``."""
    return make_grid(
        values,
        template["easting"].to_numpy(),
        template["northing"].to_numpy(),
        name=name,
        unit=unit,
        long_name=long_name,
        crs=template.attrs.get("crs"),
    )


def spacing_m(grid: xr.DataArray) -> tuple[float, float]:
    """Return the cell size (northing, easting) in metres.

    Raises
    ------
    BadParameter
        If dims are not (northing, easting), or an axis is uneven, decreasing or shorter than 2.
    """
    if grid.dims != DIMS:
        raise BadParameter(
            f"the grid's dims are {grid.dims}", hint=f"transpose or rename them to {DIMS}"
        )
    return _step(grid, "northing"), _step(grid, "easting")


def _step(grid: xr.DataArray, axis: str) -> float:
    steps = np.diff(grid[axis].to_numpy())
    if len(steps) == 0:
        raise BadParameter(f"the grid's {axis} axis has one node", hint="give at least two")
    step = float(steps.mean())
    if step <= 0 or np.abs(steps - step).max() > _UNEVEN * step:
        raise BadParameter(
            f"the grid's {axis} axis is not evenly increasing", hint="resample the grid first"
        )
    return step


def _axis(standard_name: str) -> dict[str, str]:
    return {"units": "m", "standard_name": standard_name}
