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
_V4, _ROW, _SUM_U, _SUM_H, _SUM_T, _REACH = 4 * _L, 5 * _L, 6 * _L, 7 * _L, 8 * _L, 9 * _L
_ROWS = 10
_MIN_SLICE = 64 * _L


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
        place = tuple(column[start:stop] for column in columns[1:])
        for polynomial, out in zip(polynomials, outputs, strict=True):
            values = out[start:stop]
            reaches.append(
                _points(year, *place, scales, polynomial.powers, polynomial.chunks, values, root)
            )

    for_slices(count, work, min_slice=_MIN_SLICE)
    return outputs, max(reaches, default=0.0)


@fast_kernel
def _points(  # noqa: PLR0917 -- kernels take positional arrays
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
    count = out.size
    for begin in range(0, count, _L):
        length = min(_L, count - begin)
        if year.size:
            _scale(w, _T, year[begin : begin + length], scales[0, 0], scales[0, 1])
        _scale(w, _H, height_m[begin : begin + length], scales[1, 0], scales[1, 1])
        _scale(w, _U, longitude_deg[begin : begin + length], scales[2, 0], scales[2, 1])
        _scale(w, _V, latitude_deg[begin : begin + length], scales[3, 0], scales[3, 1])
        _polynomial(w, powers, chunks)
        _store(w, out[begin : begin + length], root)
    reach = 0.0
    for i in range(_L):
        reach = max(reach, w[_REACH + i])
    return reach


@fast_kernel
def _scale(w: Floats, row: int, column: Floats, centre: float, scale: float) -> None:
    """Scale one coordinate to [-1, 1] and remember how far it reaches (NaN reaches nowhere)."""
    for i in range(column.size):
        x = (column[i] - centre) * scale
        w[row + i] = x
        size = abs(x)
        reach = w[_REACH + i]
        w[_REACH + i] = size if size > reach else reach  # noqa: FURB136 -- max() would keep NaN


@fast_kernel
def _polynomial(w: Floats, powers: Floats, chunks: Ints) -> None:
    """Run Horner's scheme: latitude in chunks of four powers, then longitude, height, time."""
    for i in range(_L):
        square = w[_V + i] * w[_V + i]
        w[_V4 + i] = square * square
        w[_SUM_T + i] = 0.0
    for a in range(chunks.shape[0] - 1, -1, -1):
        for i in range(_L):
            w[_SUM_H + i] = 0.0
        for b in range(chunks.shape[1] - 1, -1, -1):
            _plane(w, powers[a, b], chunks[a, b])
            for i in range(_L):
                w[_SUM_H + i] = w[_SUM_H + i] * w[_H + i] + w[_SUM_U + i]
        for i in range(_L):
            w[_SUM_T + i] = w[_SUM_T + i] * w[_T + i] + w[_SUM_H + i]


@fast_kernel
def _plane(w: Floats, powers: Floats, chunks: Ints) -> None:
    """Sum over the powers of longitude and latitude."""
    for i in range(_L):
        w[_SUM_U + i] = 0.0
    rows = 0
    for c in range(chunks.size):
        if chunks[c]:
            rows = c + 1
    for c in range(rows - 1, -1, -1):
        if chunks[c] <= 1:
            _short_row(w, powers[c])
        else:
            _long_row(w, powers[c], chunks[c])


@inline_kernel
def _short_row(w: Floats, powers: Floats) -> None:
    c0, c1, c2, c3 = powers[0], powers[1], powers[2], powers[3]
    for i in range(_L):
        v = w[_V + i]
        cubic = c0 + v * (c1 + v * (c2 + v * c3))
        w[_SUM_U + i] = w[_SUM_U + i] * w[_U + i] + cubic


@inline_kernel
def _long_row(w: Floats, powers: Floats, chunks: int) -> None:
    for i in range(_L):
        w[_ROW + i] = 0.0
    for chunk in range(chunks - 1, -1, -1):
        c0, c1 = powers[4 * chunk], powers[4 * chunk + 1]
        c2, c3 = powers[4 * chunk + 2], powers[4 * chunk + 3]
        for i in range(_L):
            v = w[_V + i]
            w[_ROW + i] = w[_ROW + i] * w[_V4 + i] + (c0 + v * (c1 + v * (c2 + v * c3)))
    for i in range(_L):
        w[_SUM_U + i] = w[_SUM_U + i] * w[_U + i] + w[_ROW + i]


@inline_kernel
def _store(w: Floats, out: Floats, root: bool) -> None:  # noqa: FBT001 -- as above
    if root:
        for i in range(out.size):
            out[i] = np.sqrt(w[_SUM_T + i])
    else:
        for i in range(out.size):
            out[i] = w[_SUM_T + i]
