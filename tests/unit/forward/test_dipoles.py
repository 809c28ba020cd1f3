"""Dipoles and spheres against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.forward import dipole_field, dipole_tmi, direction, sphere_moment

pytestmark = pytest.mark.kernels


def test_on_the_axis_of_a_vertical_dipole_the_field_is_200_nt() -> None:
    """SCIENCE.md: 1e6 A m^2 at 100 m."""
    field = dipole_field(0, 0, 100, [[0, 0, 0]], [[0, 0, 1e6]])
    np.testing.assert_allclose(field, [0, 0, 200.0], atol=1e-12)


def test_on_its_equator_the_field_is_half_and_reversed() -> None:
    field = dipole_field(0, 100, 0, [[0, 0, 0]], [[0, 0, 1e6]])
    np.testing.assert_allclose(field, [0, 0, -100.0], atol=1e-12)


@pytest.mark.parametrize(
    ("self_demagnetisation", "expected_nt"), [(False, 416.667), (True, 403.226)]
)
def test_over_a_sphere_the_published_values_come_out(
    self_demagnetisation: bool,  # noqa: FBT001 -- a parametrised test
    expected_nt: float,
) -> None:
    """SCIENCE.md: radius 50 m, 0.1 SI, 50,000 nT vertical, 100 m deep."""
    moment = sphere_moment(
        50,
        0.1,
        inclination_deg=90,
        declination_deg=0,
        field_nt=50_000,
        self_demagnetisation=self_demagnetisation,
    )
    tmi = dipole_tmi(0, 0, 0, [[0, 0, -100]], [moment], inclination_deg=90, declination_deg=0)
    assert tmi == pytest.approx(expected_nt, abs=5.1e-4)


def test_fields_fall_with_the_cube_of_distance() -> None:
    near = np.array(dipole_field(30, 40, 50, [[0, 0, 0]], [[1e5, 2e5, 3e5]]))
    far = np.array(dipole_field(60, 80, 100, [[0, 0, 0]], [[1e5, 2e5, 3e5]]))
    np.testing.assert_allclose(far, near / 8, rtol=1e-12)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_it_agrees_with_the_vector_formula(
    dtype: type[np.float64 | np.float32], rtol: float
) -> None:
    rng = np.random.default_rng(5)
    points, places, moments = (
        rng.uniform(0, 100, (3, 40)),
        rng.uniform(0, 100, (7, 3)),
        rng.normal(size=(7, 3)),
    )
    r = points.T[:, None] - places
    length = np.linalg.norm(r, axis=2, keepdims=True)
    along = (moments * r).sum(axis=2, keepdims=True)
    expected = 100 * (3 * along * r / length**5 - moments / length**3).sum(axis=1).T
    easting, northing, upward = points
    got = dipole_field(easting, northing, upward, places, moments, dtype=dtype)
    np.testing.assert_allclose(got, expected, atol=rtol * np.abs(expected).max())


def test_at_the_dipole_itself_the_field_is_nan() -> None:
    assert np.isnan(dipole_field(1, 2, 3, [[1, 2, 3]], [[0, 0, 1]])).all()


def test_directions_are_down_and_east_positive() -> None:
    np.testing.assert_allclose(direction(90, 0), [0, 0, -1], atol=1e-15)
    np.testing.assert_allclose(direction(0, 90), [1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(direction(-45, 0), [0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-15)


def test_positions_that_are_not_rows_of_three_are_refused() -> None:
    with pytest.raises(BadParameter, match="positions_m"):
        dipole_field(0, 0, 0, [[0, 0]], [[0, 0, 1]])
