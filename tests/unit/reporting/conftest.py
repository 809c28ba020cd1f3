"""A small synthetic grid, and a map of it."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from quetzalcore.geophysics.grid import make_grid


@pytest.fixture
def grid() -> xr.DataArray:
    easting = 500_000.0 + 25.0 * np.arange(80.0)
    northing = 7_500_000.0 + 25.0 * np.arange(60.0)
    x, y = np.meshgrid(easting - easting.mean(), northing - northing.mean())
    values = 300 * np.exp(-((x / 300) ** 2) - (y / 250) ** 2) - 40 * np.exp(-((y + 500) ** 2) / 1e5)
    return make_grid(
        values, easting, northing, name="tmi", unit="nT", long_name="TMI", crs="EPSG:32723"
    )
