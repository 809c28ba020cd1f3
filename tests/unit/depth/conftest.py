"""Fields of known sources and their exact derivatives, written out plainly as a reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.geophysics.grid import make_grid

Field = Callable[[NDArray[np.float64], NDArray[np.float64], float], NDArray[np.float64]]


@pytest.fixture
def rng() -> np.random.Generator:
    """Give the same random numbers to every test."""
    return np.random.default_rng(20261121)


@pytest.fixture(scope="session")
def with_derivatives() -> Callable[..., tuple[xr.DataArray, ...]]:
    """Sample ``field(easting, northing, height)`` with its three derivatives by differences."""

    def sample(
        field: Field, easting_m: NDArray[np.float64], northing_m: NDArray[np.float64]
    ) -> tuple[xr.DataArray, ...]:
        e, n = np.meshgrid(easting_m, northing_m)
        h = 1e-3 * (easting_m[1] - easting_m[0])
        values = (
            field(e, n, 0.0),
            (field(e + h, n, 0.0) - field(e - h, n, 0.0)) / (2 * h),
            (field(e, n + h, 0.0) - field(e, n - h, 0.0)) / (2 * h),
            (field(e, n, h) - field(e, n, -h)) / (2 * h),
        )
        return tuple(make_grid(v, easting_m, northing_m, name="t", unit="nT") for v in values)

    return sample


@pytest.fixture(scope="session")
def dipole() -> Callable[..., Field]:
    """Make the total-field anomaly of a dipole at a place, nT."""

    def make(
        *,
        place_m: tuple[float, float, float],
        moment_a_m2: float,
        direction_deg: tuple[float, float],
        base_nt: float = 0.0,
    ) -> Field:
        inclination, declination = np.radians(direction_deg)
        flat = np.cos(inclination)
        unit = (flat * np.sin(declination), flat * np.cos(declination), -np.sin(inclination))

        def field(e: NDArray[np.float64], n: NDArray[np.float64], u: float) -> NDArray[np.float64]:
            x, y, z = e - place_m[0], n - place_m[1], u - place_m[2]
            r = np.sqrt(x * x + y * y + z * z)
            along = unit[0] * x + unit[1] * y + unit[2] * z
            field_nt = 100.0 * moment_a_m2 * (3.0 * along**2 / r**5 - 1.0 / r**3) + base_nt
            return np.asarray(field_nt)

        return field

    return make
