from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics import depth
from quetzalcore.geophysics.depth.windows import _depths_around

pytestmark = pytest.mark.kernels

Derived = Callable[..., tuple[xr.DataArray, ...]]
FieldOf = Callable[..., Any]


def _small(with_derivatives: Derived, dipole: FieldOf) -> tuple[xr.DataArray, ...]:
    """Give a dipole 300 m under (620, 480) on 24 x 26 cells of 50 m."""
    field = dipole(
        place_m=(620.0, 480.0, -300.0), moment_a_m2=1e8, direction_deg=(60.0, 10.0), base_nt=35.0
    )
    return with_derivatives(field, 50.0 * np.arange(26.0), 50.0 * np.arange(24.0))


def _plainly(
    grids: tuple[xr.DataArray, ...], row: int, column: int, half: int, index: float
) -> tuple[np.ndarray, np.ndarray]:
    """Solve one window by its least-squares definition: (e, n, depth, base) and deviations."""
    window = np.s_[row - half : row + half + 1, column - half : column + half + 1]
    t, de, dn, du = (g.to_numpy()[window].ravel() for g in grids)
    axes = np.meshgrid(grids[0]["easting"], grids[0]["northing"])
    e, n = (axis[window].ravel() for axis in axes)
    level = np.ones(len(t)) * (index or 1.0)
    design = np.stack([de, dn, -du, level], axis=1)
    target = e * de + n * dn + index * t
    found, *_ = np.linalg.lstsq(design, target, rcond=None)
    misfit = target - design @ found
    covariance = misfit @ misfit / (len(t) - 4) * np.linalg.inv(design.T @ design)
    return found, np.sqrt(np.diag(covariance))


@pytest.mark.parametrize("index", [0.0, 1.0, 2.5, 3.0])
def test_every_window_is_the_plain_least_squares_solution(
    with_derivatives: Derived, dipole: FieldOf, rng: np.random.Generator, index: float
) -> None:
    grids = tuple(
        g + 0.02 * float(np.abs(g).max()) * rng.standard_normal(g.shape)
        for g in _small(with_derivatives, dipole)
    )
    found = depth.euler(
        *grids, structural_index=index, window_cells=7, centres=depth.EulerCentres.ALL,
        tolerance=None,
    )  # fmt: skip
    assert len(found) == (24 - 6) * (26 - 6)
    for i in rng.integers(0, len(found), 20):
        row, column = int(found.window_row[i]), int(found.window_column[i])
        solution, deviation = _plainly(grids, row, column, 3, index)
        place = (found.easting_m[i], found.northing_m[i], found.depth_m[i])
        np.testing.assert_allclose(place, solution[:3], rtol=1e-6, atol=1e-3)
        assert found.uncertainty_m[i] == pytest.approx(deviation[2], rel=1e-5)
        assert found.horizontal_uncertainty_m[i] == pytest.approx(
            np.hypot(deviation[0], deviation[1]), rel=1e-5
        )
        if index:
            assert found.base_level_nt[i] == pytest.approx(solution[3], rel=1e-5, abs=1e-5)
        else:
            assert np.isnan(found.base_level_nt[i])


def test_a_clean_dipole_is_found_by_every_window_with_index_3(
    with_derivatives: Derived, dipole: FieldOf
) -> None:
    found = depth.euler(
        *_small(with_derivatives, dipole), window_cells=7, centres=depth.EulerCentres.ALL,
        tolerance=None,
    )  # fmt: skip
    assert (found.structural_index == 3.0).mean() > 0.99
    good = found.select(found.structural_index == 3.0)
    np.testing.assert_allclose(good.easting_m, 620.0, atol=0.5)
    np.testing.assert_allclose(good.northing_m, 480.0, atol=0.5)
    np.testing.assert_allclose(good.depth_m, 300.0, atol=0.5)
    np.testing.assert_allclose(good.base_level_nt, 35.0, atol=0.5)
    assert good.quality.min() > 0.999
    assert good.window_cells == 7


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_index_of_long_sources_is_recognised(with_derivatives: Derived, index: int) -> None:
    """Contact, thin dyke and horizontal cylinder under a line that runs north-north-east."""
    strike, depth_m = np.radians(25.0), 300.0

    def field(e: np.ndarray, n: np.ndarray, u: float) -> np.ndarray:
        x = (e - 600.0) * np.cos(strike) - (n - 600.0) * np.sin(strike)
        z = u + depth_m
        tilted = (x + 0.4 * z) / (x * x + z * z)
        cylinder = (z * z - x * x + x * z) / (x * x + z * z) ** 2
        contact = 100.0 * np.arctan2(x, z) + 40.0 * np.log(x * x + z * z)
        return np.asarray((contact, 4e4 * tilted, 1e7 * cylinder)[index])

    axis = 50.0 * np.arange(26.0)
    found = depth.euler(*with_derivatives(field, axis, axis), window_cells=9)
    assert len(found) > 10
    np.testing.assert_array_equal(found.structural_index, index)
    np.testing.assert_allclose(found.depth_m, depth_m, rtol=0.01)


