"""Prisms against published values, extended precision, symmetry, superposition and Laplace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.forward import (
    dipole_field,
    direction,
    induced_magnetization,
    prism_field,
    prism_tmi,
)

Floats = NDArray[np.float64]

pytestmark = pytest.mark.kernels

PRISM = [[-100.0, 100.0, -100.0, 100.0, -400.0, -200.0]]
MAGNETIZATION = np.array([1.0, 2.0, 3.0])
EARTH: dict[str, Any] = {"inclination_deg": 65.0, "declination_deg": 25.0}


def _points(count: int, *, seed: int = 0, reach_m: float = 900.0) -> Floats:
    rng = np.random.default_rng(seed)
    offset: Floats = rng.uniform(-reach_m, reach_m, (3, count))
    offset[2] -= 300.0
    return offset


def _field(
    points: Floats,
    prisms: ArrayLike = PRISM,
    m: ArrayLike = MAGNETIZATION,
    *,
    dtype: type[np.float64 | np.float32] = np.float64,
) -> Floats:
    easting, northing, upward = points
    return np.array(prism_field(easting, northing, upward, prisms, m, dtype=dtype))


def _reference(points: Floats, bounds: list[float]) -> Floats:
    """Sum the textbook's 24 logarithms and arctangents in extended precision, (3, 3, n)."""
    wide = np.longdouble
    axes = [[wide(bounds[2 * a + i]) - points[a].astype(wide) for i in (0, 1)] for a in range(3)]
    tensor = np.zeros((3, 3, points.shape[1]), dtype=wide)
    for corner in np.ndindex(2, 2, 2):
        sign = (-1) ** (sum(corner) + 1)
        x = [axes[a][corner[a]] for a in range(3)]
        r = np.sqrt(x[0] ** 2 + x[1] ** 2 + x[2] ** 2)
        for a in range(3):
            b, c = (a + 1) % 3, (a + 2) % 3
            tensor[a, a] -= sign * np.arctan(x[b] * x[c] / (x[a] * r))
            far = np.where(x[a] > 0, x[a] + r, (x[b] ** 2 + x[c] ** 2) / (r - x[a]))
            tensor[b, c] += sign * np.log(far)
            tensor[c, b] = tensor[b, c]
    return tensor.astype(np.float64)


def test_the_published_total_field_values_come_out_to_four_decimals() -> None:
    """SCIENCE.md: +-100 m, 200 to 400 m deep, sensor 30 m up."""
    tmi = prism_tmi([0, -30, 140], [0, -70, 300], 30, PRISM, 0.025, **EARTH, field_nt=50_000)
    np.testing.assert_allclose(tmi, [31.5551, 37.4188, -5.1000], atol=5.1e-5)


def test_all_components_agree_with_the_textbook_in_extended_precision() -> None:
    points = _points(150)
    outside = ~((np.abs(points[:2]) < 100).all(axis=0) & (np.abs(points[2] + 300) < 100))
    points = points[:, outside]
    expected = 100 * np.einsum("abn,b->an", _reference(points, PRISM[0]), MAGNETIZATION)
    np.testing.assert_allclose(_field(points), expected, rtol=0, atol=1e-9)


def test_inside_it_is_flux_density_b_not_h() -> None:
    points = _points(30, reach_m=99.0)
    tensor = _reference(points, PRISM[0])
    expected = 100 * (
        np.einsum("abn,b->an", tensor, MAGNETIZATION) + 4 * np.pi * MAGNETIZATION[:, None]
    )
    np.testing.assert_allclose(_field(points), expected, rtol=1e-9)


