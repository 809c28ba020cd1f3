"""Pointwise products of gradients: lengths, tilt angles, theta; NaN in is NaN out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quetzalcore.vgpu import fast_kernel, for_slices, inline_kernel, kernel

__all__ = ["central_gradient", "cosine_theta", "length", "tilt_angle"]

Reals = NDArray[Any]
_MIN_ROWS = 64

# Rational approximation of the arctangent on [0, tan(pi / 8)] with an error under 1e-16:
# S. L. Moshier, Cephes Mathematical Library, atan.c (coefficients).
_P = (
    -8.750608600031904122785e-1,
    -1.615753718733365076637e1,
    -7.500855792314704667340e1,
    -1.228866684490136173410e2,
    -6.485021904942025371773e1,
)
_Q = (
    2.485846490142306297962e1,
    1.650270098316988542046e2,
    4.328810604912902668951e2,
    4.853903996359136964868e2,
    1.945506571482613964425e2,
)
_TAN_22_5 = math.sqrt(2.0) - 1.0
_DEGREES = 180.0 / math.pi


def length(easting: Reals, northing: Reals, upward: Reals | None) -> Reals:
    """Give the length of two or three components, (rows, columns)."""
    out = np.empty_like(easting)
    rows = easting.shape[0]
    if upward is None:
        for_slices(rows, lambda a, b: _length2(easting, northing, out, a, b), min_slice=_MIN_ROWS)
    else:
        for_slices(
            rows, lambda a, b: _length3(easting, northing, upward, out, a, b), min_slice=_MIN_ROWS
        )
    return out


def tilt_angle(easting: Reals, northing: Reals, upward: Reals) -> Reals:
    """Give ``atan2(-upward, hypot(easting, northing))`` in degrees; 0 where all are zero."""
    out = np.empty_like(easting)
    for_slices(
        easting.shape[0],
        lambda a, b: _tilt(easting, northing, upward, out, a, b),
        min_slice=_MIN_ROWS,
    )
    return out


def cosine_theta(easting: Reals, northing: Reals, upward: Reals) -> Reals:
    """Give the horizontal length over the whole length; NaN where all are zero."""
    flat = length(easting, northing, None)
    whole = length(easting, northing, upward)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.divide(flat, whole, out=flat))


def central_gradient(values: Reals, rows_m: float, columns_m: float) -> Reals:
    """Give the length of the gradient by central differences, one-sided at the rim."""
    out = np.empty_like(values)
    for_slices(
        values.shape[0],
        lambda a, b: _central(values, out, rows_m, columns_m, a, b),
        min_slice=_MIN_ROWS,
    )
    return out


@fast_kernel
def _length2(easting: Reals, northing: Reals, out: Reals, start: int, stop: int) -> None:
    for j in range(start, stop):
        for i in range(out.shape[1]):
            out[j, i] = math.sqrt(easting[j, i] ** 2 + northing[j, i] ** 2)


@fast_kernel
def _length3(
    easting: Reals, northing: Reals, upward: Reals, out: Reals, start: int, stop: int
) -> None:
    for j in range(start, stop):
        for i in range(out.shape[1]):
            out[j, i] = math.sqrt(easting[j, i] ** 2 + northing[j, i] ** 2 + upward[j, i] ** 2)


@inline_kernel
def _arctangent(high: float, low: float) -> float:
    """Give ``atan(low / high)`` for ``0 <= low <= high``, without branches so that it is SIMD."""
    wide = low > _TAN_22_5 * high
    x = (low - high) / (low + high) if wide else low / (high if high > 0.0 else 1.0)
    z = x * x
    top = (((_P[0] * z + _P[1]) * z + _P[2]) * z + _P[3]) * z + _P[4]
    bottom = ((((z + _Q[0]) * z + _Q[1]) * z + _Q[2]) * z + _Q[3]) * z + _Q[4]
    return x + x * z * (top / bottom) + (0.25 * math.pi if wide else 0.0)


@fast_kernel
def _tilt(
    easting: Reals, northing: Reals, upward: Reals, out: Reals, start: int, stop: int
) -> None:
    for j in range(start, stop):
        for i in range(out.shape[1]):
            flat = math.sqrt(easting[j, i] ** 2 + northing[j, i] ** 2)
            steep = abs(upward[j, i])
            swap = steep > flat
            angle = _arctangent(steep if swap else flat, flat if swap else steep)
            angle = 0.5 * math.pi - angle if swap else angle
            out[j, i] = -_DEGREES * angle if upward[j, i] > 0.0 else _DEGREES * angle


@kernel
def _central(
    values: Reals, out: Reals, rows_m: float, columns_m: float, start: int, stop: int
) -> None:
    rows, columns = values.shape
    for j in range(start, stop):
        up, down = min(j + 1, rows - 1), max(j - 1, 0)
        for i in range(columns):
            right, left = min(i + 1, columns - 1), max(i - 1, 0)
            dy = (values[up, i] - values[down, i]) / ((up - down) * rows_m)
            dx = (values[j, right] - values[j, left]) / ((right - left) * columns_m)
            out[j, i] = math.sqrt(dx * dx + dy * dy)
