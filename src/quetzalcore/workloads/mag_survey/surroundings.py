"""What surrounds the sensor: the main field's direction, and the ground below."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from quetzalcore.errors import BadSurvey
from quetzalcore.formats.crs import meridian_convergence_deg, to_lonlat
from quetzalcore.geophysics import igrf
from quetzalcore.geophysics.quality import measured_clearance
from quetzalcore.geophysics.survey import Floats, HeightRole, Survey
from quetzalcore.workloads.mag_survey.config import FieldConfig

__all__ = ["Ground", "MainField", "find_ground", "find_main_field", "survey_date"]

IGRF_NAME = "IGRF-14"
_SECULAR_YEARS = 10.0
_STRENGTH_ASSUMED_NT = 50_000.0
_STRENGTH_UNKNOWN = (
    f"the main field's strength was not given: {_STRENGTH_ASSUMED_NT:,.0f} nT is assumed for apparent "
    "susceptibilities"
)
_STATIONS_FOR_CLEARANCE = 200_000  # more do not change a clearance interpolated from the nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class MainField:
    """Direction and strength of the main field at the survey's centre, and how they vary.

    Parameters
    ----------
    inclination_deg : float
        Positive down.
    declination_deg : float
        From true north, positive east.
    convergence_deg : float
        Meridian convergence at the centre: grid north is this far east of true north.
    intensity_nt : float
    spread_deg : float
        Largest change of inclination or grid declination over the survey's area.
    source : str
        Where the direction comes from, in words.
    direction_at : callable
        (easting_m, northing_m) to (inclination_deg, declination from grid north).
    warnings : tuple of str
    """

    inclination_deg: float
    declination_deg: float
    convergence_deg: float
    intensity_nt: float
    spread_deg: float
    source: str
    direction_at: Callable[[float, float], tuple[float, float]]
    warnings: tuple[str, ...] = ()

    @property
    def grid_declination_deg(self) -> float:
        """Declination from grid north, which every spectral operator wants."""
        return self.declination_deg - self.convergence_deg


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is known of the ground: sensor clearance and ground elevation at places.

    ``reference`` is what depths are measured from, in words.
    """

    reference: str
    clearance_m: Callable[[Floats, Floats], Floats]
    elevation_m: Callable[[Floats, Floats], Floats]


def survey_date(survey: Survey, given: dt.date | None) -> dt.datetime | None:
    """Return the middle of the survey: from its times, else the given date, else None."""
    if survey.time_s is not None and np.isfinite(survey.time_s).any():
        middle = float(np.nanmedian(survey.time_s))
        return dt.datetime.fromtimestamp(middle, tz=dt.UTC)
    return None if given is None else dt.datetime(given.year, given.month, given.day, tzinfo=dt.UTC)


def find_main_field(
    survey: Survey, config: FieldConfig, *, date: dt.datetime | None, assumed: dt.date
) -> MainField:
    """Find the main field: as given, or IGRF-14 at the survey's date, or at ``assumed`` with a warning.

    Raises
    ------
    BadSurvey
        If nothing is given and the survey has no place on Earth (no CRS).
    """
    if config.inclination_deg is not None and config.declination_deg is not None:
        return _given(survey, config)
    if survey.crs is None:
        raise BadSurvey(
            "the main field's direction is unknown: the survey has no coordinate system",
            hint="give --crs, or --inclination and --declination",
        )
    when = date or dt.datetime(assumed.year, assumed.month, assumed.day, tzinfo=dt.UTC)
    return _from_igrf(survey, config, when, assumed=date is None)


def _given(survey: Survey, config: FieldConfig) -> MainField:
    inclination, declination = config.inclination_deg, config.declination_deg
    if inclination is None or declination is None:  # pragma: no cover -- the caller checked
        raise BadSurvey("half a direction", hint="give both angles")
    turn = _convergence(survey)
    return MainField(
        inclination_deg=inclination,
        declination_deg=declination,
        convergence_deg=turn,
        intensity_nt=config.intensity_nt or _STRENGTH_ASSUMED_NT,
        spread_deg=0.0,
        source="as given",
        direction_at=lambda _e, _n: (inclination, declination - turn),
        warnings=() if config.intensity_nt else (_STRENGTH_UNKNOWN,),
    )


