"""The spherical-harmonic sum at points, written for SIMD: a block of points in lanes, terms outside.

The workspace is one flat array of fixed-length lanes at constant offsets, so that the compiler can
prove that they do not overlap and turns every loop over lanes into vector instructions. For each
order the degrees are walked in pairs: the two latest Legendre functions stay where they are and
take turns as "latest" and "one before".
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.igrf.coefficients import DEGREE
from quetzalcore.vgpu import fast_kernel, for_slices, inline_kernel

__all__ = ["EQUATORIAL_RADIUS_M", "FLATTENING", "REFERENCE_RADIUS_M", "synthesise"]

Floats = NDArray[np.float64]

REFERENCE_RADIUS_M = 6_371_200.0
EQUATORIAL_RADIUS_M = 6_378_137.0
FLATTENING = 1 / 298.257223563
_E2 = FLATTENING * (2 - FLATTENING)
_DEGREE = DEGREE

_L = 256  # lanes in a block: 22 rows of 2 KiB stay in the L1 or L2 cache
_SIN_LON, _COS_LON, _SIN_LAT, _COS_LAT = 0 * _L, 1 * _L, 2 * _L, 3 * _L
_U, _ST, _RHO, _X, _Y = 4 * _L, 5 * _L, 6 * _L, 7 * _L, 8 * _L
_P, _Q, _DP, _DQ = 9 * _L, 10 * _L, 11 * _L, 12 * _L
_A, _B, _AR, _BR, _AT, _BT = 13 * _L, 14 * _L, 15 * _L, 16 * _L, 17 * _L, 18 * _L
_COS_M, _SIN_M, _ST_M1, _START = 19 * _L, 20 * _L, 21 * _L, 22 * _L
_RADIAL, _SOUTH, _EAST = 23 * _L, 24 * _L, 25 * _L
_ROWS = 26
_MIN_SLICE = 4 * _L

# Taylor coefficients: at 45 degrees the first one left out is below 1e-17 of the value.
_S = tuple((-1.0) ** k / math.factorial(2 * k + 1) for k in range(9))
_C = tuple((-1.0) ** k / math.factorial(2 * k) for k in range(9))
_S0, _S1, _S2, _S3, _S4, _S5, _S6, _S7, _S8 = _S
_C0, _C1, _C2, _C3, _C4, _C5, _C6, _C7, _C8 = _C
_RADIANS = math.pi / 180


def synthesise(
    longitude_deg: Floats, latitude_deg: Floats, height_m: Floats, g_nt: Floats, h_nt: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return (east, north, up) in nT of the given coefficients at geodetic points, each (n,).

    Parameters
    ----------
    longitude_deg, latitude_deg, height_m : (n,) float64, contiguous
        WGS 84, ellipsoidal height. NaN gives NaN.
    g_nt, h_nt : (14, 14) float64
        Coefficients by order and degree.
    """
    east, north, up = (np.empty_like(height_m) for _ in range(3))
    terms = _terms(g_nt, h_nt)

    def work(start: int, stop: int) -> None:
        _points(
            longitude_deg[start:stop],
            latitude_deg[start:stop],
            height_m[start:stop],
            terms,
            _sectoral(),
            east[start:stop],
            north[start:stop],
            up[start:stop],
        )

    for_slices(len(height_m), work, min_slice=_MIN_SLICE)
    return east, north, up


@cache
def _sectoral() -> Floats:
    """Return the Schmidt function of degree and order m over sin^m, for every order."""
    factors = [1.0, 1.0] + [math.sqrt((2 * m - 1) / (2 * m)) for m in range(2, DEGREE + 1)]
    return np.asarray(np.cumprod(factors), dtype=np.float64)


@cache
def _recursion() -> tuple[Floats, Floats]:
    """Return what multiplies the latest and the one before, (14, 16) by order and degree."""
    alpha = np.zeros((DEGREE + 1, DEGREE + 3))
    beta = np.zeros_like(alpha)
    for m in range(DEGREE + 1):
        for n in range(m + 1, DEGREE + 1):
            alpha[m, n] = (2 * n - 1) / math.sqrt(n * n - m * m)
            beta[m, n] = math.sqrt(((n - 1) ** 2 - m * m) / (n * n - m * m))
    return alpha, beta


