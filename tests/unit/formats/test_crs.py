"""Reference systems: zones, both directions, grid north."""

from __future__ import annotations

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.formats import (
    is_geographic,
    meridian_convergence_deg,
    to_lonlat,
    transform,
    utm_crs,
)
from quetzalcore.formats.crs import crs_from_words


@pytest.mark.parametrize(
    ("longitude", "latitude", "crs"),
    [
        (140.68, -21.91, "EPSG:32754"),
        (-43.7, -23.5, "EPSG:32723"),
        (-180.0, 10.0, "EPSG:32601"),
        (179.99, 10.0, "EPSG:32660"),
        (0.0, 0.0, "EPSG:32631"),
        (5.3, 60.4, "EPSG:32632"),  # Bergen, in the widened zone
        (2.0, 60.4, "EPSG:32631"),
        (8.0, 78.0, "EPSG:32631"),  # Svalbard has no zones 32, 34, 36
        (15.6, 78.2, "EPSG:32633"),
        (30.0, 78.0, "EPSG:32635"),
        (35.0, 78.0, "EPSG:32637"),
        (45.0, 78.0, "EPSG:32638"),
        (10.0, 86.0, "EPSG:5041"),
        (10.0, -85.0, "EPSG:5042"),
    ],
)
def test_the_zone_is_the_one_that_holds_the_place(
    longitude: float, latitude: float, crs: str
) -> None:
    assert utm_crs(np.array([longitude, np.nan]), np.array([latitude, np.nan])) == crs


def test_a_survey_across_the_date_line_has_one_zone() -> None:
    assert (
        utm_crs(np.array([179.9, -179.9, -179.8]), np.array([-17.0, -17.0, -17.0])) == "EPSG:32701"
    )


def test_no_position_has_no_zone() -> None:
    with pytest.raises(BadParameter, match="no position is finite"):
        utm_crs(np.array([np.nan]), np.array([1.0]))


def test_there_and_back_is_the_same_place() -> None:
    rng = np.random.default_rng(5)
    easting, northing = rng.uniform(3e5, 7e5, 100_000), rng.uniform(7e6, 8e6, 100_000)
    easting[7] = np.nan
    longitude, latitude = to_lonlat(easting, northing, "EPSG:32754")
    x, y = transform(longitude, latitude, source="EPSG:4326", target="EPSG:32754")
    np.testing.assert_allclose(x, easting, atol=1e-6)
    np.testing.assert_allclose(y[np.isfinite(x)], northing[np.isfinite(x)], atol=1e-6)
    assert np.isnan(longitude[7])


def test_the_central_meridian_of_utm_has_easting_500_km() -> None:
    x, _ = transform(np.array([141.0]), np.array([-21.9]), source="4326", target="EPSG:32754")
    assert x[0] == pytest.approx(500_000.0, abs=1e-6)


@pytest.mark.parametrize("crs", ["EPSG:32754", "EPSG:32633", "EPSG:3031"])
def test_convergence_is_how_far_grid_north_turns_from_the_meridian(crs: str) -> None:
    place = {"EPSG:32754": (140.2, -21.9), "EPSG:32633": (17.5, 62.0), "EPSG:3031": (30.0, -75.0)}
    longitude, latitude = (np.array([value]) for value in place[crs])
    x, y = transform(longitude, latitude, source="EPSG:4326", target=crs)
    there_x, there_y = transform(longitude, latitude + 1e-4, source="EPSG:4326", target=crs)
    meridian_on_grid = np.degrees(np.arctan2(there_x - x, there_y - y))  # azimuth of true north
    np.testing.assert_allclose(meridian_convergence_deg(x, y, crs), -meridian_on_grid, atol=1e-3)


def test_convergence_keeps_gaps_and_is_zero_on_degrees() -> None:
    gaps = meridian_convergence_deg(np.array([np.nan, 5e5]), np.array([7e6, 7e6]), "EPSG:32754")
    assert np.isnan(gaps[0])
    assert gaps[1] == pytest.approx(0.0, abs=1e-9)
    degrees = meridian_convergence_deg(np.array([140.0]), np.array([-21.0]), "EPSG:4326")
    assert degrees.tolist() == [0.0]


@pytest.mark.parametrize(
    ("words", "crs"),
    [
        ("PROJGDA94 / Map Grid of Australia zone 55     GDA94", "EPSG:28355"),
        ("MGA zone 54, GDA2020", "EPSG:7854"),
        ("WGS 84 / UTM zone 54S", "EPSG:32754"),
        ("UTM zone 11 N", "EPSG:32611"),
        ("GDA94 / UTM zone 54S", "EPSG:28354"),
        ("crs: EPSG:2193", "EPSG:2193"),
        ("UTM zone 11", None),
        ("UTM zone 99N", None),
        ("no words on it", None),
    ],
)
def test_a_system_is_found_in_words(words: str, crs: str | None) -> None:
    assert crs_from_words(words) == crs


def test_degrees_are_told_from_metres() -> None:
    assert is_geographic("EPSG:4283")
    assert not is_geographic("28354")
