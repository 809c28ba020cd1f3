"""Least squares in every window of a grid: moving sums about each window's own centre.

For a window the unknowns are the source (x0, y0, u0) and the base level. With the window's centre
as origin and ``p = x Tx + y Ty``, the equations are ``x0 Tx + y0 Ty + u0 Tu + N B = p + N T``.
Taking means out removes ``N B``; what is left is a 3 x 3 system with the right-hand side
``c(p) + N c(T)``, so that one factorisation serves every structural index ``N``.

The sums are separable: down the columns first, along the row second, both taken afresh about the
window's centre, so that nothing is subtracted from a large running total.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quetzalcore.vgpu import (
    fast_kernel,
    for_slices,
    inline_kernel,
    kernel,
    map_threads,
    worker_count,
)

__all__ = ["Acceptance", "solve_windows"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Singles = NDArray[np.float32]
_FIELDS = 10
_SUMS = 20
_DAMPING = 1e-9
_SLICES_PER_WORKER = 4


class Acceptance(NamedTuple):
    """What a solution must hold to be kept."""

    relative_uncertainty: float
    reach_m: float
    shallowest_m: float
    deepest_m: float


def solve_windows(
    grids: tuple[Floats, Floats, Floats, Floats],
    cells_m: tuple[float, float],
    *,
    half: int,
    indices: Floats,
    chosen: Bools | None,
    acceptance: Acceptance,
) -> Floats:
    """Solve the windows of ``2 half + 1`` cells centred on ``chosen`` cells (None: on all).

    Returns
    -------
    (10, n) float64
        Easting and northing from the centre, depth, base level, structural index, depth's and
        position's standard deviation, quality, row and column.
    """
    rows, columns = grids[0].shape
    inner = rows - 2 * half
    slabs = max(1, min(inner, worker_count() * _SLICES_PER_WORKER))
    edges = [half + inner * i // slabs for i in range(slabs + 1)]
    wanted = np.zeros((0, 0), dtype=np.bool_) if chosen is None else chosen
    index = indices.astype(np.float32).reshape(1, -1)
    if len(indices) > 1:
        index = _choose_index(grids, cells_m, half, indices, wanted)

    def slab(number: int) -> Floats:
        start, stop = edges[number], edges[number + 1]
        out = np.empty((_FIELDS, (stop - start) * (columns - 2 * half)))
        count = _slab(grids, cells_m, half, index, wanted, acceptance, out, start, stop)
        return out[:, :count]

    return np.concatenate(map_threads(slab, range(slabs)), axis=1)


def _choose_index(
    grids: tuple[Floats, Floats, Floats, Floats],
    cells_m: tuple[float, float],
    half: int,
    indices: Floats,
    chosen: Bools,
) -> Singles:
    """Give each window the index for which the windows around it agree best on the depth.

    Reaches a quarter of a window to every side. All indices are compared with what the windows give
    for index 0 and its change with the index, from one solution.
    """
    rows, columns = grids[0].shape
    lines = np.full((2, rows, columns), np.nan, dtype=np.float32)
    for_slices(
        rows - 2 * half, lambda a, b: _lines(grids, cells_m, half, lines, a + half, b + half)
    )
    best = np.full((rows, columns), indices[0], dtype=np.float32)
    stride = max(1, round(half / 4))
    for_slices(rows, lambda a, b: _steadiest(lines, stride, indices, chosen, best, a, b))
    return best


@fast_kernel
def _down(
    field: Floats,
    de: Floats,
    dn: Floats,
    du: Floats,
    row: int,
    half: int,
    cell_m: float,
    sums: Floats,
) -> None:
    """Sum products down each column of the windows centred on ``row``, about that row."""
    sums[:, :] = 0.0
    for j in range(row - half, row + half + 1):
        y = (j - row) * cell_m
        for i in range(field.shape[1]):
            t, a, b, c = field[j, i], de[j, i], dn[j, i], du[j, i]
            yb = y * b
            sums[0, i] += a
            sums[1, i] += b
            sums[2, i] += c
            sums[3, i] += t
            sums[4, i] += yb
            sums[5, i] += a * a
            sums[6, i] += a * b
            sums[7, i] += a * c
            sums[8, i] += b * b
            sums[9, i] += b * c
            sums[10, i] += c * c
            sums[11, i] += a * t
            sums[12, i] += b * t
            sums[13, i] += c * t
            sums[14, i] += t * t
            sums[15, i] += a * yb
            sums[16, i] += b * yb
            sums[17, i] += c * yb
            sums[18, i] += t * yb
            sums[19, i] += yb * yb


@fast_kernel
def _along(column: Floats, half: int, cell_m: float, sums: Floats) -> None:
    """Sum the columns' sums along the row, and complete ``p = x Tx + y Ty`` with each x."""
    sums[:, :] = 0.0
    inner = column.shape[1] - 2 * half
    for d in range(2 * half + 1):
        x = (d - half) * cell_m
        for q in range(_SUMS):
            if q < 4 or 5 <= q < 15:  # noqa: PLR2004 -- the sums without p
                for i in range(inner):
                    sums[q, i] += column[q, i + d]
        for i in range(inner):
            k = i + d
            sums[4, i] += column[4, k] + x * column[0, k]
            sums[15, i] += column[15, k] + x * column[5, k]
            sums[16, i] += column[16, k] + x * column[6, k]
            sums[17, i] += column[17, k] + x * column[7, k]
            sums[18, i] += column[18, k] + x * column[11, k]
            sums[19, i] += column[19, k] + x * (2.0 * column[15, k] + x * column[5, k])