def _terms(g_nt: Floats, h_nt: Floats) -> Floats:
    """Stack alpha, beta, g, h as (14, 16, 4); degrees beyond the model are zero terms."""
    terms = np.zeros((DEGREE + 1, DEGREE + 3, 4))
    terms[..., 0], terms[..., 1] = _recursion()
    terms[:, : DEGREE + 1, 2] = g_nt
    terms[:, : DEGREE + 1, 3] = h_nt
    return terms


@fast_kernel
def _points(
    longitude_deg: Floats,
    latitude_deg: Floats,
    height_m: Floats,
    terms: Floats,
    sectoral: Floats,
    east: Floats,
    north: Floats,
    up: Floats,
) -> None:
    """Fill ``east, north, up`` block by block; the last block repeats its last point."""
    w = np.empty(_ROWS * _L)
    count = height_m.size
    for begin in range(0, count, _L):
        for i in range(_L):
            point = min(begin + i, count - 1)
            w[_SIN_LON + i] = longitude_deg[point]
            w[_SIN_LAT + i] = latitude_deg[point]
            w[_RHO + i] = height_m[point]
        _sines(w, _SIN_LON, _COS_LON)
        _sines(w, _SIN_LAT, _COS_LAT)
        _geocentric(w)
        for m in range(_DEGREE + 1):
            _open_order(w, sectoral[m], terms[m, m, 2], terms[m, m, 3], m)
            for n in range(m + 1, _DEGREE + 1, 2):
                _two_degrees(w, terms[m, n], terms[m, n + 1], n)
            _close_order(w, m)
        _geodetic(w, begin, east, north, up)


@inline_kernel
def _sines(w: Floats, sine: int, cosine: int) -> None:
    """Replace degrees in one row by their sine, and fill another with the cosine."""
    for i in range(_L):
        degrees = w[sine + i]
        quarter = np.floor(degrees / 90.0 + 0.5)
        x = (degrees - 90.0 * quarter) * _RADIANS
        y = x * x
        s = _S7 + y * _S8
        s = _S5 + y * (_S6 + y * s)
        s = x * (_S0 + y * (_S1 + y * (_S2 + y * (_S3 + y * (_S4 + y * s)))))
        c = _C7 + y * _C8
        c = _C5 + y * (_C6 + y * c)
        c = _C0 + y * (_C1 + y * (_C2 + y * (_C3 + y * (_C4 + y * c))))
        odd = quarter - 2.0 * np.floor(0.5 * quarter)
        half = 0.5 * (quarter - odd)
        sign = 1.0 - 2.0 * (half - 2.0 * np.floor(0.5 * half))
        w[sine + i] = sign * (s + odd * (c - s))
        w[cosine + i] = sign * (c - odd * (s + c))


@inline_kernel
def _geocentric(w: Floats) -> None:
    """Turn geodetic latitude and height into geocentric directions; start the orders at zero."""
    for i in range(_L):
        height = w[_RHO + i]
        sine, cosine = w[_SIN_LAT + i], w[_COS_LAT + i]
        normal = EQUATORIAL_RADIUS_M / math.sqrt(1.0 - _E2 * sine * sine)
        axis_m = (normal + height) * cosine
        polar_m = (normal * (1.0 - _E2) + height) * sine
        radius = math.sqrt(axis_m * axis_m + polar_m * polar_m)
        rho = REFERENCE_RADIUS_M / radius
        w[_U + i] = polar_m / radius
        w[_ST + i] = axis_m / radius
        w[_RHO + i] = rho
        w[_X + i] = rho * polar_m / radius
        w[_Y + i] = rho * rho
        w[_START + i] = rho * rho
        w[_COS_M + i] = 1.0
        w[_SIN_M + i] = 0.0
        w[_ST_M1 + i] = 0.0
        w[_RADIAL + i] = 0.0
        w[_SOUTH + i] = 0.0
        w[_EAST + i] = 0.0


