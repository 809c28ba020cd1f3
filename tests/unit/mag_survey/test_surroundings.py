from __future__ import annotations

import datetime as dt
from types import MappingProxyType

import numpy as np
import pytest
import xarray as xr

from quetzalcore.errors import BadSurvey
from quetzalcore.formats import to_lonlat
from quetzalcore.geophysics import igrf
from quetzalcore.geophysics.grid import make_grid
from quetzalcore.geophysics.survey import HeightRole, Survey
from quetzalcore.workloads.mag_survey.config import FieldConfig
from quetzalcore.workloads.mag_survey.surroundings import (
    find_ground,
    find_main_field,
    survey_date,
)

TODAY = dt.date(2026, 11, 21)


def survey(**changes: object) -> Survey:
    columns: dict = {
        "easting_m": np.linspace(700_000.0, 702_000.0, 50),
        "northing_m": np.linspace(7_560_000.0, 7_561_000.0, 50),
        "tmi_nt": np.zeros(50),
        "line": np.zeros(50, dtype=np.int32),
        "line_names": ("1",),
        "crs": "EPSG:32754",
    }
    return Survey(**{**columns, **changes})


def test_the_direction_is_that_of_igrf_turned_to_grid_north() -> None:
    here = survey()
    date = dt.datetime(1990, 7, 1, tzinfo=dt.UTC)
    field = find_main_field(here, FieldConfig(), date=date, assumed=TODAY)
    longitude, latitude = to_lonlat(np.array([701_000.0]), np.array([7_560_500.0]), "EPSG:32754")
    expected = igrf.field(longitude, latitude, 0.0, igrf.decimal_year(date))
    assert field.inclination_deg == pytest.approx(float(expected.inclination_deg[0]))
    assert field.declination_deg == pytest.approx(float(expected.declination_deg[0]))
    assert field.intensity_nt == pytest.approx(float(expected.total_nt[0]))
    assert field.warnings == ()
    # A place 10 m true north, seen on the grid, lies at minus the convergence.
    ahead = to_lonlat(
        np.array([701_000.0, 701_000.0]), np.array([7_560_500.0, 7_560_600.0]), "EPSG:32754"
    )
    east_m = np.diff(ahead[0])[0] * 111_320 * np.cos(np.radians(latitude[0]))
    north_m = np.diff(ahead[1])[0] * 110_700
    bearing_of_grid_north = np.degrees(np.arctan2(east_m, north_m))
    assert field.convergence_deg == pytest.approx(bearing_of_grid_north, abs=0.02)
    assert field.grid_declination_deg == pytest.approx(
        field.declination_deg - bearing_of_grid_north, abs=0.02
    )
    assert field.direction_at(701_000.0, 7_560_500.0) == pytest.approx(
        (field.inclination_deg, field.grid_declination_deg), abs=1e-6
    )


def test_without_a_date_today_stands_in_and_the_secular_change_is_said() -> None:
    field = find_main_field(survey(), FieldConfig(), date=None, assumed=TODAY)
    assert "2026-11-21" in field.source
    assert "it changed by" in field.warnings[0]


def test_a_given_direction_needs_no_place_and_says_what_strength_it_assumes() -> None:
    given = FieldConfig(inclination_deg=-53.0, declination_deg=6.0)
    field = find_main_field(survey(crs=None), given, date=None, assumed=TODAY)
    assert field.direction_at(0.0, 0.0) == (-53.0, 6.0)
    assert "50,000 nT is assumed" in field.warnings[0]
    known = given.model_copy(update={"intensity_nt": 51_000.0})
    assert find_main_field(survey(), known, date=None, assumed=TODAY).warnings == ()


def test_half_a_given_direction_is_completed_by_igrf() -> None:
    half = FieldConfig(inclination_deg=-50.0)
    field = find_main_field(survey(), half, date=None, assumed=TODAY)
    assert field.inclination_deg == -50.0
    assert field.declination_deg == pytest.approx(6.5, abs=1.0)
    other = find_main_field(survey(), FieldConfig(declination_deg=3.0), date=None, assumed=TODAY)
    assert other.declination_deg == pytest.approx(3.0)


def test_no_place_and_no_direction_is_refused() -> None:
    with pytest.raises(BadSurvey, match="give --crs, or --inclination and --declination"):
        find_main_field(survey(crs=None), FieldConfig(), date=None, assumed=TODAY)


def test_the_date_is_the_middle_of_the_times_else_the_given_one() -> None:
    assert survey_date(survey(), None) is None
    assert survey_date(survey(), dt.date(1990, 7, 1)) == dt.datetime(1990, 7, 1, tzinfo=dt.UTC)
    times = survey(time_s=np.full(50, 86_400.0))
    assert survey_date(times, dt.date(1990, 7, 1)) == dt.datetime(1970, 1, 2, tzinfo=dt.UTC)


def at(ground, what: str) -> float:
    place = (np.array([701_000.0]), np.array([7_560_500.0]))
    return float(getattr(ground, what)(*place)[0])


def dem() -> xr.DataArray:
    return make_grid(
        np.full((3, 3), 300.0),
        np.linspace(699_000.0, 703_000.0, 3),
        np.linspace(7_559_000.0, 7_562_000.0, 3),
        name="dem",
        unit="m",
    )


def test_depths_are_below_the_sensor_where_nothing_is_known_of_the_ground() -> None:
    ground = find_ground(survey(), None, geoid_height_m=0.0)
    assert ground.reference == "below sensor"
    assert at(ground, "clearance_m") == 0.0
    assert np.isnan(at(ground, "elevation_m"))


def test_clearance_comes_from_the_height_or_a_channel_named_as_an_altimeter() -> None:
    high = survey(height_m=np.full(50, 80.0), height_role=HeightRole.CLEARANCE)
    assert at(find_ground(high, None, geoid_height_m=0.0), "clearance_m") == 80.0
    radar = survey(
        height_m=np.full(50, 400.0),
        height_role=HeightRole.ELLIPSOIDAL,
        channels=MappingProxyType({"Radar_altimeter_m": np.full(50, 61.0)}),
    )
    ground = find_ground(radar, None, geoid_height_m=0.0)
    assert at(ground, "clearance_m") == 61.0
    assert "Radar_altimeter_m" in ground.reference


def test_a_ground_model_gives_clearance_and_elevation_and_the_geoid_is_taken_off() -> None:
    above = survey(height_m=np.full(50, 450.0), height_role=HeightRole.ELLIPSOIDAL)
    ground = find_ground(above, dem(), geoid_height_m=50.0)
    assert at(ground, "clearance_m") == pytest.approx(100.0)
    assert at(ground, "elevation_m") == pytest.approx(300.0)
    level = survey(height_m=np.full(50, 400.0), height_role=HeightRole.ORTHOMETRIC)
    assert at(find_ground(level, dem(), geoid_height_m=50.0), "clearance_m") == pytest.approx(100.0)


def test_clearance_that_is_unknown_everywhere_counts_as_nothing() -> None:
    lost = survey(height_m=np.full(50, np.nan), height_role=HeightRole.CLEARANCE)
    assert at(find_ground(lost, None, geoid_height_m=0.0), "clearance_m") == 0.0
