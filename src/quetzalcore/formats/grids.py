"""Read a grid from any format that we write."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from quetzalcore.formats.geotiff import read_geotiff
from quetzalcore.formats.netcdf import read_netcdf

__all__ = ["read_grid"]


def read_grid(path: str | Path, name: str | None = None) -> xr.DataArray:
    """Read a grid: NetCDF by its suffix (``name`` picks one of several), else a raster.

    Raises
    ------
    UnreadableInput
        If it cannot be read as that.
    """
    if Path(path).suffix.lower() in {".nc", ".nc4", ".cdf", ".netcdf"}:
        return read_netcdf(path, name)
    return read_geotiff(path)
