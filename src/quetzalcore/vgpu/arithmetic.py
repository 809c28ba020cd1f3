"""Scalar functions for pair functions: straight-line, so that the compiler turns them into SIMD.

Libraries' logarithms and arctangents are calls, and a loop with a call in it stays scalar. These are
polynomials behind one division each, in single and in double precision by the type of the argument.
Coefficients are near-minimax fits (interpolation at Chebyshev nodes of the Taylor series, in
extended precision): :func:`log_ratio` and :func:`angle` are within a few units in the last place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

__all__ = ["angle", "log_ratio", "power_of_two_scale", "scalar", "select"]

F = TypeVar("F", bound=Callable[..., Any])
Real = Any  # np.float64 or np.float32: the same source serves both

# Contraction (fused multiply-add) but no reassociation: sums keep the order in which they are written.
OPTIONS = {"fastmath": {"contract", "nsz"}, "error_model": "numpy", "forceinline": True}

_TAN_PI_8 = np.float64(0.41421356237309503)
_PI = np.float64(np.pi)
_HALF_PI = np.float64(np.pi / 2)
_QUARTER_PI = np.float64(np.pi / 4)
_LN2 = np.float64(0.6931471805599453)
_ZERO = np.float64(0.0)
_NAN = np.float64(np.nan)

_TAN_PI_8_SINGLE = np.float32(_TAN_PI_8)
_PI_SINGLE = np.float32(_PI)
_HALF_PI_SINGLE = np.float32(_HALF_PI)
_QUARTER_PI_SINGLE = np.float32(_QUARTER_PI)
_LN2_SINGLE = np.float32(_LN2)
_ZERO_SINGLE = np.float32(0.0)
_NAN_SINGLE = np.float32(np.nan)


def scalar(function: F) -> F:
    """Mark a scalar function as callable from pair functions, always inlined."""
    return cast("F", register_jitable(**OPTIONS)(function))


@scalar
def select(condition: Any, yes: Real, no: Real) -> Real:  # noqa: ANN401 -- a NumPy or Numba scalar
    """Return ``yes`` where ``condition`` holds, else ``no``: both sides are evaluated."""
    return yes if condition else no


@scalar
def _atan(t: Real) -> Real:
    z = t * t
    p = np.float64(0.0211320920485353)
    p = p * z - np.float64(0.04347787546354573)
    p = p * z + np.float64(0.05688259079531103)
    p = p * z - np.float64(0.06640217063643097)
    p = p * z + np.float64(0.07689951607417718)
    p = p * z - np.float64(0.09090772945478791)
    p = p * z + np.float64(0.11111106175156339)
    p = p * z - np.float64(0.14285714180855258)
    p = p * z + np.float64(0.19999999998853793)
    p = p * z - np.float64(0.33333333333328435)
    return t + t * (p * z)


@scalar
def _atan_single(t: Real) -> Real:
    z = t * t
    p = np.float32(-0.06025934885046285)
    p = p * z + np.float32(0.10569685283636618)
    p = p * z - np.float32(0.14239513423957223)
    p = p * z + np.float32(0.19998182002716497)
    p = p * z - np.float32(0.33333306873799395)
    return t + t * (p * z)


@scalar
def _angle_double(y: Real, x: Real) -> Real:
    wide = abs(x)
    tall = abs(y)
    low = min(wide, tall)
    high = max(wide, tall)
    steep = low > _TAN_PI_8 * high
    t = select(steep, low - high, low) / select(steep, low + high, high)
    a = _atan(t) + select(steep, _QUARTER_PI, _ZERO)
    a = select(tall > wide, _HALF_PI - a, a)
    a = select(x < _ZERO, _PI - a, a)
    return select(y < _ZERO, -a, a)


@scalar
def _angle_single(y: Real, x: Real) -> Real:
    wide = abs(x)
    tall = abs(y)
    low = min(wide, tall)
    high = max(wide, tall)
    steep = low > _TAN_PI_8_SINGLE * high
    t = select(steep, low - high, low) / select(steep, low + high, high)
    a = _atan_single(t) + select(steep, _QUARTER_PI_SINGLE, _ZERO_SINGLE)
    a = select(tall > wide, _HALF_PI_SINGLE - a, a)
    a = select(x < _ZERO_SINGLE, _PI_SINGLE - a, a)
    return select(y < _ZERO_SINGLE, -a, a)


@scalar
def _log_ratio_double(p: Real, q: Real) -> Real:
    # The difference of two exponents and mantissas, read as integers, is log2(p / q) within 0.09.
    top = np.float64(p).view(np.int64)
    bottom = np.float64(q).view(np.int64)
    octaves = (top - bottom + np.int64(1 << 51)) >> np.int64(52)
    near = np.int64(top - (octaves << np.int64(52))).view(np.float64)
    s = (near - q) / (near + q)
    z = s * s
    c = np.float64(0.07707402089383286)
    c = c * z + np.float64(0.07621859377667764)
    c = c * z + np.float64(0.0909335631305639)
    c = c * z + np.float64(0.11111064292296108)
    c = c * z + np.float64(0.14285714770653066)
    c = c * z + np.float64(0.199999999975377)
    c = c * z + np.float64(0.33333333333338094)
    half = s + s * (c * z)
    return select((p > _ZERO) & (q > _ZERO), np.float64(octaves) * _LN2 + (half + half), _NAN)


@scalar
def _log_ratio_single(p: Real, q: Real) -> Real:
    top = np.float32(p).view(np.int32)
    bottom = np.float32(q).view(np.int32)
    octaves = np.int32((top - bottom + np.int32(1 << 22)) >> np.int32(23))
    near = np.int32(top - (octaves << np.int32(23))).view(np.float32)
    s = (near - q) / (near + q)
    z = s * s
    c = np.float32(0.15228447520989566)
    c = c * z + np.float32(0.1997579643565643)
    c = c * z + np.float32(0.33333530486919233)
    half = s + s * (c * z)
    logarithm = np.float32(octaves) * _LN2_SINGLE + (half + half)
    return select((p > _ZERO_SINGLE) & (q > _ZERO_SINGLE), logarithm, _NAN_SINGLE)


@scalar
def _power_of_two_double(x: Real) -> Real:
    exponent = np.int64(np.float64(x).view(np.int64) & np.int64(0x7FF << 52))
    return np.int64(np.int64(0x7FE << 52) - exponent).view(np.float64)


@scalar
def _power_of_two_single(x: Real) -> Real:
    exponent = np.int32(np.float32(x).view(np.int32) & np.int32(0xFF << 23))
    return np.int32(np.int32(0xFE << 23) - exponent).view(np.float32)


def angle(y: Real, x: Real) -> Real:
    """Return the argument of ``x + i y`` in (-pi, pi]; NaN at the origin."""
    return _angle_single(y, x) if isinstance(x, np.float32) else _angle_double(y, x)


def log_ratio(p: Real, q: Real) -> Real:
    """Return ``ln(p / q)`` of two normal positive numbers; NaN where either is not positive."""
    return _log_ratio_single(p, q) if isinstance(p, np.float32) else _log_ratio_double(p, q)


def power_of_two_scale(x: Real) -> Real:
    """Return the power of two that brings a normal positive ``x`` into [1, 2): an exact scale."""
    return _power_of_two_single(x) if isinstance(x, np.float32) else _power_of_two_double(x)


@overload(angle, jit_options=OPTIONS, strict=False)  # type: ignore[untyped-decorator]  # Numba has no types
def _angle(y: types.Type, x: types.Type) -> Callable[[Real, Real], Real]:  # noqa: ARG001 -- Numba matches names
    chosen = _angle_single if x is types.float32 else _angle_double
    return lambda y, x: chosen(y, x)  # noqa: PLW0108 -- Numba compiles it, not what it wraps


@overload(log_ratio, jit_options=OPTIONS, strict=False)  # type: ignore[untyped-decorator]  # as above
def _log_ratio(p: types.Type, q: types.Type) -> Callable[[Real, Real], Real]:  # noqa: ARG001 -- Numba matches names
    chosen = _log_ratio_single if p is types.float32 else _log_ratio_double
    return lambda p, q: chosen(p, q)  # noqa: PLW0108 -- Numba compiles it, not what it wraps


@overload(power_of_two_scale, jit_options=OPTIONS, strict=False)  # type: ignore[untyped-decorator]  # as above
def _power_of_two_scale(x: types.Type) -> Callable[[Real], Real]:
    chosen = _power_of_two_single if x is types.float32 else _power_of_two_double
    return lambda x: chosen(x)  # noqa: PLW0108 -- Numba compiles it, not what it wraps
