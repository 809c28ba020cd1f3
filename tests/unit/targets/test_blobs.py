from __future__ import annotations

import numpy as np
import pytest

from quetzalcore.geophysics.targets.outline import grow_region, region_polygon
from quetzalcore.geophysics.targets.scale_space import find_blobs

pytestmark = pytest.mark.kernels


def _gauss(shape: tuple[int, int], row: float, column: float, sigma: float) -> np.ndarray:
    i, j = np.mgrid[: shape[0], : shape[1]]
    return np.asarray(np.exp(-((i - row) ** 2 + (j - column) ** 2) / (2 * sigma**2)))


def test_a_gaussian_blob_is_found_at_its_place_and_scale() -> None:
    for sigma in (2.0, 4.0, 7.0):
        blobs = find_blobs(_gauss((96, 96), 41.3, 52.6, sigma), largest_sigma_cells=16.0)
        assert blobs[0].row == pytest.approx(41.3, abs=0.5)
        assert blobs[0].column == pytest.approx(52.6, abs=0.5)
        assert blobs[0].sigma_cells == pytest.approx(sigma, rel=0.35)


def test_a_small_blob_beside_a_large_one_keeps_its_own_scale() -> None:
    values = 5.0 * _gauss((128, 128), 40, 40, 2.0) + _gauss((128, 128), 90, 90, 9.0)
    blobs = find_blobs(values, largest_sigma_cells=20.0)
    near = [min(blobs, key=lambda b: np.hypot(b.row - p, b.column - p)) for p in (40, 90)]
    assert near[0].sigma_cells < 3.0
    assert near[1].sigma_cells > 6.0


def test_nothing_larger_than_asked_for_is_found() -> None:
    assert not find_blobs(_gauss((96, 96), 48, 48, 12.0), largest_sigma_cells=4.0)


def test_a_dark_blob_is_not_found() -> None:
    around = find_blobs(-_gauss((64, 64), 30, 30, 3.0), largest_sigma_cells=8.0)
    for blob in around:  # the bright ring around it is all there is
        assert blob.response < 0.1
        assert np.hypot(blob.row - 30, blob.column - 30) > 6.0


def test_blobs_are_not_found_where_there_is_no_data() -> None:
    values = _gauss((96, 96), 30, 30, 3.0) + _gauss((96, 96), 30, 70, 3.0)
    values[:, 50:] = np.nan
    blobs = find_blobs(values, largest_sigma_cells=8.0)
    assert all(blob.column < 50 for blob in blobs)
    assert blobs[0].row == pytest.approx(30, abs=0.5)


def test_a_turned_ellipse_has_its_axes_and_strike() -> None:
    i, j = np.mgrid[:120, :120]
    north, east = i - 60.0, j - 60.0
    strike = np.radians(25.0)
    along = north * np.cos(strike) + east * np.sin(strike)
    across = -north * np.sin(strike) + east * np.cos(strike)
    values = np.exp(-0.5 * ((along / 20.0) ** 2 + (across / 6.0) ** 2))
    region = grow_region(values, 60, 60, sigma_cells=6.0)
    assert region is not None
    assert np.degrees(region.strike_rad) == pytest.approx(25.0, abs=2.0)
    half = 2.355
    assert region.length_cells == pytest.approx(20 * half, rel=0.1)
    assert region.width_cells == pytest.approx(6 * half, rel=0.15)
    assert region.truncated == ""


def test_a_long_ridge_makes_its_window_grow_until_it_meets_the_edge() -> None:
    values = np.exp(-0.5 * (np.mgrid[:200, :60][1] - 30.0) ** 2 / 4.0)
    region = grow_region(values, 100, 30, sigma_cells=2.0)
    assert region is not None
    assert region.mask.shape[0] == 200
    assert region.truncated == "grid's edge"
    assert region.width_cells < 10.0


def test_a_peak_on_a_broad_rise_is_outlined_alone() -> None:
    values = _gauss((160, 160), 80, 80, 40.0) + 0.9 * _gauss((160, 160), 80, 80, 2.5)
    region = grow_region(values, 80, 80, sigma_cells=2.5)
    assert region is not None
    assert region.width_cells < 15.0


def test_a_centre_without_data_has_no_outline() -> None:
    assert grow_region(np.full((40, 40), np.nan), 20, 20, sigma_cells=2.0) is None
    values = _gauss((40, 40), 20, 20, 3.0)
    values[15:26, 15:26] = np.nan
    assert grow_region(values, 20, 20, sigma_cells=2.0) is None


def test_missing_cells_are_left_out_of_an_outline() -> None:
    values = _gauss((60, 60), 30, 30, 4.0)
    values[:, 33:] = np.nan
    region = grow_region(values, 30, 30, sigma_cells=4.0)
    assert region is not None
    assert region.column0 + np.nonzero(region.mask)[1].max() < 33


def test_a_polygon_has_the_area_of_its_cells_with_holes_filled() -> None:
    values = _gauss((60, 60), 30, 30, 6.0)
    region = grow_region(values, 30, 30, sigma_cells=6.0)
    assert region is not None
    corners = region_polygon(region)
    y, x = corners[:, 0], corners[:, 1]
    area = 0.5 * abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
    assert area == np.count_nonzero(region.mask)
    assert corners[0] == pytest.approx(corners[-1])
