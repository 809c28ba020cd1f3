"""What minimum curvature must keep whatever the points are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from quetzalcore.geophysics.gridding import block_median, grid_axes, minimum_curvature

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
CELL_M = 10.0
few = settings(max_examples=15, deadline=None)


def _points(seed: int, count: int = 60) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 200, count), rng.uniform(0, 160, count), rng.normal(0, 30, count)


def _grid(
    east: Floats,
    north: Floats,
    values: Floats,
    axes: tuple[Floats, Floats],
    *,
    tension: float = 0.0,
) -> Floats:
    result = minimum_curvature(east, north, values, axes=axes, tolerance=1e-8, tension=tension)
    return np.asarray(result.grid.to_numpy())


AXES = grid_axes(np.array([0.0, 200.0]), np.array([0.0, 160.0]), cell_size_m=CELL_M)


@few
@given(seed=SEEDS, slope=st.tuples(*[st.floats(-5, 5)] * 3))
def test_a_plane_is_reproduced_everywhere(seed: int, slope: tuple[float, float, float]) -> None:
    east, north, _ = _points(seed)
    plane = slope[0] * east + slope[1] * north + slope[2]
    truth = slope[0] * AXES[0][None, :] + slope[1] * AXES[1][:, None] + slope[2]
    assert np.abs(_grid(east, north, plane, AXES) - truth).max() < 1e-4


@few
@given(seed=SEEDS, move=st.tuples(st.integers(-9000, 9000), st.integers(-9000, 9000)))
def test_moving_the_survey_by_whole_cells_moves_the_grid(seed: int, move: tuple[int, int]) -> None:
    east, north, values = _points(seed)
    dx, dy = (CELL_M * m for m in move)
    moved = _grid(east + dx, north + dy, values, (AXES[0] + dx, AXES[1] + dy), tension=0.2)
    assert np.abs(moved - _grid(east, north, values, AXES, tension=0.2)).max() < 1e-4


@few
@given(seed=SEEDS, tension=st.sampled_from([0.0, 0.3, 1.0]))
def test_turning_the_survey_by_a_right_angle_turns_the_grid(seed: int, tension: float) -> None:
    east, north, values = _points(seed)
    turned = _grid(-north, east, values, (-AXES[1][::-1], AXES[0]), tension=tension)
    straight = _grid(east, north, values, AXES, tension=tension)
    assert np.abs(turned - straight.T[:, ::-1]).max() < 1e-4


@few
@given(seed=SEEDS, scale=st.floats(-100, 100), shift=st.floats(-1e4, 1e4))
def test_the_grid_is_linear_in_the_values(seed: int, scale: float, shift: float) -> None:
    east, north, values = _points(seed)
    scaled = _grid(east, north, scale * values + shift, AXES)
    plain = scale * _grid(east, north, values, AXES) + shift
    assert np.abs(scaled - plain).max() < 1e-4 * (1 + abs(scale))


@few
@given(seed=SEEDS)
def test_a_membrane_over_nodes_stays_between_the_least_and_the_greatest_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    node = rng.choice(21 * 17, 40, replace=False)
    values = rng.normal(0, 30, 40)
    grid = _grid(AXES[0][node % 21], AXES[1][node // 21], values, AXES, tension=1.0)
    slack = 1e-5 * np.ptp(values)
    assert values.min() - slack <= grid.min()
    assert grid.max() <= values.max() + slack


@few
@given(seed=SEEDS)
def test_the_order_of_the_points_does_not_matter(seed: int) -> None:
    east, north, values = _points(seed, 300)
    turn = np.random.default_rng(seed).permutation(300)
    a = block_median(east, north, values, easting_axis_m=AXES[0], northing_axis_m=AXES[1])
    b = block_median(
        east[turn], north[turn], values[turn], easting_axis_m=AXES[0], northing_axis_m=AXES[1]
    )
    assert np.array_equal(a.values, b.values)
    assert np.array_equal(a.count, b.count)
    assert np.allclose(a.easting_m, b.easting_m)
