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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quetzalcore.vgpu import fast_kernel, inline_kernel, map_threads, worker_count

__all__ = ["Acceptance", "solve_windows"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_FIELDS = 10
_SUMS = 20
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
    everything = np.zeros((0, 0), dtype=np.bool_)

    def slab(number: int) -> Floats:
        start, stop = edges[number], edges[number + 1]
        out = np.empty((_FIELDS, (stop - start) * (columns - 2 * half)))
        wanted = everything if chosen is None else chosen
        count = _slab(*grids, *cells_m, half, indices, wanted, acceptance, out, start, stop)
        return out[:, :count]

    return np.concatenate(map_threads(slab, range(slabs)), axis=1)


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


@fast_kernel
def _solve(
    sums: Floats,
    i: int,
    count: float,
    indices: Floats,
    acceptance: Acceptance,
    out: Floats,
    place: int,
) -> bool:
    """Solve one window, choose its index, and write it to ``out[:8, place]`` if it is accepted."""
    one = 1.0 / count
    ma, mb, mc, mt, mp = (
        sums[0, i] * one,
        sums[1, i] * one,
        sums[2, i] * one,
        sums[3, i] * one,
        sums[4, i] * one,
    )
    aa, ab, ac = (
        sums[5, i] - count * ma * ma,
        sums[6, i] - count * ma * mb,
        sums[7, i] - count * ma * mc,
    )
    bb, bc, cc = (
        sums[8, i] - count * mb * mb,
        sums[9, i] - count * mb * mc,
        sums[10, i] - count * mc * mc,
    )
    xx, xy, xz = bb * cc - bc * bc, ac * bc - ab * cc, ab * bc - ac * bb
    determinant = aa * xx + ab * xy + ac * xz
    if not determinant > 1e-14 * aa * bb * cc:  # NaN, no gradient, or a singular system
        return False
    inv = 1.0 / determinant
    inverse = (
        xx * inv,
        xy * inv,
        xz * inv,
        (aa * cc - ac * ac) * inv,
        (ab * ac - aa * bc) * inv,
        (aa * bb - ab * ab) * inv,
    )
    ta, tb, tc = (
        sums[11, i] - count * ma * mt,
        sums[12, i] - count * mb * mt,
        sums[13, i] - count * mc * mt,
    )
    pa, pb, pc = (
        sums[15, i] - count * ma * mp,
        sums[16, i] - count * mb * mp,
        sums[17, i] - count * mc * mp,
    )
    tt = sums[14, i] - count * mt * mt
    pt = sums[18, i] - count * mp * mt
    pp = sums[19, i] - count * mp * mp
    x_p, y_p, u_p = _multiply(inverse, pa, pb, pc)
    x_t, y_t, u_t = _multiply(inverse, ta, tb, tc)
    least_pp = pp - (x_p * pa + y_p * pb + u_p * pc)
    least_pt = pt - (x_p * ta + y_p * tb + u_p * tc)
    least_tt = tt - (x_t * ta + y_t * tb + u_t * tc)
    best = np.inf
    for n in indices:
        x, y, depth = x_p + n * x_t, y_p + n * y_t, -(u_p + n * u_t)
        misfit = max(least_pp + n * (2.0 * least_pt + n * least_tt), 0.0)
        variance = misfit / (count - 4.0)
        sigma = math.sqrt(variance * inverse[5])
        relative = sigma / abs(depth)
        if relative < best:
            best = relative
            total = pp + n * (2.0 * pt + n * tt)
            level = mp + n * mt - (x * ma + y * mb - depth * mc)
            out[0, place] = x
            out[1, place] = y
            out[2, place] = depth
            out[3, place] = level / n if n > 0.0 else np.nan
            out[4, place] = n
            out[5, place] = sigma
            out[6, place] = math.sqrt(variance * (inverse[0] + inverse[3]))
            out[7, place] = 1.0 - misfit / total if total > 0.0 else 1.0
    return bool(
        best <= acceptance.relative_uncertainty
        and max(abs(out[0, place]), abs(out[1, place])) <= acceptance.reach_m
        and acceptance.shallowest_m <= out[2, place] <= acceptance.deepest_m
    )


@fast_kernel
def _slab(
    field: Floats,
    de: Floats,
    dn: Floats,
    du: Floats,
    row_m: float,
    column_m: float,
    half: int,
    indices: Floats,
    chosen: Bools,
    acceptance: Acceptance,
    out: Floats,
    start: int,
    stop: int,
) -> int:
    """Solve the windows centred on rows start..stop-1; give how many were kept."""
    columns = field.shape[1]
    column_sums = np.empty((_SUMS, columns))
    sums = np.empty((_SUMS, columns - 2 * half))
    count = float((2 * half + 1) ** 2)
    kept = 0
    for row in range(start, stop):
        _down(field, de, dn, du, row, half, row_m, column_sums)
        _along(column_sums, half, column_m, sums)
        for i in range(columns - 2 * half):
            if chosen.size > 0 and not chosen[row, i + half]:
                continue
            if _solve(sums, i, count, indices, acceptance, out, kept):
                out[8, kept] = row
                out[9, kept] = i + half
                kept += 1
    return kept