@inline_kernel
def _multiply(
    inverse: tuple[float, float, float, float, float, float], a: float, b: float, c: float
) -> tuple[float, float, float]:
    """Multiply a symmetric matrix (xx, xy, xz, yy, yz, zz) by a vector."""
    xx, xy, xz, yy, yz, zz = inverse
    return xx * a + xy * b + xz * c, xy * a + yy * b + yz * c, xz * a + yz * b + zz * c


@inline_kernel
def _centred(sums: Floats, i: int, count: float) -> tuple[float, ...]:
    """Take the means out of one window's sums.

    Gives the gradient's moments (xx, xy, xz, yy, yz, zz), its products with T and with p (three
    each), and TT, Tp and pp.
    """
    one = 1.0 / count
    ma, mb, mc = sums[0, i] * one, sums[1, i] * one, sums[2, i] * one
    mt, mp = sums[3, i] * one, sums[4, i] * one
    a, b, c, t, p = sums[0, i], sums[1, i], sums[2, i], sums[3, i], sums[4, i]
    return (
        sums[5, i] - a * ma,
        sums[6, i] - a * mb,
        sums[7, i] - a * mc,
        sums[8, i] - b * mb,
        sums[9, i] - b * mc,
        sums[10, i] - c * mc,
        sums[11, i] - a * mt,
        sums[12, i] - b * mt,
        sums[13, i] - c * mt,
        sums[15, i] - a * mp,
        sums[16, i] - b * mp,
        sums[17, i] - c * mp,
        sums[14, i] - t * mt,
        sums[18, i] - p * mt,
        sums[19, i] - p * mp,
    )


@inline_kernel
def _inverted(m: tuple[float, ...]) -> tuple[float, float, float, float, float, float]:
    """Invert the gradient's moments; NaN where they are singular or hold a NaN.

    A trace of damping leaves a source that is exactly two-dimensional at the window's centre along
    its strike, where it has no position.
    """
    ab, ac, bc = m[1], m[2], m[4]
    damping = _DAMPING * (m[0] + m[3] + m[5])
    aa, bb, cc = m[0] + damping, m[3] + damping, m[5] + damping
    xx, xy, xz = bb * cc - bc * bc, ac * bc - ab * cc, ab * bc - ac * bb
    determinant = aa * xx + ab * xy + ac * xz
    inv = 1.0 / determinant if determinant > 0.0 else math.nan
    return (
        xx * inv,
        xy * inv,
        xz * inv,
        (aa * cc - ac * ac) * inv,
        (ab * ac - aa * bc) * inv,
        (aa * bb - ab * ab) * inv,
    )