@inline_kernel
def _open_order(w: Floats, sectoral: float, g: float, h: float, m: int) -> None:
    """Begin an order with its first degree, n = m."""
    for i in range(_L):
        p = sectoral * w[_START + i]
        w[_P + i] = p
        w[_Q + i] = 0.0
        w[_DP + i] = 0.0
        w[_DQ + i] = 0.0
        w[_A + i] = g * p
        w[_B + i] = h * p
        w[_AR + i] = (m + 1) * g * p
        w[_BR + i] = (m + 1) * h * p
        w[_AT + i] = 0.0
        w[_BT + i] = 0.0


@fast_kernel
def _two_degrees(w: Floats, first: Floats, second: Floats, n: int) -> None:
    """Add degrees n and n + 1 of one order: functions, derivatives, six sums."""
    a1, b1, g1, h1 = first[0], first[1], first[2], first[3]
    a2, b2, g2, h2 = second[0], second[1], second[2], second[3]
    gr1, hr1, gr2, hr2 = (n + 1) * g1, (n + 1) * h1, (n + 2) * g2, (n + 2) * h2
    for i in range(_L):
        x, y, rho = w[_X + i], w[_Y + i], w[_RHO + i]
        p, dp = w[_P + i], w[_DP + i]
        q = a1 * (x * p) - b1 * (y * w[_Q + i])
        dq = a1 * (x * dp + rho * p) - b1 * (y * w[_DQ + i])
        p = a2 * (x * q) - b2 * (y * p)
        dp = a2 * (x * dq + rho * q) - b2 * (y * dp)
        w[_Q + i] = q
        w[_DQ + i] = dq
        w[_P + i] = p
        w[_DP + i] = dp
        w[_A + i] += g1 * q + g2 * p
        w[_B + i] += h1 * q + h2 * p
        w[_AR + i] += gr1 * q + gr2 * p
        w[_BR + i] += hr1 * q + hr2 * p
        w[_AT + i] += g1 * dq + g2 * dp
        w[_BT + i] += h1 * dq + h2 * dp


@inline_kernel
def _close_order(w: Floats, m: int) -> None:
    """Add one order's sums to the field, and step cos(m lon), sin(m lon), powers of sin(colatitude).

    Dividing by the sine of the colatitude is avoided by keeping its power m - 1: poles are no
    exception.
    """
    for i in range(_L):
        cosine, sine, lower, st = w[_COS_M + i], w[_SIN_M + i], w[_ST_M1 + i], w[_ST + i]
        power = lower * st if m else 1.0
        along = w[_A + i] * cosine + w[_B + i] * sine
        w[_RADIAL + i] += power * (w[_AR + i] * cosine + w[_BR + i] * sine)
        w[_SOUTH + i] += power * st * (w[_AT + i] * cosine + w[_BT + i] * sine)
        w[_SOUTH + i] -= m * lower * w[_U + i] * along
        w[_EAST + i] += m * lower * (w[_A + i] * sine - w[_B + i] * cosine)
        w[_COS_M + i] = cosine * w[_COS_LON + i] - sine * w[_SIN_LON + i]
        w[_SIN_M + i] = sine * w[_COS_LON + i] + cosine * w[_SIN_LON + i]
        w[_ST_M1 + i] = power
        w[_START + i] *= w[_RHO + i]


@inline_kernel
def _geodetic(w: Floats, begin: int, east: Floats, north: Floats, up: Floats) -> None:
    """Turn the field from the geocentric to the geodetic vertical and store it."""
    for i in range(min(_L, east.size - begin)):
        sine, cosine = w[_SIN_LAT + i], w[_COS_LAT + i]
        u, st = w[_U + i], w[_ST + i]
        tilt_cosine = cosine * st + sine * u
        tilt_sine = sine * st - cosine * u
        northward = -w[_SOUTH + i]
        east[begin + i] = w[_EAST + i]
        north[begin + i] = tilt_cosine * northward - tilt_sine * w[_RADIAL + i]
        up[begin + i] = tilt_cosine * w[_RADIAL + i] + tilt_sine * northward
