"""The bound's cornerstone: the field at complex coordinates, summed directly, stays below it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from quetzalcore.geophysics.igrf import remainder
from quetzalcore.geophysics.igrf.coefficients import model
from quetzalcore.geophysics.igrf.remainder import Axis, Box
from quetzalcore.geophysics.igrf.synthesis import EQUATORIAL_RADIUS_M, FLATTENING

Complexes = NDArray[np.complex128]
E2 = FLATTENING * (2 - FLATTENING)
A_M = 6_371_200.0


def potential(place_m: Complexes, year: float) -> complex:
    """Sum the potential, continued to complex Cartesian coordinates, nT m."""
    g, h = model().at(year)
    r = np.sqrt(place_m @ place_m)
    s, t, u = place_m / r
    cosine, sine, sectoral, total = 1.0 + 0j, 0.0 + 0j, 1.0, 0.0 + 0j
    for m in range(14):
        before, latest = 0.0 + 0j, sectoral + 0j
        for n in range(m, 14):
            if n > m:
                step = (2 * n - 1) * u * latest - math.sqrt((n - 1) ** 2 - m * m) * before
                before, latest = latest, step / math.sqrt(n * n - m * m)
            wave = g[m, n] * cosine + h[m, n] * sine
            total += A_M * (A_M / r) ** (n + 1) * latest * wave
        cosine, sine = s * cosine - t * sine, s * sine + t * cosine
        sectoral *= math.sqrt((2 * m + 1) / (2 * m + 2)) if m else 1.0
    return complex(total)


def place(longitude: complex, latitude: complex, height_m: complex) -> Complexes:
    normal = EQUATORIAL_RADIUS_M / np.sqrt(1 - E2 * np.sin(latitude) ** 2)
    axis = (normal + height_m) * np.cos(latitude)
    return np.array(
        [
            axis * np.cos(longitude),
            axis * np.sin(longitude),
            (normal * (1 - E2) + height_m) * np.sin(latitude),
        ]
    )


def field_at(where: Complexes, year: float) -> Complexes:
    step = 30.0
    return np.array(
        [
            -(potential(where + step * unit, year) - potential(where - step * unit, year))
            / step
            / 2
            for unit in np.eye(3)
        ]
    )


def continued(axis: str, imaginary: float, longitude: float, latitude: float) -> Complexes:
    moves = {
        "longitude": (longitude + 1j * imaginary, latitude, 500.0),
        "latitude": (longitude, latitude + 1j * imaginary, 500.0),
        "height": (longitude, latitude, 500.0 + 1j * imaginary),
    }
    return place(*moves[axis])


BOX = Box(
    year=Axis(centre=2022.0, half=0.0),
    height_m=Axis(centre=500.0, half=500.0),
    longitude_deg=Axis(centre=0.0, half=1.0),
    latitude_deg=Axis(centre=0.0, half=1.0),
)
PEAKS: dict[str, Callable[..., tuple[NDArray[np.float64], NDArray[np.float64]]]] = {
    "longitude": remainder._longitude,
    "latitude": remainder._latitude,
    "height": remainder._height,
}
IMAGINARY = {
    "longitude": remainder._ANGLES,
    "latitude": remainder._ANGLES,
    "height": remainder._HEIGHTS * A_M,
}


@pytest.mark.parametrize("axis", list(PEAKS))
def test_no_complex_coordinate_takes_the_squared_intensity_over_the_bound(axis: str) -> None:
    _, peaks = PEAKS[axis](BOX, remainder._degree_norms(BOX.year), 2)
    rng = np.random.default_rng(4)
    tightest = math.inf
    for index in range(0, len(peaks), 3):
        for _ in range(4):
            longitude, latitude = rng.uniform(-math.pi, math.pi), rng.uniform(-1.5, 1.5)
            where = continued(axis, float(IMAGINARY[axis][index]), longitude, latitude)
            field = field_at(where, 2022.0)
            square = abs(complex(field @ field))
            assert square <= peaks[index]
            tightest = min(tightest, peaks[index] / square)
    assert tightest < 50  # a bound so loose that it cannot fail would prove nothing


@pytest.mark.parametrize("axis", ["longitude", "latitude"])
def test_no_complex_angle_takes_a_component_over_the_bound(axis: str) -> None:
    _, peaks = PEAKS[axis](BOX, remainder._degree_norms(BOX.year), 1)
    rng = np.random.default_rng(5)
    for index in range(0, len(peaks), 4):
        longitude, latitude = rng.uniform(-math.pi, math.pi), rng.uniform(-1.5, 1.5)
        imaginary = float(IMAGINARY[axis][index])
        lon = longitude + (1j * imaginary if axis == "longitude" else 0)
        lat = latitude + (1j * imaginary if axis == "latitude" else 0)
        field = field_at(place(lon, lat, 500.0), 2022.0)
        sine, cosine = np.sin(lat), np.cos(lat)
        axes = np.array(
            [
                [-np.sin(lon), np.cos(lon), 0],
                [-sine * np.cos(lon), -sine * np.sin(lon), cosine],
                [cosine * np.cos(lon), cosine * np.sin(lon), sine],
            ]
        )
        assert np.abs(axes @ field).max() <= peaks[index]
