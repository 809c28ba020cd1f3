"""The exact sum: published values, a plain reference sum, Laplace's equation, symmetry, poles, dates."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import ppigrf
import pytest
from numpy.typing import NDArray
from scipy.special import lpmv

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.igrf import Field, decimal_year, field, main_field_direction
from quetzalcore.geophysics.igrf.coefficients import model
from quetzalcore.geophysics.igrf.synthesis import EQUATORIAL_RADIUS_M, FLATTENING, synthesise

Floats = NDArray[np.float64]


def potential(place_m: Floats, g: Floats, h: Floats) -> float:
    """Sum the potential in nT m at one geocentric place from SciPy's Legendre functions."""
    x_m, y_m, z_m = (float(part) for part in place_m)
    r = math.sqrt(x_m**2 + y_m**2 + z_m**2)
    longitude, u = math.atan2(y_m, x_m), z_m / r
    total = 0.0
    for n in range(1, 14):
        for m in range(n + 1):
            factor = math.sqrt((2 - (m == 0)) * math.factorial(n - m) / math.factorial(n + m))
            schmidt = (
                (-1) ** m * factor * float(lpmv(m, n, u))
            )  # without Condon and Shortley's sign
            wave = g[m, n] * math.cos(m * longitude) + h[m, n] * math.sin(m * longitude)
            total += 6_371_200.0 * (6_371_200.0 / r) ** (n + 1) * schmidt * wave
    return total


def to_cartesian(longitude_deg: float, latitude_deg: float, height_m: float) -> Floats:
    lon, lat = math.radians(longitude_deg), math.radians(latitude_deg)
    e2 = FLATTENING * (2 - FLATTENING)
    normal = EQUATORIAL_RADIUS_M / math.sqrt(1 - e2 * math.sin(lat) ** 2)
    axis = (normal + height_m) * math.cos(lat)
    place = (
        axis * math.cos(lon),
        axis * math.sin(lon),
        (normal * (1 - e2) + height_m) * math.sin(lat),
    )
    return np.array(place)


def local_axes(longitude_deg: float, latitude_deg: float) -> Floats:
    lon, lat = math.radians(longitude_deg), math.radians(latitude_deg)
    east = (-math.sin(lon), math.cos(lon), 0.0)
    north = (-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat))
    up = (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat))
    return np.array([east, north, up])


def cartesian_field(place_m: Floats, year: float) -> Floats:
    """Give our field at a geocentric place on geocentric Cartesian axes."""
    longitude, latitude, height = geodetic(*(float(part) for part in place_m))
    here = field(longitude, latitude, height, year)
    parts = np.array([here.easting_nt, here.northing_nt, here.upward_nt])
    return np.asarray(parts @ local_axes(longitude, latitude))


def geodetic(x: float, y: float, z: float) -> tuple[float, float, float]:
    e2 = FLATTENING * (2 - FLATTENING)
    p = math.hypot(x, y)
    latitude, height = math.atan2(z, p * (1 - e2)), 0.0
    for _ in range(8):
        normal = EQUATORIAL_RADIUS_M / math.sqrt(1 - e2 * math.sin(latitude) ** 2)
        height = p * math.cos(latitude) + z * math.sin(latitude)
        height -= EQUATORIAL_RADIUS_M**2 / normal
        latitude = math.atan2(z, p * (1 - e2 * normal / (normal + height)))
    return math.degrees(math.atan2(y, x)), math.degrees(latitude), height


@pytest.mark.kernels
def test_the_project_s_reference_value_in_brazil_is_met() -> None:
    """SCIENCE.md: lon -43.7, lat -23.5, 700 m, 2024-01-01."""
    here = field(-43.7, -23.5, 700.0, decimal_year(dt.date(2024, 1, 1)))
    assert here.northing_nt == pytest.approx(15700.2, abs=0.25)
    assert here.easting_nt == pytest.approx(-6573.2, abs=0.25)
    assert here.upward_nt == pytest.approx(15568.5, abs=0.25)


