"""Evaluate a four-variable polynomial at survey points: one read of the inputs, SIMD lanes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.igrf.chebyshev import Polynomial
from quetzalcore.geophysics.igrf.remainder import Box
from quetzalcore.vgpu import fast_kernel, for_slices, inline_kernel

__all__ = ["evaluate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_L = 256
_T, _H, _U, _V = 0 * _L, 1 * _L, 2 * _L, 3 * _L
_ROW, _SUM_U, _SUM_H, _SUM_T, _REACH = 4 * _L, 5 * _L, 6 * _L, 7 * _L, 8 * _L
_ROWS = 9
_MIN_WORK = (
    20_000_000  # terms times points: about 2 ms, below which a thread costs more than it gives
)


def evaluate(
    polynomials: tuple[Polynomial, ...],
    box: Box,
    columns: tuple[Floats, Floats, Floats, Floats],
    *,
    root: bool,
) -> tuple[tuple[Floats, ...], float]:
    """Return each polynomial at the points, and how far the points reach out of the box.

    Parameters
    ----------
    polynomials : tuple of Polynomial
    box : Box
        Scales the columns to [-1, 1].
    columns : four (n,) float64
        Year, height, longitude, latitude, in the box's units; the year may be empty (one date).
    root : bool
        Take the square root of the values.

    Returns
    -------
    values : tuple of (n,) float64
        NaN where any coordinate is NaN.
    reach : float
        The largest scaled coordinate: above 1 the values must not be used.
    """
    count = len(columns[1])
    outputs = tuple(np.empty(count) for _ in polynomials)
    scales = np.array([(a.centre, 1 / a.half if a.half > 0 else 0.0) for a in box.axes])
    reaches = []

    def work(start: int, stop: int) -> None:
        year = columns[0][start:stop] if columns[0].size else columns[0]
        height, longitude, latitude = (column[start:stop] for column in columns[1:])
        for polynomial, out in zip(polynomials, outputs, strict=True):
            values = out[start:stop]
            powers, chunks = polynomial.powers, polynomial.chunks
            reaches.append(
                _points(year, height, longitude, latitude, scales, powers, chunks, values, root)
            )

    terms = sum(polynomial.terms for polynomial in polynomials)
    for_slices(count, work, min_slice=_MIN_WORK // max(1, terms))
    return outputs, max(reaches, default=0.0)


@fast_kernel
def _points(
    year: Floats,
    height_m: Floats,
    longitude_deg: Floats,
    latitude_deg: Floats,
    scales: Floats,
    powers: Floats,
    chunks: Ints,
    out: Floats,
    root: bool,  # noqa: FBT001 -- kernels take positional arguments
) -> float:
    """Fill ``out`` block by block and return the largest scaled coordinate."""
    w = np.zeros(_ROWS * _L)
    flat, counts = powers.ravel(), chunks.ravel()
    width = powers.shape[3] // 4
    for begin in range(0, out.size, _L):
        end = min(begin + _L, out.size)
        _scale(w, height_m[begin:end], longitude_deg[begin:end], latitude_deg[begin:end], scales)
        if year.size:
            _scale_year(w, year[begin:end], scales[0, 0], scales[0, 1])
        for a in range(chunks.shape[0] - 1, -1, -1):
            for b in range(chunks.shape[1] - 1, -1, -1):
                row = (a * chunks.shape[1] + b) * chunks.shape[2]
                _plane(w, flat, 4 * width * row, 4 * width, counts, row, chunks.shape[2])
                _fold(w, _SUM_U, _SUM_H, _H, b == chunks.shape[1] - 1)
            _fold(w, _SUM_H, _SUM_T, _T, a == chunks.shape[0] - 1)
        _store(w, out[begin:end], root)
    return np.max(w[_REACH : _REACH + _L])


@fast_kernel
def _scale(
    w: Floats, height_m: Floats, longitude_deg: Floats, latitude_deg: Floats, scales: Floats
) -> None:
    """Scale the place to [-1, 1] and remember how far it reaches (NaN reaches nowhere).

    A coordinate that is NaN makes the latitude NaN, which enters every term.
    """
    h0, hs, u0, us = scales[1, 0], scales[1, 1], scales[2, 0], scales[2, 1]
    v0, vs = scales[3, 0], scales[3, 1]
    for i in range(height_m.size):
        h = (height_m[i] - h0) * hs
        u = (longitude_deg[i] - u0) * us
        v = (latitude_deg[i] - v0) * vs
        w[_H + i] = h
        w[_U + i] = u
        w[_V + i] = v + 0.0 * (h + u)
        reach = w[_REACH + i]
        reach = abs(h) if abs(h) > reach else reach  # noqa: FURB136 -- max() may keep a NaN
        reach = abs(u) if abs(u) > reach else reach  # noqa: FURB136 -- max() may keep a NaN
        w[_REACH + i] = abs(v) if abs(v) > reach else reach  # noqa: FURB136 -- as above


@fast_kernel
def _scale_year(w: Floats, year: Floats, centre: float, scale: float) -> None:
    """Do the same for time, where it varies."""
    for i in range(year.size):
        t = (year[i] - centre) * scale
        w[_T + i] = t
        w[_V + i] += 0.0 * t
        reach = w[_REACH + i]
        w[_REACH + i] = abs(t) if abs(t) > reach else reach  # noqa: FURB136 -- as above


@fast_kernel
def _plane(
    w: Floats, powers: Floats, at: int, width: int, chunks: Ints, row: int, rows: int
) -> None:
    """Sum over the powers of longitude and latitude by Horner's scheme.

    ``powers`` and ``chunks`` are flat, ``at`` and ``row`` say where the plane begins: slicing arrays
    here would cost more than the arithmetic.
    """
    while rows > 1 and chunks[row + rows - 1] == 0:
        rows -= 1
    c = rows - 1
    if chunks[row + c] <= 1:
        _first_row(w, powers, at + c * width)
        c -= 1
    else:
        for i in range(_L):
            w[_SUM_U + i] = 0.0
    while c >= 0:
        if chunks[row + c] > 1:
            _long_row(w, powers, at + c * width, chunks[row + c])
        elif c > 0 and chunks[row + c - 1] <= 1:
            _two_rows(w, powers, at + c * width, at + (c - 1) * width)
            c -= 1
        else:
            _one_row(w, powers, at + c * width)
        c -= 1


@inline_kernel
def _first_row(w: Floats, powers: Floats, at: int) -> None:
    """Start with the highest power of longitude."""
    c0, c1, c2, c3 = powers[at], powers[at + 1], powers[at + 2], powers[at + 3]
    for i in range(_L):
        v = w[_V + i]
        w[_SUM_U + i] = c0 + v * (c1 + v * (c2 + v * c3))


@inline_kernel
def _one_row(w: Floats, powers: Floats, at: int) -> None:
    """Take the next power of longitude: a cubic in latitude."""
    c0, c1, c2, c3 = powers[at], powers[at + 1], powers[at + 2], powers[at + 3]
    for i in range(_L):
        v = w[_V + i]
        cubic = c0 + v * (c1 + v * (c2 + v * c3))
        w[_SUM_U + i] = w[_SUM_U + i] * w[_U + i] + cubic


@inline_kernel
def _two_rows(w: Floats, powers: Floats, upper: int, lower: int) -> None:
    """Take two powers of longitude in one pass over the lanes."""
    a0, a1, a2, a3 = powers[upper], powers[upper + 1], powers[upper + 2], powers[upper + 3]
    b0, b1, b2, b3 = powers[lower], powers[lower + 1], powers[lower + 2], powers[lower + 3]
    for i in range(_L):
        u, v = w[_U + i], w[_V + i]
        first = a0 + v * (a1 + v * (a2 + v * a3))
        second = b0 + v * (b1 + v * (b2 + v * b3))
        w[_SUM_U + i] = (w[_SUM_U + i] * u + first) * u + second


@inline_kernel
def _long_row(w: Floats, powers: Floats, at: int, chunks: int) -> None:
    """Take the next power of longitude: a polynomial of more than four powers of latitude."""
    for i in range(_L):
        w[_ROW + i] = 0.0
    for chunk in range(chunks - 1, -1, -1):
        begin = at + 4 * chunk
        c0, c1, c2, c3 = powers[begin], powers[begin + 1], powers[begin + 2], powers[begin + 3]
        for i in range(_L):
            v = w[_V + i]
            cubic = c0 + v * (c1 + v * (c2 + v * c3))
            w[_ROW + i] = w[_ROW + i] * ((v * v) * (v * v)) + cubic
    for i in range(_L):
        w[_SUM_U + i] = w[_SUM_U + i] * w[_U + i] + w[_ROW + i]


@inline_kernel
def _fold(w: Floats, inner: int, outer: int, row: int, first: bool) -> None:  # noqa: FBT001 -- as above
    """Take the next power of height or time: outer = outer * row + inner."""
    if first:
        for i in range(_L):
            w[outer + i] = w[inner + i]
    else:
        for i in range(_L):
            w[outer + i] = w[outer + i] * w[row + i] + w[inner + i]


@inline_kernel
def _store(w: Floats, out: Floats, root: bool) -> None:  # noqa: FBT001 -- as above
    if root:
        for i in range(out.size):
            out[i] = np.sqrt(w[_SUM_T + i])
    else:
        for i in range(out.size):
            out[i] = w[_SUM_T + i]
