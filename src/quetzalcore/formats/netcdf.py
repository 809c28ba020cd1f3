"""Grids as CF NetCDF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from quetzalcore.errors import BadParameter, UnreadableInput, Where
from quetzalcore.formats.atomic import whole_file
from quetzalcore.formats.crs import parse_crs
from quetzalcore.formats.told import told
from quetzalcore.geophysics.grid import DIMS, make_grid

__all__ = ["read_netcdf", "write_netcdf"]

_GRID_MAPPING = "crs"
_COMPRESSION = 1


def write_netcdf(
    grids: Sequence[xr.DataArray] | Mapping[str, xr.DataArray], path: str | Path
) -> None:
    """Write grids that share their axes into one CF-1.11 file, with a grid mapping.

    Values are stored as float32 with NaN as the fill value; coordinates as float64.

    Raises
    ------
    BadParameter
        If there is no grid, or two have one name or different axes.
    BadOutput
        If ``path`` cannot be written.
    """
    named = _named(grids)
    dataset = xr.Dataset(
        {
            name: (DIMS, grid.to_numpy().astype(np.float32, copy=False))
            for name, grid in named.items()
        },
        coords=next(iter(named.values())).coords,
        attrs={"Conventions": "CF-1.11"},
    )
    crs = next((g.attrs["crs"] for g in named.values() if g.attrs.get("crs")), None)
    for name, grid in named.items():
        attrs = {key: grid.attrs[key] for key in ("units", "long_name") if grid.attrs.get(key)}
        dataset[name].attrs = attrs | ({} if crs is None else {"grid_mapping": _GRID_MAPPING})
    if crs is not None:
        dataset[_GRID_MAPPING] = ((), np.int32(0), parse_crs(crs).to_cf() | {"crs_text": str(crs)})
    packed = {"zlib": True, "complevel": _COMPRESSION, "_FillValue": np.float32(np.nan)}
    encoding = {name: dict(packed) for name in named} | {dim: {"_FillValue": None} for dim in DIMS}
    with whole_file(path) as draft:
        dataset.to_netcdf(draft, engine="netcdf4", encoding=encoding)


def _named(
    grids: Sequence[xr.DataArray] | Mapping[str, xr.DataArray],
) -> dict[str, xr.DataArray]:
    items = list(grids.items()) if isinstance(grids, Mapping) else [(str(g.name), g) for g in grids]
    if not items:
        raise BadParameter("there is no grid to write", hint="give at least one")
    named = dict(items)
    if len(named) < len(items):
        raise BadParameter("two grids have one name", hint="give each its own name")
    first = items[0][1]
    for name, grid in items:
        same = all(np.array_equal(grid[dim], first[dim]) for dim in DIMS)
        if not same:
            raise BadParameter(
                f"grid {name} lies on other axes than {items[0][0]}",
                hint="write it into a file of its own",
            )
    return named


def read_netcdf(path: str | Path, name: str | None = None) -> xr.DataArray:
    """Read one grid of a NetCDF file with dims (northing, easting).

    Raises
    ------
    UnreadableInput
        If it is no such file, or holds several grids and none is named.
    """
    where = Where(file=Path(path).name)
    try:
        with xr.open_dataset(path, engine="netcdf4") as file:
            dataset = file.load()
    except (OSError, ValueError) as error:
        raise UnreadableInput(
            f"it is no NetCDF that can be read ({told(error)})", hint="check the file", where=where
        ) from error
    known = [str(key) for key, variable in dataset.data_vars.items() if variable.dims == DIMS]
    chosen = name or (known[0] if len(known) == 1 else None)
    if chosen not in known:
        raise UnreadableInput(
            f"it holds the grids {', '.join(known) or 'none'}",
            hint="name one of them",
            where=where,
        )
    grid = dataset[chosen]
    mapping = dataset[_GRID_MAPPING].attrs if _GRID_MAPPING in dataset else {}
    return make_grid(
        grid.to_numpy(),
        grid["easting"].to_numpy(),
        grid["northing"].to_numpy(),
        name=str(chosen),
        unit=str(grid.attrs.get("units", "")),
        long_name=str(grid.attrs.get("long_name", "")),
        crs=mapping.get("crs_text") or mapping.get("crs_wkt"),
    )