def test_only_crests_are_solved_by_default_and_windows_beside_holes_are_left_out(
    with_derivatives: Derived, dipole: FieldOf
) -> None:
    grids = _small(with_derivatives, dipole)
    everywhere = depth.euler(
        *grids, structural_index=3, window_cells=7, centres=depth.EulerCentres.ALL
    )
    crests = depth.euler(*grids, structural_index=3, window_cells=7)
    assert 0 < len(crests) < len(everywhere) / 4
    holed = tuple(g.copy() for g in grids)
    holed[0][10, 12] = np.nan
    left = depth.euler(
        *holed, structural_index=3, window_cells=7, centres=depth.EulerCentres.ALL, tolerance=None
    )
    near = (np.abs(left.window_row - 10) <= 3) & (np.abs(left.window_column - 12) <= 3)
    assert len(left) == 18 * 20 - 49
    assert not near.any()


def test_tolerances_keep_what_they_say(
    with_derivatives: Derived, dipole: FieldOf, rng: np.random.Generator
) -> None:
    grids = tuple(
        g + 0.05 * float(np.abs(g).max()) * rng.standard_normal(g.shape)
        for g in _small(with_derivatives, dipole)
    )
    tolerance = depth.EulerTolerance(
        relative_uncertainty=0.3, reach_windows=1.0, shallowest_m=50.0, deepest_windows=1.0
    )
    kept = depth.euler(
        *grids, structural_index=3, window_cells=7, centres=depth.EulerCentres.ALL,
        tolerance=tolerance,
    )  # fmt: skip
    assert 0 < len(kept) < 18 * 20
    assert (kept.uncertainty_m <= 0.3 * kept.depth_m).all()
    assert (np.abs(kept.easting_m - 50.0 * kept.window_column) <= 175.0).all()
    assert (np.abs(kept.northing_m - 50.0 * kept.window_row) <= 175.0).all()
    assert ((kept.depth_m >= 50.0) & (kept.depth_m <= 350.0)).all()


def test_a_grid_without_gradient_has_no_solutions(with_derivatives: Derived) -> None:
    axis = 50.0 * np.arange(12.0)
    flat = with_derivatives(lambda e, _n, _u: 0.0 * e, axis, axis)
    assert not len(depth.euler(*flat, window_cells=5, tolerance=None))


@pytest.mark.parametrize(
    "options",
    [
        {"window_cells": 8},
        {"window_cells": 1},
        {"window_cells": 27},
        {"structural_index": -1.0},
        {"structural_index": 4.0},
        {"structural_index": ()},
        {"continued_m": -1.0},
        {"continued_m": float("nan")},
    ],
    ids=str,
)
def test_windows_and_indices_out_of_range_are_refused(
    with_derivatives: Derived, dipole: FieldOf, options: dict[str, Any]
) -> None:
    with pytest.raises(BadParameter):
        depth.euler(*_small(with_derivatives, dipole), **options)


def test_grids_of_other_shapes_are_refused(with_derivatives: Derived, dipole: FieldOf) -> None:
    tmi, de, dn, du = _small(with_derivatives, dipole)
    with pytest.raises(BadParameter, match="shapes"):
        depth.euler(tmi, de, dn, du[1:])


def test_the_index_is_chosen_over_five_by_five_windows() -> None:
    lines = np.ones((2, 9, 9), dtype=np.float32)
    assert _depths_around(lines, 4, 4, 1)[:3] == (25.0, 25.0, 25.0)
    assert _depths_around(lines, 4, 4, 2)[0] == 25.0
    assert _depths_around(lines, 0, 0, 2)[0] == 9.0  # what lies beyond the rim is left out
    lines[0, 4, 4] = np.nan
    assert _depths_around(lines, 4, 4, 1)[0] == 24.0
