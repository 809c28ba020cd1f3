"""The polynomials against NumPy's own functions in extended precision."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from quetzalcore.vgpu import CpuDevice, PairFunction
from quetzalcore.vgpu.arithmetic import angle, log_ratio, power_of_two_scale, scalar, select

Real = Any  # np.float64 or np.float32

PRECISIONS = [(np.float64, 8), (np.float32, 12)]


@scalar
def _both(y: Real, x: Real) -> tuple[Real, Real]:
    return angle(y, x), log_ratio(abs(y), abs(x))


BOTH = PairFunction(function=_both, target_axes=(None,), source_axes=(None,), outputs=2)


def _spread(count: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return rng.choice([-1, 1], count) * 10.0 ** rng.uniform(-6, 6, count)


@pytest.mark.kernels
@pytest.mark.parametrize(("dtype", "ulps"), PRECISIONS)
def test_angle_and_logarithm_are_accurate_to_a_few_units_in_the_last_place(
    dtype: type[np.float32 | np.float64], ulps: int
) -> None:
    y = _spread(300, 1).astype(dtype)
    x = _spread(1, 2).astype(dtype)
    got_angle, got_log = CpuDevice().pairsum(BOTH, [y], [x], dtype=dtype)
    wide_y, wide_x = y.astype(np.longdouble), x.astype(np.longdouble)
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(got_angle, np.arctan2(wide_y, wide_x), rtol=ulps * eps, atol=0)
    expected = np.log(np.abs(wide_y)) - np.log(np.abs(wide_x))
    np.testing.assert_allclose(got_log, expected, rtol=ulps * eps, atol=0)


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_scalar_functions_are_the_same_outside_a_kernel(
    dtype: type[np.float32 | np.float64],
) -> None:
    assert angle(dtype(1), dtype(-1)) == pytest.approx(3 * np.pi / 4, rel=1e-6)
    assert log_ratio(dtype(8), dtype(2)) == pytest.approx(np.log(4), rel=1e-6)
    assert type(angle(dtype(1), dtype(2))) is dtype
    assert power_of_two_scale(dtype(700)) == 1 / 512
    assert power_of_two_scale(dtype(0.3)) == 4


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_compiled_they_keep_the_precision_of_their_argument(
    dtype: type[np.float64 | np.float32],
) -> None:
    @numba.njit  # type: ignore[untyped-decorator]  # Numba has no types
    def all_of_them(y: Real, x: Real) -> tuple[Real, Real, Real]:
        return angle(y, x), log_ratio(y, x), power_of_two_scale(x)

    y, x = dtype(1.7), dtype(0.3)
    one, other, third = all_of_them(y, x)
    eps = float(np.finfo(dtype).eps)
    assert one == pytest.approx(float(angle(y, x)), rel=4 * eps)
    assert other == pytest.approx(float(log_ratio(y, x)), rel=4 * eps)
    assert third == 4
    kinds = numba.typeof(dtype(0))
    assert all_of_them.nopython_signatures[0].return_type.dtype == kinds


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_axes_and_diagonals_have_exact_angles(dtype: type[np.float32 | np.float64]) -> None:
    for y, x, expected in [(0, 1, 0), (1, 0, 0.5), (0, -1, 1), (-1, 0, -0.5), (1, 1, 0.25)]:
        assert angle(dtype(y), dtype(x)) == dtype(expected * np.pi)


@pytest.mark.kernels
def test_the_origin_has_no_angle_and_zero_no_logarithm() -> None:
    zero, one = np.float64(0), np.float64(1)
    with np.errstate(all="ignore"):
        assert np.isnan(angle(zero, zero))
        for p, q in [(zero, one), (one, zero), (-one, one)]:
            assert np.isnan(log_ratio(p, q))


@pytest.mark.kernels
def test_select_chooses() -> None:
    assert select(True, 1, 2) == 1
    assert select(False, 1, 2) == 2
