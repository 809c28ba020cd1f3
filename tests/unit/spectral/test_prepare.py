from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics import spectral
from quetzalcore.geophysics.spectral.fill import fill_periodic
from quetzalcore.vgpu import CpuDevice, limit_workers

pytestmark = pytest.mark.kernels

GridOf = Callable[..., xr.DataArray]  # what the fixtures give


def test_one_forward_transform_serves_every_product(dipole_field: GridOf) -> None:
    device = CpuDevice()
    prepared = spectral.prepare(dipole_field(field_deg=(60, 10), shape=(24, 20)), device=device)
    assert device.usage().transforms == 1
    spectral.transform(prepared, ["dx", "dy", "dz", "thd", "tilt", "analytic_signal", "theta"])
    assert device.usage().transforms == 4


def test_the_spectrum_holds_the_energy_of_an_unpadded_grid(
    grid_of: GridOf, rng: np.random.Generator
) -> None:
    values = rng.standard_normal((18, 20))
    spectrum = spectral.prepare(grid_of(values), pad_fraction=0.0, detrend=False).spectrum
    twice = np.r_[1.0, np.full(9, 2.0), 1.0]
    energy = (twice * np.abs(spectrum) ** 2).sum() / values.size
    assert energy == pytest.approx((values**2).sum(), rel=1e-12)


def test_going_there_and_back_returns_the_grid_to_rounding(
    grid_of: GridOf, rng: np.random.Generator
) -> None:
    grid = grid_of(rng.standard_normal((19, 22)) + 300.0)
    prepared = spectral.prepare(grid)
    back = prepared.back(prepared.spectrum.copy()) + prepared.trend()
    np.testing.assert_allclose(back, grid, atol=1e-10)


def test_the_plane_that_is_removed_is_the_least_squares_plane_with_holes(
    grid_of: GridOf, rng: np.random.Generator
) -> None:
    values = rng.standard_normal((15, 18))
    values[3:7, 2:9] = np.nan
    row, column = np.nonzero(np.isfinite(values))
    design = np.stack([np.ones(len(row)), column, row], axis=1)
    expected = np.linalg.lstsq(design, values[row, column], rcond=None)[0]
    np.testing.assert_allclose(spectral.prepare(grid_of(values)).trend_nt, expected, atol=1e-12)


def test_a_filled_hole_keeps_to_its_rim_and_leaves_known_cells_alone() -> None:
    y, x = np.mgrid[0:32, 0:40] * (2 * np.pi)
    truth = np.sin(x / 40) + np.cos(y / 32)
    values = truth.copy()
    values[10:16, 5:12] = np.nan
    values[:, 30] = np.nan
    holes = np.isnan(values)
    fill_periodic(values)
    np.testing.assert_array_equal(values[~holes], truth[~holes])
    assert np.abs(values - truth).max() < 0.1
    assert values[holes].min() >= truth.min()
    assert values[holes].max() <= truth.max()


def test_the_fill_is_harmonic_where_it_is_narrow() -> None:
    values = np.full((16, 16), np.nan)
    values[:, 0], values[:, 8] = 0.0, 8.0  # a torus: down again on the other side
    fill_periodic(values)
    np.testing.assert_allclose(values[5, :9], np.arange(9.0), atol=0.4)  # of 8
    np.testing.assert_allclose(values[5, 8:], np.arange(8.0, 0.0, -1.0), atol=0.4)  # of 8


def test_the_fill_is_the_same_to_the_bit_on_any_number_of_threads(rng: np.random.Generator) -> None:
    one = rng.standard_normal((1025, 9))
    one[rng.random(one.shape) < 0.8] = np.nan
    many = one.copy()
    with limit_workers(1):
        fill_periodic(one)
    with limit_workers(4):
        fill_periodic(many)
    np.testing.assert_array_equal(one, many)


def test_nothing_missing_is_nothing_done(rng: np.random.Generator) -> None:
    values = rng.standard_normal((8, 8))
    before = values.copy()
    fill_periodic(values)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_precision_of_the_grid_is_kept(
    grid_of: GridOf, rng: np.random.Generator, dtype: type[np.floating[Any]]
) -> None:
    grid = grid_of(rng.standard_normal((16, 16))).astype(dtype)
    prepared = spectral.prepare(grid)
    assert prepared.spectrum.dtype == np.result_type(dtype, np.complex64)
    field = spectral.FieldDirection(inclination_deg=-50, declination_deg=8)
    made = spectral.transform(prepared, list(spectral.Transform), field=field, height_m=50.0)
    assert {grid.dtype for grid in made.values()} == {np.dtype(dtype)}


def test_integers_become_double(grid_of: GridOf) -> None:
    grid = grid_of(np.arange(64.0).reshape(8, 8)).astype(np.int16)
    assert spectral.prepare(grid).spectrum.dtype == np.complex128


@pytest.mark.parametrize("fraction", [-0.1, 2.5, float("nan")])
def test_padding_out_of_range_is_refused(grid_of: GridOf, fraction: float) -> None:
    with pytest.raises(BadParameter, match="pad_fraction"):
        spectral.prepare(grid_of(np.zeros((8, 8))), pad_fraction=fraction)


def test_a_grid_without_values_is_refused(grid_of: GridOf) -> None:
    values = np.full((8, 8), np.nan)
    values[0, :2] = 1.0
    with pytest.raises(BadSurvey, match="fewer than three"):
        spectral.prepare(grid_of(values))
