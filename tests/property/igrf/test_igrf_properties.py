"""Whatever the survey, its bound is never exceeded; whatever the point, the sum behaves as a field."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quetzalcore.geophysics.igrf import (
    decimal_year,
    decimal_years,
    field,
    survey_field,
    survey_total,
)

longitudes = st.floats(-180, 180)
latitudes = st.floats(-88, 88)
years = st.floats(1900, 2029.9)


@settings(deadline=None, max_examples=80)
@given(
    longitude=longitudes,
    latitude=st.floats(-80, 80),
    half_deg=st.floats(0.001, 9.0),
    base_m=st.floats(-400, 9000),
    span_m=st.floats(0, 2000),
    year=years,
    span_y=st.floats(0, 0.1),
    bound_nt=st.sampled_from([1e-4, 0.01, 0.5]),
    seed=st.integers(0, 99),
)
def test_the_bound_is_never_exceeded(
    *,
    longitude: float,
    latitude: float,
    half_deg: float,
    base_m: float,
    span_m: float,
    year: float,
    span_y: float,
    bound_nt: float,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    n = 2500
    unit = rng.uniform(-1, 1, (3, n))
    unit[:, :8] = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8)  # corners, too
    place = (
        longitude + half_deg * unit[0],
        latitude + half_deg * unit[1],
        base_m + span_m * (unit[2] + 1) / 2,
        year + np.linspace(0, span_y, n),
    )
    truth = field(*place)
    total = survey_total(*place, bound_nt=bound_nt)
    parts = survey_field(*place, bound_nt=bound_nt)
    assert total.bound_nt <= bound_nt
    assert parts.bound_nt <= bound_nt
    rounding_nt = 1e-8  # where the answer is the exact sum, at longitudes a turn away
    assert np.abs(total.total_nt - truth.total_nt).max() <= total.bound_nt + rounding_nt
    for name in ("easting_nt", "northing_nt", "upward_nt"):
        apart = np.abs(getattr(parts, name) - getattr(truth, name)).max()
        assert apart <= parts.bound_nt + rounding_nt


@settings(deadline=None)
@given(longitude=longitudes, latitude=latitudes, height_m=st.floats(0, 1e6), year=years)
def test_the_field_has_a_plausible_strength_that_falls_with_height(
    longitude: float, latitude: float, height_m: float, year: float
) -> None:
    low = float(field(longitude, latitude, height_m, year).total_nt)
    high = float(field(longitude, latitude, height_m + 200_000, year).total_nt)
    assert 5_000 < high < low < 75_000


@settings(deadline=None)
@given(longitude=longitudes, latitude=latitudes, year=years)
def test_longitude_is_periodic(longitude: float, latitude: float, year: float) -> None:
    here = field(longitude, latitude, 0.0, year)
    there = field(longitude + 360.0, latitude, 0.0, year)
    assert float(here.easting_nt) == pytest.approx(float(there.easting_nt), abs=1e-6)


@given(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2030, 1, 1)))  # noqa: DTZ001 -- bounds of naive dates
def test_dates_and_seconds_agree_and_lie_in_their_calendar_year(moment: dt.datetime) -> None:
    utc = moment.replace(tzinfo=dt.UTC)
    year = decimal_year(moment)
    assert moment.year <= year < moment.year + 1 + 1e-9
    assert float(decimal_years(utc.timestamp())) == pytest.approx(year, abs=1e-9)
