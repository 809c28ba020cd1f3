"""An anomaly field made ready for interpretation: on a grid, with the main field's direction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from quetzalcore.errors import BadParameter, BadSurvey, Where
from quetzalcore.formats import is_geographic, read_grid, transform, utm_crs
from quetzalcore.formats.crs import WGS84, in_metres
from quetzalcore.geophysics import gridding
from quetzalcore.geophysics.survey import Floats, Survey
from quetzalcore.workloads.interpretation.params import AnomalyFieldParams
from quetzalcore.workloads.mag_survey.config import FieldConfig
from quetzalcore.workloads.mag_survey.surroundings import MainField, find_main_field

__all__ = ["AnomalyField", "prepare_field"]

_TOTAL_FIELD_FROM_NT = 15_000.0
_NOISE_SHARE = 0.01
_LEAST_NOISE_NT = 0.01
_MOST_NODES = 2000  # along an axis, where the cell size is chosen here
_BLANK_CELLS = 4.0
_FEWEST_NODES = 8
_TURN_DEG = 360.0
_POLE_DEG = 90.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnomalyField:
    """The grid in nT, the main field, the noise, and everything that was assumed, in words."""

    grid: xr.DataArray
    field: MainField
    noise_nt: float
    crs: str | None
    assumed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Places:
    easting_m: Floats
    northing_m: Floats
    crs: str | None
    assumed: tuple[str, ...]


def prepare_field(
    params: AnomalyFieldParams, inputs: Mapping[str, Path], *, today: dt.date
) -> AnomalyField:
    """Grid the values, or read the grid, and find the main field.

    Raises
    ------
    UserMistake
        If values hold the main field still, lie on a line or have no spread, if the file is no grid,
        or if nothing tells the main field's direction.
    """
    grid, assumed = _grid(params, inputs)
    crs = grid.attrs.get("crs")
    values = grid.to_numpy()
    _check_values(values[np.isfinite(values)])
    noise_nt, said = _noise(params, values)
    field = _main_field(params, grid, crs, today)
    return AnomalyField(
        grid=grid,
        field=field,
        noise_nt=noise_nt,
        crs=crs,
        assumed=(*assumed, *said, f"main field: {field.source}", *field.warnings),
    )


def _grid(
    params: AnomalyFieldParams, inputs: Mapping[str, Path]
) -> tuple[xr.DataArray, tuple[str, ...]]:
    if params.grid is None:
        return _from_values(params)
    if params.grid not in inputs:
        raise BadParameter(
            f"there is no input file {params.grid!r}",
            hint=f"use one of {', '.join(sorted(inputs)) or 'none: none was given'}",
            where=Where(field="grid"),
        )
    grid = read_grid(inputs[params.grid]).astype(np.float64)
    if params.crs is not None:
        grid.attrs["crs"] = params.crs
    crs = grid.attrs.get("crs")
    if crs is not None and (is_geographic(crs) or not in_metres(crs)):
        raise BadParameter(
            f"the grid's axes are not metres ({crs})",
            hint="warp it to a projected system first",
            where=Where(file=params.grid),
        )
    if min(grid.shape) < _FEWEST_NODES:
        raise BadSurvey(
            f"the grid has {grid.shape[0]} x {grid.shape[1]} nodes",
            hint=f"give at least {_FEWEST_NODES} each way",
            where=Where(file=params.grid),
        )
    return grid, ()


def _from_values(params: AnomalyFieldParams) -> tuple[xr.DataArray, tuple[str, ...]]:
    values = np.array([np.nan if v is None else v for v in params.values], dtype=np.float64)
    x, y = np.asarray(params.locations, dtype=np.float64).T
    _check_values(values[np.isfinite(values)])
    places = _project(x, y, params.crs)
    cell_m, said = _cell_size(places, params.cell_size_m)
    made = gridding.minimum_curvature(
        places.easting_m,
        places.northing_m,
        values,
        axes=gridding.grid_axes(places.easting_m, places.northing_m, cell_size_m=cell_m),
        blank_distance_m=_BLANK_CELLS * cell_m,
        crs=places.crs,
    )
    return made.grid, (*places.assumed, *said)


def _project(x: Floats, y: Floats, crs: str | None) -> _Places:
    assumed: tuple[str, ...] = ()
    degrees = bool(np.abs(x).max() <= _TURN_DEG and np.abs(y).max() <= _POLE_DEG)
    if crs is None and degrees:
        crs, assumed = WGS84, ("locations look like degrees: WGS 84 is assumed",)
    if crs is None:
        said = "locations are taken as metres of a local frame: no crs is given"
        return _Places(easting_m=x, northing_m=y, crs=None, assumed=(said,))
    if is_geographic(crs):
        if not degrees:
            raise BadParameter(
                f"some locations are no degrees, and {crs} counts degrees",
                hint="give longitude before latitude, or the crs of the metres",
                where=Where(field="locations"),
            )
        zone = utm_crs(x, y)
        x, y = transform(x, y, source=crs, target=zone)
        return _Places(easting_m=x, northing_m=y, crs=zone, assumed=(*assumed, f"mapped to {zone}"))
    if not in_metres(crs):
        raise BadParameter(
            f"{crs} does not count metres", hint="give one that does", where=Where(field="crs")
        )
    return _Places(easting_m=x, northing_m=y, crs=crs, assumed=assumed)


def _cell_size(places: _Places, given_m: float | None) -> tuple[float, tuple[str, ...]]:
    east_m, north_m = float(np.ptp(places.easting_m)), float(np.ptp(places.northing_m))
    if min(east_m, north_m) <= 0.0:
        raise BadSurvey(
            "the locations lie on one line: there is nothing to grid between",
            hint="give locations that cover an area",
            where=Where(field="locations"),
        )
    if given_m is not None:
        return given_m, ()
    apart_m = np.sqrt(east_m * north_m / len(places.easting_m))
    cell_m = gridding.default_cell_size(4.0 * max(apart_m, max(east_m, north_m) / _MOST_NODES))
    return cell_m, (f"cells of {cell_m:g} m, from the density of the locations",)


def _check_values(known: Floats) -> None:
    if not len(known) or float(known.min()) == float(known.max()):
        what = "no value is a number" if not len(known) else f"every value is {known[0]:g} nT"
        raise BadSurvey(what, hint="give anomalies in nT", where=Where(field="values"))
    if float(np.median(np.abs(known))) > _TOTAL_FIELD_FROM_NT:
        raise BadSurvey(
            f"the values hold the main field still (their median is {np.median(known):,.0f} nT)",
            hint="subtract it (kind igrf), or use mag_survey, which does",
            where=Where(field="values"),
        )


def _noise(params: AnomalyFieldParams, values: Floats) -> tuple[float, tuple[str, ...]]:
    if params.noise_nt is not None:
        return params.noise_nt, ()
    low, high = np.nanpercentile(values, [5.0, 95.0])
    noise_nt = max(_NOISE_SHARE * float(high - low), _LEAST_NOISE_NT)
    return noise_nt, (f"noise of {noise_nt:.3g} nT is assumed: 1 % of the values' spread",)


def _main_field(
    params: AnomalyFieldParams, grid: xr.DataArray, crs: str | None, today: dt.date
) -> MainField:
    if crs is None and None in (params.inclination_deg, params.declination_deg):
        raise BadParameter(
            "nothing tells the main field's direction",
            hint="give crs and date, or inclination_deg and declination_deg",
            where=Where(field="inclination_deg"),
        )
    date = params.date
    moment = None if date is None else dt.datetime(date.year, date.month, date.day, tzinfo=dt.UTC)
    config = FieldConfig(
        inclination_deg=params.inclination_deg,
        declination_deg=params.declination_deg,
        intensity_nt=params.intensity_nt,
    )
    return find_main_field(
        _corners(grid, crs), config, date=moment, assumed=params.assumed_date or today
    )


def _corners(grid: xr.DataArray, crs: str | None) -> Survey:
    """Give the grid's corners as a survey, which is all that the main field's direction asks for."""
    east, north = grid["easting"].to_numpy(), grid["northing"].to_numpy()
    return Survey(
        easting_m=np.array([east[0], east[-1], east[0], east[-1]]),
        northing_m=np.array([north[0], north[0], north[-1], north[-1]]),
        tmi_nt=np.zeros(4),
        line=np.zeros(4, dtype=np.int32),
        line_names=("1",),
        crs=crs,
    )
