"""Grids as cloud-optimised GeoTIFF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.shutil import copy as rasterio_copy

from quetzalcore.errors import UnreadableInput, Where
from quetzalcore.formats.atomic import whole_file
from quetzalcore.formats.told import told
from quetzalcore.geophysics.grid import make_grid, spacing_m
from quetzalcore.vgpu import map_threads

__all__ = ["read_geotiff", "write_geotiff", "write_geotiffs"]

_BLOCK = 512
_ZLIB_FASTEST = 1


def write_geotiff(grid: xr.DataArray, path: str | Path) -> None:
    """Write one grid as a cloud-optimised GeoTIFF: tiled, with overviews, float32, NaN as no data.

    Row 0 of the file is the northernmost. Name, unit and long name are the band's description, unit
    and tags.

    Raises
    ------
    BadParameter
        If the grid's axes are not even and increasing.
    BadOutput
        If ``path`` cannot be written.
    """
    north_step, east_step = spacing_m(grid)
    values = np.ascontiguousarray(grid.to_numpy()[::-1], dtype=np.float32)
    west = float(grid["easting"][0]) - 0.5 * east_step
    north = float(grid["northing"][-1]) + 0.5 * north_step
    crs = grid.attrs.get("crs")
    profile = {
        "driver": "GTiff",
        "width": values.shape[1],
        "height": values.shape[0],
        "count": 1,
        "dtype": "float32",
        "nodata": np.nan,
        "crs": None if crs is None else CRS.from_user_input(crs),
        "transform": Affine(east_step, 0.0, west, 0.0, -north_step, north),
    }
    with whole_file(path) as draft, MemoryFile() as memory:
        with memory.open(**profile) as plain:
            plain.write(values, 1)
            plain.set_band_description(1, str(grid.name))
            plain.set_band_unit(1, str(grid.attrs.get("units", "")))
            plain.update_tags(1, long_name=str(grid.attrs.get("long_name", "")))
            if crs is not None:
                plain.update_tags(crs=str(crs))
        with memory.open() as plain:
            rasterio_copy(
                plain,
                draft,
                driver="COG",
                blocksize=_BLOCK,
                compress="DEFLATE",
                level=_ZLIB_FASTEST,
                predictor="YES",
                overviews="AUTO",
                overview_resampling="average",
            )


def write_geotiffs(grids: dict[Path, xr.DataArray]) -> None:
    """Write several grids on all threads."""
    map_threads(lambda item: write_geotiff(item[1], item[0]), grids.items())


def read_geotiff(path: str | Path) -> xr.DataArray:
    """Read the first band of a GeoTIFF as a grid; no data become NaN.

    Raises
    ------
    UnreadableInput
        If it is no raster, or a rotated one.
    """
    where = Where(file=Path(path).name)
    try:
        with rasterio.open(path) as file:
            values = file.read(1, masked=True)
            step = file.transform
            description, unit, tags = file.descriptions[0], file.units[0], file.tags(1)
            crs = file.tags().get("crs") or (file.crs.to_string() if file.crs else None)
    except rasterio.errors.RasterioIOError as error:
        raise UnreadableInput(
            f"it is no raster that can be read ({told(error)})", hint="give a GeoTIFF", where=where
        ) from error
    if step.b or step.d or step.e > 0:
        raise UnreadableInput(
            "the raster is rotated or upside down", hint="warp it north-up first", where=where
        )
    rows, columns = values.shape
    dtype = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    name = description or Path(path).stem
    return make_grid(
        values.astype(dtype).filled(np.nan)[::-1],
        step.c + step.a * (np.arange(columns) + 0.5),
        step.f + step.e * (np.arange(rows)[::-1] + 0.5),
        name=name,
        unit=unit or "",
        long_name=tags.get("long_name", ""),
        crs=crs,
    )
