from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.grid import like, make_grid, spacing_m


def grid() -> xr.DataArray:
    return make_grid(
        np.zeros((3, 4)),
        np.linspace(0.0, 75.0, 4),
        np.linspace(0.0, 100.0, 3),
        name="tmi",
        unit="nT",
        crs="EPSG:32754",
    )


def test_a_grid_carries_units_names_and_crs() -> None:
    made = grid()
    assert made.dims == ("northing", "easting")
    assert made.attrs == {"units": "nT", "long_name": "tmi", "crs": "EPSG:32754"}
    assert made["easting"].attrs["standard_name"] == "projection_x_coordinate"
    assert (
        "crs" not in make_grid(np.zeros((1, 1)), np.zeros(1), np.zeros(1), name="a", unit="").attrs
    )


def test_a_grid_like_another_shares_its_axes() -> None:
    other = like(grid(), np.ones((3, 4)), name="tilt", unit="degrees", long_name="tilt angle")
    assert other.attrs == {"units": "degrees", "long_name": "tilt angle", "crs": "EPSG:32754"}
    xr.testing.assert_equal(other["easting"], grid()["easting"])


def test_spacing_is_northing_then_easting() -> None:
    assert spacing_m(grid()) == (50.0, 25.0)


def test_transposed_uneven_decreasing_or_single_axes_are_refused() -> None:
    with pytest.raises(BadParameter, match="dims"):
        spacing_m(grid().transpose())
    with pytest.raises(BadParameter, match="northing axis is not evenly increasing"):
        spacing_m(grid().isel(northing=slice(None, None, -1)))
    with pytest.raises(BadParameter, match="easting axis is not evenly increasing"):
        spacing_m(grid().isel(easting=[0, 1, 3]))
    with pytest.raises(BadParameter, match="easting axis has one node"):
        spacing_m(grid().isel(easting=[0]))
