"""Equivalent sources and the tiled sum of 1/r that they stand on."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.gridding import fit_equivalent_sources
from quetzalcore.geophysics.gridding.potential import (
    far_spectrum,
    inverse_distance_sum,
    make_tiling,
    pair_matrix,
)
from quetzalcore.vgpu import limit_workers

Floats = NDArray[np.float64]
BODIES = ((300.0, 400.0, -250.0, 9e7), (900.0, 650.0, -400.0, -2e8), (1500.0, 200.0, -300.0, 6e7))


def _field_nt(east: Floats, north: Floats, upward: Floats | float) -> Floats:
    """Vertical field of three monopoles: harmonic above them, and known everywhere."""
    total = np.zeros(np.broadcast(east, north, upward).shape)
    for x, y, z, strength in BODIES:
        r2 = (east - x) ** 2 + (north - y) ** 2 + (upward - z) ** 2
        total += strength * (upward - z) * r2**-1.5 / 100.0
    return total


def _draped_survey(spacing_m: float = 60.0) -> tuple[Floats, Floats, Floats, Floats]:
    rng = np.random.default_rng(3)
    east, north = np.meshgrid(np.arange(0, 1800, 20.0), np.arange(0, 900, spacing_m))
    east, north = east.ravel() + rng.normal(0, 3, east.size), north.ravel()
    upward = 80.0 + 50.0 * np.sin(east / 300.0) * np.cos(north / 250.0)
    return east, north, upward, _field_nt(east, north, upward)


@pytest.mark.kernels
@pytest.mark.parametrize("count", [40])
def test_the_tiled_sum_agrees_with_the_direct_sum(count: int) -> None:
    rng = np.random.default_rng(0)
    sources = np.column_stack([rng.uniform(0, 9000, (count, 2)), rng.uniform(-80, 0, count)])
    targets = np.column_stack([rng.uniform(-500, 9500, (30, 2)), rng.uniform(200, 400, 30)])
    strength = rng.normal(size=count)
    tiling = make_tiling(sources[:, 0], sources[:, 1], size_m=2000.0)
    found = inverse_distance_sum(tiling, sources, strength, targets)
    direct = pair_matrix(targets, sources) @ strength
    assert found == pytest.approx(direct, abs=1e-3 * np.abs(direct).max())
    assert pair_matrix(targets[:1], sources[:1])[0, 0] == pytest.approx(
        1.0 / np.linalg.norm(targets[0] - sources[0])
    )


@pytest.mark.kernels
def test_the_prepared_sum_agrees_with_the_plain_one_and_its_transpose_is_the_way_back() -> None:
    rng = np.random.default_rng(1)
    sources = np.column_stack([rng.uniform(0, 9000, (50, 2)), rng.uniform(-80, 0, 50)])
    targets = np.column_stack([rng.uniform(0, 9000, (30, 2)), rng.uniform(200, 400, 30)])
    strength, weight = rng.normal(size=50), rng.normal(size=30)
    tiling = make_tiling(np.array([0.0, 9e3]), np.array([0.0, 9e3]), size_m=1500.0)
    far = far_spectrum(tiling, sources, targets)
    plain = inverse_distance_sum(tiling, sources, strength, targets)
    there = inverse_distance_sum(tiling, sources, strength, targets, far)
    back = inverse_distance_sum(tiling, targets, weight, sources, far.transposed())
    assert there == pytest.approx(plain, abs=1e-6 * np.abs(plain).max())
    assert weight @ there == pytest.approx(strength @ back, abs=1e-6 * np.abs(strength).sum() / 500)


def test_the_field_is_reproduced_at_the_survey_and_continued_upward() -> None:
    east, north, upward, field = _draped_survey()
    model = fit_equivalent_sources(east, north, upward, field, depth_m=120.0, damping=1e-8)
    spread = float(np.std(field))
    assert model.fit_rms_nt < 0.02 * spread
    inner = (east > 300) & (east < 1500) & (north > 200) & (north < 700)
    higher = model.predict(east[inner], north[inner], upward[inner] + 60.0)
    truth = _field_nt(east[inner], north[inner], upward[inner] + 60.0)
    assert np.sqrt(np.mean((higher - truth) ** 2)) < 0.03 * spread


def test_a_draped_survey_is_brought_to_a_plane() -> None:
    east, north, upward, field = _draped_survey()
    model = fit_equivalent_sources(east, north, upward, field, depth_m=120.0, damping=1e-8)
    axes = np.arange(300.0, 1500.0, 50.0), np.arange(200.0, 700.0, 50.0)
    plane = model.predict_grid(*axes, 140.0, crs="EPSG:32754")
    rows, columns = np.meshgrid(axes[1], axes[0], indexing="ij")
    truth = _field_nt(columns, rows, 140.0)
    assert np.sqrt(np.mean((plane.to_numpy() - truth) ** 2)) < 0.03 * np.std(field)
    assert plane.dims == ("northing", "easting")
    draped = model.predict_grid(*axes, np.full(rows.shape, 140.0))
    assert np.array_equal(plane, draped)


def test_the_prediction_is_harmonic() -> None:
    model = fit_equivalent_sources(*_draped_survey(), depth_m=120.0)
    h = 25.0
    steps = np.array([[0, 0, 0], *(s * h * np.eye(3)[a] for a in range(3) for s in (1, -1))])
    x, y, z = (np.array([900.0, 450.0, 260.0]) + steps).T
    values = model.predict(x, y, z)
    laplacian = values[1:].sum() - 6.0 * values[0]
    assert abs(laplacian) < 2e-2 * np.abs(values[1:] - values[0]).max()


def test_defaults_choose_a_depth_near_the_line_spacing() -> None:
    east, north, upward, field = _draped_survey(spacing_m=100.0)
    model = fit_equivalent_sources(east, north, upward, field)
    finest = model.layers[-1].positions_m
    assert 60.0 < float(upward.mean() - finest[:, 2].mean()) < 160.0
    assert model.fit_rms_nt < 0.1 * np.std(field)


def test_rows_without_a_value_or_height_are_dropped_and_counted() -> None:
    east, north, upward, field = _draped_survey()
    field[3], upward[7] = np.nan, np.nan
    model = fit_equivalent_sources(east, north, upward, field, depth_m=120.0, layers=1, cycles=2)
    assert (model.points_used, model.points_dropped) == (len(east) - 2, 2)
    predicted = model.predict(np.array([900.0, np.nan]), np.array([450.0, 450.0]), 200.0)
    assert np.isfinite(predicted[0])
    assert np.isnan(predicted[1])
    assert np.isnan(model.predict(np.array([np.nan]), np.array([0.0]), 100.0)).all()


def test_a_constant_field_is_its_own_datum() -> None:
    east, north, upward, _ = _draped_survey()
    model = fit_equivalent_sources(east, north, upward, np.full(len(east), 55.0), layers=2)
    assert model.predict(np.array([900.0]), np.array([450.0]), 200.0) == pytest.approx(55.0)


def test_what_cannot_be_fitted_is_refused() -> None:
    east, north, upward, field = _draped_survey()
    with pytest.raises(BadSurvey, match="3 of 3 points"):
        fit_equivalent_sources(east[:3], north[:3], upward[:3], field[:3])
    for wrong in (
        {"depth_m": -1.0},
        {"block_size_m": 0.0},
        {"damping": 0.0},
        {"layers": 0},
        {"cycles": 0},
    ):
        with pytest.raises(BadParameter, match="positive"):
            fit_equivalent_sources(east, north, upward, field, **wrong)


def test_damping_that_cannot_hold_deep_crowded_sources_is_refused() -> None:
    east, north, upward, field = _draped_survey()
    with pytest.raises(BadParameter, match="damping is too small"):
        fit_equivalent_sources(
            east, north, upward, field, depth_m=900.0, block_size_m=40.0, damping=1e-30, layers=1
        )


def test_the_fit_has_the_same_bits_on_any_number_of_threads() -> None:
    survey = _draped_survey()
    strengths = []
    for workers in (1, 2, 3):
        with limit_workers(workers):
            model = fit_equivalent_sources(*survey, depth_m=120.0, layers=2)
            strengths.append(np.concatenate([layer.strength for layer in model.layers]))
    assert np.array_equal(strengths[0], strengths[1])
    assert np.array_equal(strengths[0], strengths[2])