@fast_kernel
def _solve(
    sums: Floats, i: int, count: float, n: float, accept: Acceptance, out: Floats, place: int
) -> bool:
    """Solve one window for index ``n``; write it to ``out[:8, place]``; tell if it is accepted."""
    m = _centred(sums, i, count)
    inverse = _inverted(m)
    ra, rb, rc = m[9] + n * m[6], m[10] + n * m[7], m[11] + n * m[8]
    x, y, upward = _multiply(inverse, ra, rb, rc)
    total = m[14] + n * (2.0 * m[13] + n * m[12])
    misfit = max(total - (x * ra + y * rb + upward * rc), 0.0)
    variance = misfit / (count - 4.0)
    sigma = math.sqrt(variance * inverse[5])
    level = sums[4, i] + n * sums[3, i] - x * sums[0, i] - y * sums[1, i] - upward * sums[2, i]
    out[0, place], out[1, place], out[2, place] = x, y, -upward
    out[3, place] = level / (count * n) if n > 0.0 else math.nan
    out[4, place] = n
    out[5, place] = sigma
    out[6, place] = math.sqrt(variance * (inverse[0] + inverse[3]))
    out[7, place] = 1.0 - misfit / total if total > 0.0 else 1.0
    return bool(
        sigma <= accept.relative_uncertainty * abs(upward)
        and max(abs(x), abs(y)) <= accept.reach_m
        and accept.shallowest_m <= -upward <= accept.deepest_m
    )


@fast_kernel
def _slab(
    grids: tuple[Floats, Floats, Floats, Floats],
    cells_m: tuple[float, float],
    half: int,
    index: Singles,
    chosen: Bools,
    accept: Acceptance,
    out: Floats,
    start: int,
    stop: int,
) -> int:
    """Solve the windows centred on rows start..stop-1; give how many were kept."""
    columns = grids[0].shape[1]
    column_sums = np.empty((_SUMS, columns))
    sums = np.empty((_SUMS, columns - 2 * half))
    count = float((2 * half + 1) ** 2)
    kept = 0
    for row in range(start, stop):
        _down(grids[0], grids[1], grids[2], grids[3], row, half, cells_m[0], column_sums)
        _along(column_sums, half, cells_m[1], sums)
        for i in range(columns - 2 * half):
            if chosen.size > 0 and not chosen[row, i + half]:
                continue
            n = index[row, i + half] if index.size > 1 else index[0, 0]
            if _solve(sums, i, count, n, accept, out, kept):
                out[8, kept] = row
                out[9, kept] = i + half
                kept += 1
    return kept


@fast_kernel
def _lines(
    grids: tuple[Floats, Floats, Floats, Floats],
    cells_m: tuple[float, float],
    half: int,
    lines: Singles,
    start: int,
    stop: int,
) -> None:
    """Write each window's depth as a line: for index 0, and its change with the index."""
    columns = grids[0].shape[1]
    column_sums = np.empty((_SUMS, columns))
    sums = np.empty((_SUMS, columns - 2 * half))
    count = float((2 * half + 1) ** 2)
    for row in range(start, stop):
        _down(grids[0], grids[1], grids[2], grids[3], row, half, cells_m[0], column_sums)
        _along(column_sums, half, cells_m[1], sums)
        for i in range(columns - 2 * half):
            m = _centred(sums, i, count)
            inverse = _inverted(m)
            lines[0, row, i + half] = -_multiply(inverse, m[9], m[10], m[11])[2]
            lines[1, row, i + half] = -_multiply(inverse, m[6], m[7], m[8])[2]


@kernel
def _depths_around(lines: Singles, row: int, column: int, stride: int) -> tuple[float, ...]:
    """Sum 1, depth, its change, and their products over 5 x 5 windows, without NaN."""
    count, a, b, aa, ab, bb = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    reach = 2 * stride
    for j in range(row - reach, row + reach + 1, stride):
        for i in range(column - reach, column + reach + 1, stride):
            inside = 0 <= j < lines.shape[1] and 0 <= i < lines.shape[2]
            if inside and not math.isnan(lines[0, j, i]):
                depth, change = float(lines[0, j, i]), float(lines[1, j, i])
                count += 1.0
                a += depth
                b += change
                aa += depth * depth
                ab += depth * change
                bb += change * change
    return count, a, b, aa, ab, bb


@kernel
def _steadiest(
    lines: Singles,
    stride: int,
    indices: Floats,
    chosen: Bools,
    best: Singles,
    start: int,
    stop: int,
) -> None:
    """Choose the index whose depths scatter least, relative to their mean, over 5 x 5 windows."""
    for row in range(start, stop):
        for column in range(best.shape[1]):
            skipped = chosen.size > 0 and not chosen[row, column]
            if skipped or math.isnan(lines[0, row, column]):
                continue
            count, a, b, aa, ab, bb = _depths_around(lines, row, column, stride)
            least = np.inf
            for n in indices:
                mean = (a + n * b) / count
                scatter = ((aa + n * (2.0 * ab + n * bb)) / count - mean * mean) / (mean * mean)
                if scatter < least:
                    least = scatter
                    best[row, column] = n
