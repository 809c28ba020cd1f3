"""Closed forms of magnetic fields on planes, written out plainly as a reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.geophysics.grid import make_grid

DipoleField = Callable[..., xr.DataArray]
GridOf = Callable[..., xr.DataArray]


def _unit(inclination_deg: float, declination_deg: float) -> NDArray[np.float64]:
    inclination, declination = np.radians(inclination_deg), np.radians(declination_deg)
    flat = np.cos(inclination)
    return np.array([flat * np.sin(declination), flat * np.cos(declination), -np.sin(inclination)])


@pytest.fixture(scope="session")
def grid_of() -> GridOf:
    """Put values on a grid with its middle node at the origin."""

    def make(values: NDArray[np.float64], cell_m: float = 50.0) -> xr.DataArray:
        northing, easting = (
            cell_m * (np.arange(n, dtype=np.float64) - n // 2) for n in values.shape
        )
        return make_grid(values, easting, northing, name="tmi", unit="nT", crs="EPSG:32754")

    return make


@pytest.fixture(scope="session")
def dipole_field(grid_of: GridOf) -> DipoleField:
    """Give the total-field anomaly of a dipole under the origin, nT."""

    def field(
        *,
        field_deg: tuple[float, float],
        moment_deg: tuple[float, float] | None = None,
        depth_m: float = 500.0,
        moment_a_m2: float = 1e9,
        shape: tuple[int, int] = (96, 80),
        cell_m: float = 100.0,
    ) -> xr.DataArray:
        empty = grid_of(np.zeros(shape), cell_m)
        easting, northing = np.meshgrid(empty["easting"], empty["northing"])
        offset = np.stack([easting, northing, np.full_like(easting, depth_m)])
        distance = np.sqrt((offset**2).sum(axis=0))
        moment = moment_a_m2 * _unit(*(moment_deg or field_deg))
        along = np.tensordot(moment, offset, 1)
        b_nt = 100.0 * (3.0 * along * offset / distance**5 - moment[:, None, None] / distance**3)
        return empty.copy(data=np.tensordot(_unit(*field_deg), b_nt, 1))

    return field


@pytest.fixture
def rng() -> np.random.Generator:
    """Give the same random numbers to every test."""
    return np.random.default_rng(20261121)