def _from_igrf(
    survey: Survey, config: FieldConfig, when: dt.datetime, *, assumed: bool
) -> MainField:
    year = igrf.decimal_year(when)
    crs = survey.crs or ""

    def direction_at(easting_m: float, northing_m: float) -> tuple[float, float]:
        place = (np.array([easting_m]), np.array([northing_m]))
        longitude, latitude = to_lonlat(*place, crs)
        here = igrf.field(longitude, latitude, 0.0, year)
        inclination = config.inclination_deg
        declination = config.declination_deg
        if inclination is None:
            inclination = float(here.inclination_deg[0])
        if declination is None:
            declination = float(here.declination_deg[0])
        turn = float(np.ravel(meridian_convergence_deg(*place, crs))[0])
        return inclination, declination - turn

    centre = _centre(survey)
    inclination, from_grid = direction_at(*centre)
    corners = [
        direction_at(e, n) for e in _ends(survey.easting_m) for n in _ends(survey.northing_m)
    ]
    longitude, latitude = to_lonlat(np.array([centre[0]]), np.array([centre[1]]), crs)
    place = (float(longitude[0]), float(latitude[0]))
    there = igrf.field(*place, 0.0, year)
    turn = _convergence(survey)
    return MainField(
        inclination_deg=inclination,
        declination_deg=from_grid + turn,
        convergence_deg=turn,
        intensity_nt=config.intensity_nt or float(there.total_nt),
        spread_deg=float(np.ptp(np.array(corners), axis=0).max()),
        source=f"{IGRF_NAME} at {when.date()}",
        direction_at=direction_at,
        warnings=(_secular_warning(place, year, when.date()),) if assumed else (),
    )


def _secular_warning(place: tuple[float, float], year: float, date: dt.date) -> str:
    earlier = max(year - _SECULAR_YEARS, 1900.0)
    now = igrf.main_field_direction(*place, 0.0, year)
    then = igrf.main_field_direction(*place, 0.0, earlier)
    change = tuple(abs(a - b) for a, b in zip(now, then, strict=True))
    return (
        f"the survey has no date: the main field's direction is that of {date}; it changed by "
        f"{change[0]:.1f} degrees in inclination and {change[1]:.1f} in declination over the "
        f"{year - earlier:.0f} years before (give --date, or --inclination and --declination)"
    )


def find_ground(survey: Survey, dem: xr.DataArray | None, *, geoid_height_m: float) -> Ground:
    """Find what depths can be measured from: clearance, a ground model, or only the sensor.

    Clearance is the height where its role says so, else a channel that is named as an altimeter.
    """
    name, clearance = measured_clearance(survey)
    if clearance is not None:
        return Ground(
            reference=f"below ground (clearance from {name})",
            clearance_m=_nearest(survey, clearance),
            elevation_m=_sampler(dem),
        )
    if dem is not None and survey.height_m is not None:
        shift = geoid_height_m if survey.height_role is HeightRole.ELLIPSOIDAL else 0.0
        ground = _sampler(dem)
        above = survey.height_m - shift - ground(survey.easting_m, survey.northing_m)
        return Ground(
            reference="below ground (sensor height less ground model)",
            clearance_m=_nearest(survey, above),
            elevation_m=ground,
        )
    return Ground(reference="below sensor", clearance_m=_nothing, elevation_m=_sampler(dem))


def _nothing(easting_m: Floats, northing_m: Floats) -> Floats:
    del northing_m
    return np.zeros(len(easting_m))


def _nearest(survey: Survey, values: Floats) -> Callable[[Floats, Floats], Floats]:
    known = np.flatnonzero(np.isfinite(values))
    some = known[:: max(1, len(known) // _STATIONS_FOR_CLEARANCE)]
    if not len(some):
        return _nothing
    tree = cKDTree(np.column_stack((survey.easting_m[some], survey.northing_m[some])))

    def look_up(easting_m: Floats, northing_m: Floats) -> Floats:
        return np.asarray(
            values[some[tree.query(np.column_stack((easting_m, northing_m)))[1]]], dtype=np.float64
        )

    return look_up


def _sampler(dem: xr.DataArray | None) -> Callable[[Floats, Floats], Floats]:
    if dem is None:
        return lambda easting_m, _northing_m: np.full(len(easting_m), np.nan)

    def look_up(easting_m: Floats, northing_m: Floats) -> Floats:
        found = dem.interp(easting=("p", easting_m), northing=("p", northing_m))
        return np.asarray(found.to_numpy(), dtype=np.float64)

    return look_up


def _centre(survey: Survey) -> tuple[float, float]:
    east, north = _ends(survey.easting_m), _ends(survey.northing_m)
    return (east[0] + east[1]) / 2.0, (north[0] + north[1]) / 2.0


def _ends(values: Floats) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _convergence(survey: Survey) -> float:
    if survey.crs is None:
        return 0.0
    easting, northing = _centre(survey)
    turn = meridian_convergence_deg(np.array([easting]), np.array([northing]), survey.crs)
    return float(np.ravel(turn)[0])
