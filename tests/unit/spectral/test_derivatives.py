from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from quetzalcore.geophysics import spectral
from quetzalcore.geophysics.spectral.angles import tilt_angle

pytestmark = pytest.mark.kernels

GridOf = Callable[..., xr.DataArray]  # what the fixtures give


def test_derivatives_of_a_wave_are_exact(grid_of: GridOf) -> None:
    y, x = np.mgrid[0:24, 0:30] * 50.0
    kx, ky = 2 * np.pi * 3 / (30 * 50.0), 2 * np.pi * 2 / (24 * 50.0)
    grid = grid_of(np.cos(kx * x + ky * y))
    prepared = spectral.prepare(grid, pad_fraction=0.0, detrend=False)
    slope = -np.sin(kx * x + ky * y)
    k = np.hypot(kx, ky)
    np.testing.assert_allclose(spectral.derivative_easting(prepared), kx * slope, atol=1e-12)
    np.testing.assert_allclose(spectral.derivative_northing(prepared), ky * slope, atol=1e-12)
    np.testing.assert_allclose(spectral.derivative_upward(prepared), -k * grid, atol=1e-12)
    expected = np.sqrt((k * slope) ** 2 + (k * grid) ** 2)
    np.testing.assert_allclose(spectral.analytic_signal(prepared), expected, atol=1e-12)


def test_the_upward_derivative_is_that_of_two_heights(dipole_field: GridOf) -> None:
    options = {"field_deg": (65.0, 25.0), "shape": (64, 64)}
    found = spectral.derivative_upward(spectral.prepare(dipole_field(**options)))
    higher, lower = (dipole_field(depth_m=500.0 + h, **options) for h in (1.0, -1.0))
    expected = 0.5 * (higher - lower)
    assert float(np.abs(found - expected).max()) < 0.01 * float(np.abs(expected).max())
    assert float(found[32, 32]) < 0.0  # over a high, the field falls upward


def test_a_plane_has_its_slopes_and_no_upward_derivative(grid_of: GridOf) -> None:
    y, x = np.mgrid[0:20, 0:24] * 50.0
    prepared = spectral.prepare(grid_of(7.0 + 0.02 * x - 0.01 * y))
    np.testing.assert_allclose(spectral.derivative_easting(prepared), 0.02, atol=1e-12)
    np.testing.assert_allclose(spectral.derivative_northing(prepared), -0.01, atol=1e-12)
    np.testing.assert_allclose(spectral.derivative_upward(prepared), 0.0, atol=1e-12)
    expected = np.hypot(0.02, 0.01)
    np.testing.assert_allclose(spectral.total_horizontal_derivative(prepared), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(16, 16), (15, 16), (16, 15), (15, 15)])
def test_the_nyquist_wavenumber_leaves_no_trace_in_odd_operators(
    grid_of: GridOf, shape: tuple[int, int]
) -> None:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    checks = (-1.0) ** (x + y)
    prepared = spectral.prepare(grid_of(checks), pad_fraction=0.0, detrend=False)
    for grid in spectral.transform(prepared, ["dx", "dy", "dz"]).values():
        assert np.isfinite(grid).all()
    if shape == (16, 16):
        np.testing.assert_allclose(spectral.derivative_easting(prepared), 0.0, atol=1e-12)


def test_a_constant_grid_has_no_gradient(grid_of: GridOf) -> None:
    prepared = spectral.prepare(grid_of(np.full((16, 16), 55_000.0)))
    for name, grid in spectral.transform(prepared, ["dx", "dy", "dz", "thd"]).items():
        np.testing.assert_allclose(grid, 0.0, atol=1e-9, err_msg=name)


def test_the_tilt_of_a_vertical_contact_is_45_degrees_at_its_depth(grid_of: GridOf) -> None:
    """SCIENCE.md, after Salem et al. (2007): tilt is atan(x / depth)."""
    depth_m, cell_m = 400.0, 50.0
    x = cell_m * (np.arange(240.0) - 120)
    grid = grid_of(np.tile(np.arctan(x / depth_m), (24, 1)), cell_m)
    tilt = spectral.tilt(spectral.prepare(grid)).to_numpy()[12]
    for offset in (-8, 8):
        assert tilt[120 + offset] == pytest.approx(45.0 * np.sign(offset), abs=1.0)
    assert tilt[120] == pytest.approx(0.0, abs=0.5)


def test_the_angle_is_that_of_arctan2(rng: np.random.Generator) -> None:
    gradient = rng.standard_normal((3, 40, 50)) * 10.0 ** rng.integers(-8, 8, (3, 40, 50))
    gradient[:, :3, :3] = [[[0.0]], [[0.0]], [[0.0]]]
    gradient[2, 5], gradient[:2, 6] = 0.0, 0.0
    easting, northing, upward = gradient
    expected = np.degrees(np.arctan2(-upward, np.hypot(easting, northing)))
    np.testing.assert_allclose(tilt_angle(easting, northing, upward), expected, atol=1e-12)


def test_theta_is_the_cosine_of_the_tilt(dipole_field: GridOf) -> None:
    prepared = spectral.prepare(dipole_field(field_deg=(90.0, 0.0), shape=(24, 24)))
    expected = np.cos(np.radians(spectral.tilt(prepared).to_numpy()))
    np.testing.assert_allclose(spectral.theta_map(prepared), expected, atol=1e-12)


def test_theta_is_not_defined_where_there_is_no_gradient(grid_of: GridOf) -> None:
    prepared = spectral.prepare(grid_of(np.zeros((8, 8))), pad_fraction=0.0, detrend=False)
    assert np.isnan(spectral.theta_map(prepared)).all()
    np.testing.assert_array_equal(spectral.tilt(prepared), 0.0)


def test_the_gradient_of_the_tilt_is_one_over_the_depth_above_a_contact(grid_of: GridOf) -> None:
    depth_m, cell_m = 400.0, 50.0
    x = cell_m * (np.arange(240.0) - 120)
    grid = grid_of(np.tile(np.arctan(x / depth_m), (24, 1)), cell_m)
    found = spectral.tilt_gradient(spectral.prepare(grid)).to_numpy()[12, 120]
    assert found == pytest.approx(1.0 / depth_m, rel=0.03)


def test_products_are_the_same_with_a_shared_gradient(dipole_field: GridOf) -> None:
    prepared = spectral.prepare(dipole_field(field_deg=(60.0, 0.0), shape=(16, 16)))
    names = ["thd", "analytic_signal", "tilt", "hd_tdr", "theta", "dx", "dy", "dz"]
    alone = (
        spectral.total_horizontal_derivative,
        spectral.analytic_signal,
        spectral.tilt,
        spectral.tilt_gradient,
        spectral.theta_map,
        spectral.derivative_easting,
        spectral.derivative_northing,
        spectral.derivative_upward,
    )
    made = spectral.transform(prepared, names)
    assert list(made) == names
    for name, function in zip(names, alone, strict=True):
        np.testing.assert_array_equal(made[name], function(prepared), err_msg=name)
        assert made[name].attrs["units"] == function(prepared).attrs["units"]