@pytest.mark.parametrize(
    ("longitude", "latitude", "height", "year"),
    [(0.0, 0.0, 0.0, 2025.0), (140.7, -21.9, 500.0, 1990.5), (-75.0, 83.0, 4e5, 1903.2)],
)
def test_the_field_is_the_gradient_of_a_plain_sum_of_legendre_functions(
    longitude: float, latitude: float, height: float, year: float
) -> None:
    g, h = model().at(year)
    place, step = to_cartesian(longitude, latitude, height), 50.0
    gradient = [
        (potential(place + step * unit, g, h) - potential(place - step * unit, g, h)) / (2 * step)
        for unit in np.eye(3)
    ]
    expected = -local_axes(longitude, latitude) @ np.array(gradient)
    here = field(longitude, latitude, height, year)
    ours = np.array([here.easting_nt, here.northing_nt, here.upward_nt])
    np.testing.assert_allclose(ours, expected, rtol=0, atol=2e-3)


def test_an_axial_dipole_has_its_closed_form() -> None:
    g, h = np.zeros((14, 14)), np.zeros((14, 14))
    g[0, 1] = -30_000.0
    height = 6_371_200.0 - EQUATORIAL_RADIUS_M
    east, north, up = synthesise(np.array([77.0]), np.array([0.0]), np.array([height]), g, h)
    assert east[0] == 0
    assert north[0] == pytest.approx(30_000.0, rel=1e-14)
    assert up[0] == pytest.approx(0.0, abs=1e-9)


def test_an_axial_field_does_not_depend_on_longitude_and_mirrors_at_the_equator() -> None:
    g, h = np.zeros((14, 14)), np.zeros((14, 14))
    g[0, 1], g[0, 3] = -30_000.0, 1_300.0
    lat = np.array([35.0, 35.0, -35.0])
    east, north, up = synthesise(np.array([10.0, -99.0, 10.0]), lat, np.full(3, 900.0), g, h)
    np.testing.assert_allclose(east, 0.0, atol=1e-9)
    np.testing.assert_allclose(north, north[0], rtol=1e-13)
    np.testing.assert_allclose(up, up[0] * np.array([1, 1, -1]), rtol=1e-12)


def test_the_field_has_neither_divergence_nor_curl() -> None:
    place, step = to_cartesian(140.7, -21.9, 300.0), 2000.0
    jacobian = np.array(
        [
            (
                cartesian_field(place + step * unit, 2024.5)
                - cartesian_field(place - step * unit, 2024.5)
            )
            / (2 * step)
            for unit in np.eye(3)
        ]
    )
    size = np.abs(jacobian).max()
    assert abs(np.trace(jacobian)) < 1e-5 * size
    np.testing.assert_allclose(jacobian, jacobian.T, atol=1e-5 * size)


@pytest.mark.kernels
@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_the_field_is_continuous_into_a_pole_along_each_meridian(pole: float) -> None:
    lon = np.array([0.0, 45.0, -120.0])
    at, near = field(lon, pole, 0.0, 2020.0), field(lon, pole * (1 - 1e-9), 0.0, 2020.0)
    np.testing.assert_allclose(at.easting_nt, near.easting_nt, atol=1e-3)
    np.testing.assert_allclose(at.northing_nt, near.northing_nt, atol=1e-3)
    np.testing.assert_allclose(at.upward_nt, at.upward_nt[0], rtol=1e-13)
    turned = np.radians(lon) * np.sign(pole)
    east = at.easting_nt * np.cos(turned) - at.northing_nt * np.sin(turned)
    np.testing.assert_allclose(east, east[0], atol=1e-8)  # one vector, seen from three meridians


@pytest.mark.parametrize("epoch", [1905.0, 1945.0, 2000.0, 2020.0, 2025.0])
def test_the_field_is_continuous_at_the_epochs(epoch: float) -> None:
    before, at, after = (field(20.0, 50.0, 0.0, epoch + d).total_nt for d in (-1e-7, 0.0, 1e-7))
    assert abs(before - at) < 1e-4
    assert abs(after - at) < 1e-4


def test_components_are_linear_in_time_between_epochs() -> None:
    parts = [field(20.0, 50.0, 0.0, year).upward_nt for year in (2025.0, 2026.0, 2029.0)]
    assert (parts[1] - parts[0]) * 3 == pytest.approx(parts[2] - parts[1], rel=1e-9)