def test_at_the_middle_of_a_cube_the_demagnetising_factor_is_one_third() -> None:
    field = _field(np.array([[0.0], [0.0], [-300.0]]))[:, 0]
    np.testing.assert_allclose(field, 4e-7 * np.pi * 1e9 * MAGNETIZATION * (2 / 3), rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize("shift", [0.0, 37.0])
def test_on_a_face_it_is_the_limit_from_outside(axis: int, side: float, shift: float) -> None:
    on = np.array([[shift], [shift], [shift - 300]])
    on[axis] = side * 100 - (300 if axis == 2 else 0)
    near = on.copy()
    near[axis] += side * 1e-6
    np.testing.assert_allclose(_field(on), _field(near), atol=1e-4)


def test_the_normal_component_is_continuous_through_a_face() -> None:
    above, below = (np.array([[20.0], [30.0], [-200.0 + d]]) for d in (1e-6, -1e-6))
    np.testing.assert_allclose(_field(above)[2], _field(below)[2], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_edges_and_corners_give_nan_and_their_extensions_do_not(
    dtype: type[np.float64 | np.float32],
) -> None:
    edge, corner, beyond = [100.0, 10.0, -200.0], [-100.0, 100.0, -400.0], [100.0, 180.0, -200.0]
    got = _field(np.array([edge, corner, beyond]).T, dtype=dtype)
    assert np.isnan(got[:, :2]).all()
    assert np.isfinite(got[:, 2]).all()


def test_on_extensions_of_edges_and_faces_it_is_continuous() -> None:
    beyond = np.array([[100.0, 180.0, -200.0], [100.0, 100.0, 5.0], [-100.0, 300.0, 20.0]]).T
    np.testing.assert_allclose(_field(beyond), _field(beyond + 1e-6), atol=1e-4)


def test_far_away_a_cube_is_a_dipole() -> None:
    points = _points(40, reach_m=1.0)
    points = (points - [[0], [0], [-300]]) / np.linalg.norm(points - [[0], [0], [-300]], axis=0)
    points = 5000 * points + [[0], [0], [-300]]
    easting, northing, upward = points
    dipole = np.array(
        dipole_field(easting, northing, upward, [[0, 0, -300]], [MAGNETIZATION * 200.0**3])
    )
    np.testing.assert_allclose(_field(points), dipole, atol=1e-6 * np.abs(dipole).max())


def test_a_prism_is_the_sum_of_its_eight_parts() -> None:
    west, east, south, north, bottom, top = PRISM[0]
    halves = [
        (e, f, n, m, u, v)
        for e, f in ((west, 13.0), (13.0, east))
        for n, m in ((south, -40.0), (-40.0, north))
        for u, v in ((bottom, -333.0), (-333.0, top))
    ]
    points = _points(60)
    np.testing.assert_allclose(_field(points, halves), _field(points), atol=1e-9)


def test_fields_superpose_over_magnetisations() -> None:
    points = _points(20)
    one, other = np.array([4.0, -1.0, 0.5]), np.array([-2.0, 0.3, 7.0])
    np.testing.assert_allclose(
        _field(points, m=one) + _field(points, m=other), _field(points, m=one + other), atol=1e-9
    )


def test_the_trace_and_the_curl_vanish_outside() -> None:
    points = _points(40)
    points = points[:, points[2] > -190]
    step = 0.5
    slope = np.zeros((3, 3, points.shape[1]))
    for axis in range(3):
        shift = np.zeros((3, 1))
        shift[axis] = step
        slope[:, axis] = (_field(points + shift) - _field(points - shift)) / (2 * step)
    scale = np.abs(slope).max()
    np.testing.assert_allclose(np.einsum("aan->n", slope), 0, atol=1e-4 * scale)
    np.testing.assert_allclose(slope, slope.transpose(1, 0, 2), atol=1e-4 * scale)


def test_mirrors_of_the_scene_mirror_the_field() -> None:
    points = _points(30)
    for axis in range(3):
        flip = np.ones(3)
        flip[axis] = -1
        centre = np.array([0.0, 0.0, -300.0])[:, None]
        mirrored = (points - centre) * flip[:, None] + centre
        # A mirror reverses a magnetisation along its normal's plane: B and M are axial vectors.
        np.testing.assert_allclose(
            _field(mirrored, m=-flip * MAGNETIZATION), -flip[:, None] * _field(points), atol=1e-9
        )


def test_the_total_field_is_the_component_along_the_earths_field() -> None:
    points = _points(30)
    m = induced_magnetization(0.03, **EARTH, field_nt=48_000) + np.array([[0.2, -0.5, 0.7]])
    along = direction(65.0, 25.0) @ _field(points, m=m)
    easting, northing, upward = points
    tmi = prism_tmi(
        easting,
        northing,
        upward,
        PRISM,
        0.03,
        **EARTH,
        field_nt=48_000,
        remanence_am=[[0.2, -0.5, 0.7]],
    )
    np.testing.assert_allclose(tmi, along, atol=1e-9)


def test_single_precision_is_close_at_real_coordinates() -> None:
    points = _points(100, reach_m=2000.0)
    points[2] = 60.0
    shift = np.array([470_000.0, 7_560_000.0, 340.0])
    moved = np.array(PRISM) + np.repeat(shift, 2)
    easting, northing, upward = points + shift[:, None]
    double = prism_tmi(easting, northing, upward, moved, 0.1, **EARTH)
    single = prism_tmi(easting, northing, upward, moved, 0.1, **EARTH, dtype=np.float32)
    np.testing.assert_allclose(single, double, atol=1e-4 * np.abs(double).max())
    near = prism_tmi(points[0], points[1], points[2], PRISM, 0.1, **EARTH)
    np.testing.assert_allclose(double, near, atol=1e-7)


def test_points_broadcast_and_keep_their_shape() -> None:
    grid = prism_tmi(np.arange(3.0), np.arange(2.0)[:, None], 10.0, PRISM, 0.1, **EARTH)
    assert grid.shape == (2, 3)
    one = prism_tmi(2.0, 1.0, 10.0, PRISM, 0.1, **EARTH)
    assert one.shape == ()
    assert one == grid[1, 2]


def test_a_point_that_is_nan_gives_nan_there_only() -> None:
    tmi = prism_tmi([np.nan, 0.0], [0.0, 0.0], 10.0, PRISM, 0.1, **EARTH)
    np.testing.assert_array_equal(np.isnan(tmi), [True, False])


def test_no_prisms_make_no_field() -> None:
    assert prism_tmi(0.0, 0.0, 0.0, np.zeros((0, 6)), 0.1, **EARTH) == 0.0


@pytest.mark.parametrize(
    ("prisms", "what"),
    [
        ([[0, 0, 0, 1, 0, 1]], "west < east"),
        ([[0, 1, 0, 1, 2, 1]], "bottom < top"),
        ([[0, 1, 0, 1, 0, np.nan]], "bottom < top"),
        ([[0, 1, 0, 1]], "shape"),
    ],
)
def test_a_prism_that_is_none_is_refused(prisms: list[list[float]], what: str) -> None:
    with pytest.raises(BadParameter, match=what):
        prism_tmi(0, 0, 0, prisms, 0.1, **EARTH)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadParameter, match="broadcast"):
        prism_field([0, 1], [0, 1, 2], 0, PRISM, [[0, 0, 1]])
    with pytest.raises(BadParameter, match=r"magnetization_am.*\(1, 3\)"):
        prism_field(0, 0, 0, PRISM, [[0, 0, 1], [0, 1, 0]])
    with pytest.raises(BadParameter, match="susceptibility_si"):
        prism_tmi(0, 0, 0, PRISM * 3, [0.1, 0.2], **EARTH)
