"""Minimum curvature: against a direct solve, closed forms, limits and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse.linalg
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.gridding import grid_axes, minimum_curvature, sample
from quetzalcore.geophysics.gridding.assembly import sparse_matrix
from quetzalcore.geophysics.gridding.conjugate import solve
from quetzalcore.geophysics.gridding.multigrid import Points, build_levels, v_cycle
from quetzalcore.geophysics.gridding.operator import (
    absolute_row_sums,
    apply_rows,
    build_operator,
    data_rows,
)
from quetzalcore.geophysics.gridding.transfer import coarse_length, prolong_rows, restrict_rows
from quetzalcore.vgpu import limit_workers

Floats = NDArray[np.float64]


def _points(shape: tuple[int, int], count: int, *, seed: int = 0) -> tuple[Points, Floats]:
    rng = np.random.default_rng(seed)
    y, x = rng.uniform(0, shape[0] - 1, count), rng.uniform(0, shape[1] - 1, count)
    return Points(y=y, x=x, trust=rng.uniform(10.0, 60.0, count)), rng.normal(0.0, 50.0, count)


def _survey(count: int = 600, *, seed: int = 2) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 1000, count), rng.uniform(0, 700, count)


@pytest.mark.kernels
@pytest.mark.parametrize("tension", [0.0, 0.3, 1.0])
def test_multigrid_agrees_with_a_direct_sparse_solve(tension: float) -> None:
    shape = (23, 30)
    points, values = _points(shape, 90)
    found = solve(shape, points, values, tension=tension, stop_change=1e-9, max_cycles=100)
    table = (points.y, points.x, points.trust)
    op, order = build_operator(shape, table, bend=1 - tension, slope=tension, dtype=np.float64)
    right = np.zeros(shape)
    data_rows(op, values[order], right, 0)
    direct = scipy.sparse.linalg.spsolve(sparse_matrix(op, shape), right.ravel())
    assert np.abs(found.nodes.ravel() - direct).max() < 1e-6
    assert found.residual < 1e-8
    assert found.cycles < 60


@pytest.mark.kernels
def test_the_operator_is_the_energy_of_differences_plus_the_misfit() -> None:
    shape, tension = (9, 11), 0.4
    points, _ = _points(shape, 20)
    table = (points.y, points.x, points.trust)
    op, _ = build_operator(shape, table, bend=1 - tension, slope=tension, dtype=np.float64)
    u = np.random.default_rng(5).normal(size=shape)
    image = np.empty(shape)
    apply_rows(op, u, image, 0, 9)
    bending = (
        sum((np.diff(u, 2, axis=0) ** 2).sum() for u in (u, u.T))
        + 2.0 * (np.diff(np.diff(u, axis=0), axis=1) ** 2).sum()
    )
    membrane = (np.diff(u, axis=0) ** 2).sum() + (np.diff(u, axis=1) ** 2).sum()
    dense = sparse_matrix(op, shape).toarray()
    interpolated = dense - _energy_only(shape, tension)
    misfit = u.ravel() @ interpolated @ u.ravel()
    assert (u * image).sum() == pytest.approx((1 - tension) * bending + tension * membrane + misfit)
    assert image.ravel() == pytest.approx(dense @ u.ravel())
    sums = absolute_row_sums(op).ravel()
    assert (np.abs(dense).sum(axis=1) <= sums * (1 + 1e-12)).all()


def _energy_only(shape: tuple[int, int], tension: float) -> Floats:
    nobody = (np.zeros(1), np.zeros(1), np.zeros(1))
    op, _ = build_operator(shape, nobody, bend=1 - tension, slope=tension, dtype=np.float64)
    return np.asarray(sparse_matrix(op, shape).toarray())


@pytest.mark.kernels
@pytest.mark.parametrize("shape", [(18, 21), (19, 20)])
def test_restriction_is_the_transpose_of_prolongation_which_keeps_planes(
    shape: tuple[int, int],
) -> None:
    small = (coarse_length(shape[0]), coarse_length(shape[1]))
    rng = np.random.default_rng(4)
    coarse, fine = rng.normal(size=small).astype("f4"), rng.normal(size=shape).astype("f4")
    lifted, reduced = np.zeros(shape, "f4"), np.zeros(small, "f4")
    prolong_rows(coarse, lifted, 0, shape[0])
    restrict_rows(fine, reduced, 0, small[0])
    assert (lifted * fine).sum() == pytest.approx((coarse * reduced).sum(), rel=1e-4)
    y, x = np.mgrid[: small[0], : small[1]].astype("f4")
    plane = np.zeros(shape, "f4")
    prolong_rows((3 * y - 2 * x + 1).astype("f4"), plane, 0, shape[0])
    yy, xx = np.mgrid[: shape[0], : shape[1]] / 2.0
    assert plane == pytest.approx(3 * yy - 2 * xx + 1, abs=1e-4)


@pytest.mark.kernels
def test_one_cycle_is_a_symmetric_positive_map() -> None:
    shape = (26, 33)
    points, _ = _points(shape, 100)
    levels = build_levels(shape, points, tension=0.1)
    rng = np.random.default_rng(6)
    a, b = (rng.normal(size=shape).astype("f4") for _ in range(2))
    va, vb = v_cycle(levels, a), v_cycle(levels, b)
    assert float((a * vb).sum()) == pytest.approx(float((b * va).sum()), rel=1e-3)
    assert float((a * va).sum()) > 0


def test_a_smooth_field_is_recovered_between_its_points() -> None:
    east, north = _survey(3000)
    field = 40.0 * np.sin(east / 90.0) * np.cos(north / 110.0)
    result = minimum_curvature(east, north, field, cell_size_m=12.5, crs="EPSG:32754")
    rows, columns = np.meshgrid(result.grid["northing"], result.grid["easting"], indexing="ij")
    error = result.grid.to_numpy() - 40.0 * np.sin(columns / 90.0) * np.cos(rows / 110.0)
    assert np.sqrt(np.mean(error[4:-4, 4:-4] ** 2)) < 0.5
    assert result.misfit_rms_nt < 0.3
    assert result.grid.attrs["crs"] == "EPSG:32754"
    assert (result.points_used, result.points_dropped) == (3000, 0)


def test_data_are_honoured_at_their_true_positions_not_at_the_nearest_node() -> None:
    rng = np.random.default_rng(8)
    row, column = np.mgrid[1:19, 1:19] * 20.0
    east, north = column.ravel() + rng.uniform(-9, 9, 324), row.ravel() + rng.uniform(-9, 9, 324)
    field = 100.0 * np.sin(east / 60.0)
    result = minimum_curvature(east, north, field, cell_size_m=20.0)
    assert result.misfit_rms_nt < 0.5
    snapped = sample(result.grid, np.round(east / 20) * 20, np.round(north / 20) * 20)
    assert np.sqrt(np.mean((snapped - field) ** 2)) > 5.0


def test_lost_values_and_positions_are_dropped_and_counted() -> None:
    east, north = _survey()
    field = east * 0.1
    spoiled, moved = field.copy(), east.copy()
    spoiled[:10], moved[10:15] = np.nan, np.inf
    weights = np.ones(len(field))
    weights[15:18] = 0.0
    axes = grid_axes(east, north, cell_size_m=50.0)
    result = minimum_curvature(moved, north, spoiled, axes=axes, weights=weights)
    clean = minimum_curvature(east[18:], north[18:], field[18:], axes=axes)
    assert (result.points_used, result.points_dropped) == (582, 18)
    assert np.array_equal(result.grid, clean.grid)


def test_points_outside_the_region_are_dropped_and_the_region_is_whole_cells() -> None:
    east, north = _survey()
    result = minimum_curvature(east, north, east, cell_size_m=50.0, region=(210, 590, 100, 400))
    assert result.grid["easting"].to_numpy()[[0, -1]].tolist() == [200.0, 600.0]
    assert result.grid["northing"].to_numpy()[[0, -1]].tolist() == [100.0, 400.0]
    assert result.points_used + result.points_dropped == 600
    assert result.points_dropped > 300


def test_duplicates_that_disagree_are_settled_by_the_median() -> None:
    east, north = _survey()
    field = 0.2 * east
    three = [np.concatenate([column] * 3) for column in (east, north)]
    spiked = np.concatenate([field, field, field + 1e4])
    axes = grid_axes(east, north, cell_size_m=7.0)
    plain = minimum_curvature(east, north, field, axes=axes)
    result = minimum_curvature(three[0], three[1], spiked, axes=axes)
    assert np.abs(result.grid - plain.grid).max() < 5.0


def test_trust_pulls_the_surface_to_the_heavier_points() -> None:
    nodes: Floats = np.arange(12, dtype=np.float64) * 10.0
    axes = (nodes, nodes)
    east, north = (a.ravel() for a in np.meshgrid(axes[0] + 0.0, axes[1] + 0.0))
    field = np.where((east / 10 + north / 10) % 2 == 0, 10.0, -10.0)
    heavy = np.where(field > 0, 100.0, 1.0)
    fair = minimum_curvature(east, north, field, axes=axes)
    pulled = minimum_curvature(east, north, field, axes=axes, weights=heavy)
    assert float(pulled.grid.mean()) > float(fair.grid.mean()) + 2.0


def test_the_same_input_gives_the_same_bits_on_any_number_of_threads() -> None:
    east, north = _survey(2000)
    field = np.sin(east / 50.0)
    grids = []
    for workers in (1, 2, 3):
        with limit_workers(workers):
            grids.append(minimum_curvature(east, north, field, cell_size_m=3.0, tension=0.2).grid)
    assert np.array_equal(grids[0], grids[1])
    assert np.array_equal(grids[0], grids[2])


def test_one_line_of_data_still_gives_a_finite_surface() -> None:
    east = np.linspace(0.0, 1000.0, 200)
    result = minimum_curvature(east, 0.3 * east, np.sin(east / 100.0), cell_size_m=20.0)
    assert np.isfinite(result.grid).all()
    assert result.misfit_rms_nt < 0.01


def test_constant_data_give_a_constant_grid_and_far_nodes_are_blanked() -> None:
    east, north = np.array([0.0, 40.0, 300.0]), np.array([0.0, 50.0, 300.0])
    result = minimum_curvature(
        east, north, np.full(3, 7.0), cell_size_m=10.0, blank_distance_m=60.0
    )
    kept = result.grid.to_numpy()[np.isfinite(result.grid)]
    assert kept == pytest.approx(7.0)
    assert 0 < kept.size < result.grid.size


def test_what_cannot_be_gridded_is_refused_with_the_reason() -> None:
    east, north = _survey(50)
    with pytest.raises(BadParameter, match="tension"):
        minimum_curvature(east, north, east, cell_size_m=10.0, tension=1.5)
    with pytest.raises(BadParameter, match="tolerance"):
        minimum_curvature(east, north, east, cell_size_m=10.0, tolerance=0.0)
    with pytest.raises(BadParameter, match="either cell_size_m or axes"):
        minimum_curvature(east, north, east)
    with pytest.raises(BadParameter, match="at least 4 nodes"):
        minimum_curvature(east, north, east, axes=(np.arange(3.0), np.arange(9.0)))
    with pytest.raises(BadSurvey, match="0 of 50 points"):
        minimum_curvature(east, north, np.full(50, np.nan), cell_size_m=10.0)
    with pytest.raises(BadSurvey, match="1 cells of the grid"):
        minimum_curvature(np.full(3, 5.0), np.full(3, 5.0), np.ones(3), cell_size_m=10.0)