def test_dates_along_a_survey_give_the_same_as_one_date_at_a_time() -> None:
    years = np.array([2019.3, 2019.9, 2020.0, 2024.2, np.nan, 2030.0, 1900.0])
    lon, lat = np.linspace(0, 50, 7), np.linspace(-60, 60, 7)
    together = field(lon, lat, 100.0, years)
    for i, year in enumerate(years):
        alone = field(lon[i], lat[i], 100.0, year)
        np.testing.assert_allclose(together.easting_nt[i], alone.easting_nt, rtol=1e-11)
        np.testing.assert_allclose(together.upward_nt[i], alone.upward_nt, rtol=1e-11)
    assert np.isnan(together.total_nt[4])


def test_longitudes_a_turn_apart_are_the_same_place() -> None:
    here, there = field(-43.7, -23.5, 0.0, 2020.0), field(316.3, -23.5, 0.0, 2020.0)
    assert here.easting_nt == pytest.approx(there.easting_nt, rel=1e-11)


@pytest.mark.kernels
def test_more_points_than_one_block_are_each_summed_alone() -> None:
    lon, lat = np.linspace(-180, 180, 600), np.linspace(-90, 90, 600)
    together = field(lon, lat, 0.0, 2020.0)
    for i in (0, 255, 256, 511, 599):
        alone = field(lon[i], lat[i], 0.0, 2020.0)
        assert together.northing_nt[i] == pytest.approx(alone.northing_nt, rel=1e-12)


def test_shapes_broadcast_and_empty_input_gives_empty_output() -> None:
    here = field(np.zeros((3, 1)), np.zeros((1, 4)), 0.0, 2020.0)
    assert here.total_nt.shape == (3, 4)
    assert field(0.0, 0.0, 0.0, 2020.0).total_nt.shape == ()
    assert field(np.array([]), np.array([]), np.array([]), 2020.0).total_nt.shape == (0,)
    assert field(np.array([]), np.array([]), np.array([]), np.array([])).total_nt.shape == (0,)


@pytest.mark.parametrize("which", range(4))
def test_nan_anywhere_gives_nan_only_there(which: int) -> None:
    arguments = [np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.zeros(2), np.full(2, 2020.0)]
    arguments[which][1] = np.nan
    total = field(*arguments).total_nt
    assert np.isfinite(total[0])
    assert np.isnan(total[1])


def test_a_date_that_is_nan_for_all_gives_nan() -> None:
    assert np.isnan(field(0.0, 0.0, 0.0, np.nan).total_nt)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0.0, 0.0, 0.0, 1899.99), "1899.990"),
        ((0.0, 0.0, 0.0, np.array([2020.0, 2030.01])), "2030.010"),
        ((0.0, 0.0, 0.0, np.inf), "infinite"),
        ((0.0, 90.1, 0.0, 2020.0), "latitude"),
        ((0.0, 0.0, -4e6, 2020.0), "core"),
        ((np.zeros(2), np.zeros(3), 0.0, 2020.0), "shapes"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_words(
    arguments: tuple[Floats, Floats, Floats, Floats], words: str
) -> None:
    with pytest.raises(BadParameter, match=words):
        field(*arguments)


def test_directions_follow_the_convention() -> None:
    down_east = Field(
        easting_nt=np.array(10.0), northing_nt=np.array(0.0), upward_nt=np.array(-10.0)
    )
    assert down_east.inclination_deg == pytest.approx(45.0)
    assert down_east.declination_deg == pytest.approx(90.0)
    inclination, declination = main_field_direction(-43.7, -23.5, 700.0, 2024.0)
    assert inclination == pytest.approx(-42.4485, abs=1e-3)
    assert declination == pytest.approx(-22.7176, abs=1e-3)


@pytest.mark.parametrize("year", [1900, 1950, 1985, 2020, 2025, 2030])
def test_ppigrf_agrees_everywhere_at_the_epochs(year: int) -> None:
    rng = np.random.default_rng(year)
    lon, lat = rng.uniform(-180, 180, 50), rng.uniform(-89.9, 89.9, 50)
    height = rng.uniform(-1000, 5e5, 50)
    east, north, up = ppigrf.igrf(lon, lat, height / 1000, dt.datetime(year, 1, 1))  # noqa: DTZ001 -- as it wants them
    ours = field(lon, lat, height, float(year))
    np.testing.assert_allclose(ours.easting_nt, east.ravel(), atol=1e-6)
    np.testing.assert_allclose(
        ours.northing_nt, north.ravel(), atol=2e-3
    )  # its rotation is rounded
    np.testing.assert_allclose(ours.upward_nt, up.ravel(), atol=2e-3)
