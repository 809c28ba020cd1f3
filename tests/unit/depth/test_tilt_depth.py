from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics import depth
from quetzalcore.geophysics.grid import make_grid

pytestmark = pytest.mark.kernels


def _contact(
    *,
    depth_m: float = 150.0,
    azimuth_deg: float = 90.0,
    cell_m: float = 25.0,
    size: int = 48,
    shift: float = 0.0,
) -> xr.DataArray:
    """Give the tilt over a vertical contact through the middle, degrees."""
    axis = cell_m * (np.arange(float(size)) - size // 2 + 0.3)
    e, n = np.meshgrid(axis, axis)
    azimuth = np.radians(azimuth_deg)
    x = e * np.sin(azimuth) + n * np.cos(azimuth)
    values = np.degrees(np.arctan(x / depth_m)) + shift
    return make_grid(values, axis, axis, name="tilt", unit="degree")


@pytest.mark.parametrize("azimuth_deg", [90.0, 270.0, 0.0, 30.0, 200.0])
def test_a_vertical_contact_is_as_deep_as_its_45_degree_lines_are_far(azimuth_deg: float) -> None:
    """SCIENCE.md, after Salem et al. (2007)."""
    found = depth.tilt_depth(_contact(azimuth_deg=azimuth_deg))
    assert len(found) >= 40
    np.testing.assert_allclose(found.depth_m, 150.0, rtol=0.01)
    turned = (found.azimuth_deg - azimuth_deg + 180.0) % 360.0 - 180.0
    np.testing.assert_allclose(turned, 0.0, atol=2.0)
    azimuth = np.radians(azimuth_deg)
    off = found.easting_m * np.sin(azimuth) + found.northing_m * np.cos(azimuth)
    np.testing.assert_allclose(off, 0.0, atol=1.0)


def test_sides_that_differ_are_the_uncertainty() -> None:
    plain = depth.tilt_depth(_contact())
    np.testing.assert_allclose(plain.uncertainty_m, 6.25, atol=0.5)
    # 10 degrees up: zero at 150 tan(-10), 45 at 150 tan 35, -45 at 150 tan(-55)
    shifted = depth.tilt_depth(_contact(shift=10.0), largest_ratio=0.5)
    zero, inner, outer = 150.0 * np.tan(np.radians([-10.0, 35.0, -55.0]))
    np.testing.assert_allclose(shifted.depth_m, 0.5 * (inner - outer), rtol=0.01)
    difference = 0.5 * abs((inner - zero) - (zero - outer))
    np.testing.assert_allclose(shifted.uncertainty_m, np.hypot(difference, 6.25), rtol=0.03)
    assert not len(depth.tilt_depth(_contact(shift=10.0), largest_ratio=0.1))


def test_walks_end_at_holes_at_the_rim_and_at_the_deepest() -> None:
    grid = _contact()
    assert not len(depth.tilt_depth(grid, deepest_m=100.0))
    assert not len(depth.tilt_depth(grid[:, 20:28]))
    holed = grid.copy()
    holed[20:30, 28:] = np.nan
    found = depth.tilt_depth(holed)
    assert 0 < len(found) < len(depth.tilt_depth(grid))
    assert not ((found.northing_m > grid["northing"][20].item()) & (found.northing_m < grid["northing"][29].item())).any()  # fmt: skip


def test_a_flat_tilt_has_no_depths() -> None:
    axis = np.arange(8.0)
    flat = make_grid(np.zeros((8, 8)), axis, axis, name="tilt", unit="degree")
    assert not len(depth.tilt_depth(flat))
    # the zero contour of a saddle's middle has no gradient to follow
    cross = flat.copy(data=np.outer(np.where(axis < 4, -1.0, 1.0), np.ones(8)) * 0.0 - 1.0)
    cross[3, 3] = 1.0
    assert not len(depth.tilt_depth(cross))


@pytest.mark.parametrize(
    "options", [{"deepest_m": 0.0}, {"deepest_m": float("inf")}, {"largest_ratio": -1.0}], ids=str
)
def test_limits_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        depth.tilt_depth(_contact(size=8), **options)
