"""The linear operator of minimum curvature: bending and membrane energy plus the misfit to points.

On nodes ``u`` with unit spacing the energy is ``u' A u - 2 u' f`` with

    A = (1 - T) (Kx + Ky + 2 Lx Ly) + T (Lx + Ly) + B' W B,

where ``K = D2' D2`` and ``L = D1' D1`` are built from second and first differences that lie wholly
inside the grid (so edges are free), and ``B`` interpolates the nodes to the points by cubics.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.gridding.interpolation import cubic_weights
from quetzalcore.geophysics.survey import Floats
from quetzalcore.vgpu import fast_kernel, kernel

__all__ = [
    "Operator",
    "absolute_row_sums",
    "apply_rows",
    "build_operator",
    "data_rows",
    "smooth_rows",
]

Array = NDArray[Any]


class Operator(NamedTuple):
    """One level's operator; every array is of one floating type but the indices.

    ``bend_y``, ``bend_x`` (n, 5) and ``slope_y``, ``slope_x`` (n, 3) are the bands of K and L;
    ``start[i]`` is the first point whose support begins in row ``i`` or later.
    """

    bend: Any
    slope: Any
    bend_y: Array
    bend_x: Array
    slope_y: Array
    slope_x: Array
    start: Array
    row: Array
    column: Array
    weight_y: Array
    weight_x: Array
    trust: Array


def build_operator(
    shape: tuple[int, int],
    points: tuple[Floats, Floats, Floats],
    *,
    bend: float,
    slope: float,
    dtype: type,
) -> tuple[Operator, NDArray[np.intp]]:
    """Build the operator of one level and the order into which it sorted the points.

    Parameters
    ----------
    shape : (rows, columns)
        At least 4 by 4.
    points : (y, x, trust), each (k,) float64
        Positions in cells from the first node, and the weight of each squared misfit.
    bend, slope : float
        Weights of the bending and of the membrane energy.
    dtype : type
        Floating type of the tables.
    """
    y, x, trust = points
    row, weight_y = cubic_weights(y, shape[0])
    order = np.argsort(row, kind="stable")
    column, weight_x = cubic_weights(x, shape[1])
    bend_y, slope_y = _bands(shape[0])
    bend_x, slope_x = _bands(shape[1])
    start = np.searchsorted(row[order], np.arange(shape[0] + 1)).astype(np.int32)
    operator = Operator(
        dtype(bend), dtype(slope),
        bend_y.astype(dtype), bend_x.astype(dtype), slope_y.astype(dtype), slope_x.astype(dtype),
        start, row[order], column[order],
        weight_y[order].astype(dtype), weight_x[order].astype(dtype), trust[order].astype(dtype),
    )  # fmt: skip
    return operator, order


def _bands(nodes: int) -> tuple[Floats, Floats]:
    """Return the diagonals of D2'D2 (n, 5) and D1'D1 (n, 3), free at both ends."""
    bend = np.zeros((nodes, 5))
    for a, left in enumerate((1.0, -2.0, 1.0)):
        for b, right in enumerate((1.0, -2.0, 1.0)):
            bend[a : nodes - 2 + a, 2 + b - a] += left * right
    slope = np.zeros((nodes, 3))
    for a, left in enumerate((-1.0, 1.0)):
        for b, right in enumerate((-1.0, 1.0)):
            slope[a : nodes - 1 + a, 1 + b - a] += left * right
    return bend, slope


@kernel
def _energy_edge(op: Operator, u: Array, i: int, j: int) -> float:
    """Energy part of (A u)[i, j] near the sides; bands are 0 where they would leave the grid."""
    rows, columns = u.shape
    total = 0.0
    for a in range(-2, 3):
        y, x = min(max(i + a, 0), rows - 1), min(max(j + a, 0), columns - 1)
        total += op.bend * (op.bend_y[i, a + 2] * u[y, j] + op.bend_x[j, a + 2] * u[i, x])
    for a in range(-1, 2):
        y, x = min(max(i + a, 0), rows - 1), min(max(j + a, 0), columns - 1)
        total += op.slope * (op.slope_y[i, a + 1] * u[y, j] + op.slope_x[j, a + 1] * u[i, x])
        for b in range(-1, 2):
            x = min(max(j + b, 0), columns - 1)
            total += 2.0 * op.bend * op.slope_y[i, a + 1] * op.slope_x[j, b + 1] * u[y, x]
    return total


@fast_kernel
def _stencil_row(
    row: Array,
    here: Array,
    below: Array,
    above: Array,
    two_below: Array,
    two_above: Array,
    weights: tuple[Any, ...],
) -> None:
    """Apply 13 constant weights along a row; offsets count upward from 0, which SIMD needs."""
    centre, side, two, south, north, south_side, north_side, two_south, two_north = weights
    n = len(row) - 4
    for j in range(n):
        row[j + 2] = (
            centre * here[j + 2]
            + side * (here[j + 1] + here[j + 3])
            + two * (here[j] + here[j + 4])
            + south * below[j + 2]
            + north * above[j + 2]
            + south_side * (below[j + 1] + below[j + 3])
            + north_side * (above[j + 1] + above[j + 3])
            + two_south * two_below[j + 2]
            + two_north * two_above[j + 2]
        )


@fast_kernel
def _energy_row(op: Operator, u: Array, out: Array, i: int) -> None:
    """Write the energy part of row i of A u; the bands are constant along its middle."""
    rows, columns = u.shape
    two_below, below = u[max(i - 2, 0)], u[max(i - 1, 0)]
    here, above, two_above = u[i], u[min(i + 1, rows - 1)], u[min(i + 2, rows - 1)]
    bend, slope = op.bend, op.slope
    k0, k1 = bend * op.bend_y[i, 0], bend * op.bend_y[i, 1]
    k3, k4 = bend * op.bend_y[i, 3], bend * op.bend_y[i, 4]
    s0, s1, s2 = op.slope_y[i, 0], op.slope_y[i, 1], op.slope_y[i, 2]
    twice = bend + bend
    n0, n2 = k1 + twice * s0 + twice * s0 + slope * s0, k3 + twice * s2 + twice * s2 + slope * s2
    side = bend * op.bend_x[2, 1] - twice * s1 - slope
    centre = (
        bend * (op.bend_y[i, 2] + op.bend_x[2, 2])
        + twice * s1
        + twice * s1
        + slope * s1
        + slope
        + slope
    )
    d0, d2 = -twice * s0, -twice * s2
    weights = (centre, side, bend, n0, n2, d0, d2, k0, k4)
    _stencil_row(out[i], here, below, above, two_below, two_above, weights)
    for j in (0, 1, columns - 2, columns - 1):
        out[i, j] = _energy_edge(op, u, i, j)


@fast_kernel
def apply_rows(op: Operator, u: Array, out: Array, first: int, last: int) -> None:
    """Write rows ``first:last`` of A u; points whose support crosses the rows are recomputed."""
    for i in range(first, last):
        _energy_row(op, u, out, i)
    flat, grid, step = u.ravel(), out.ravel(), np.uint64(u.shape[1])
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)  # unsigned: no index from the end
    for p in range(op.start[max(first - 3, 0)], op.start[last]):
        i, corner = op.row[p], np.uint64(op.row[p]) * step + np.uint64(op.column[p])
        w0, w1, w2, w3 = op.weight_x[p, 0], op.weight_x[p, 1], op.weight_x[p, 2], op.weight_x[p, 3]
        value = w0 - w0
        for a in range(4):
            k = corner + np.uint64(a) * step
            value += op.weight_y[p, a] * (
                w0 * flat[k] + w1 * flat[k + one] + w2 * flat[k + two] + w3 * flat[k + three]
            )
        value *= op.trust[p]
        for a in range(4):
            if first <= i + a < last:
                push = op.weight_y[p, a] * value
                k = corner + np.uint64(a) * step
                grid[k] += push * w0
                grid[k + one] += push * w1
                grid[k + two] += push * w2
                grid[k + three] += push * w3


@kernel
def data_rows(op: Operator, values: Array, out: Array, magnitudes: int) -> None:
    """Add B' W values to ``out``; with ``magnitudes``, add the row sums of ``|B|' W |B|`` instead."""
    for p in range(len(op.row)):
        scale = op.trust[p] * values[p]
        if magnitudes:
            scale = op.trust[p] * np.abs(op.weight_y[p]).sum() * np.abs(op.weight_x[p]).sum()
        for a in range(4):
            for b in range(4):
                push = op.weight_y[p, a] * op.weight_x[p, b]
                if magnitudes:
                    push = abs(push)
                out[op.row[p] + a, op.column[p] + b] += scale * push


def absolute_row_sums(op: Operator) -> Array:
    """Return a bound of the row sums of |A|: divided by it, no eigenvalue of A exceeds 1."""
    bend = [np.abs(band).sum(axis=1) for band in (op.bend_y, op.bend_x)]
    slope = [np.abs(band).sum(axis=1) for band in (op.slope_y, op.slope_x)]
    sums = op.bend * (
        bend[0][:, None] + bend[1][None, :] + 2 * slope[0][:, None] * slope[1][None, :]
    ) + op.slope * (slope[0][:, None] + slope[1][None, :])
    sums = np.array(sums, dtype=np.float64)
    wide = Operator(*(_widened(part) for part in op))  # the type that is compiled already
    data_rows(wide, wide.trust, sums, 1)
    return sums.astype(op.trust.dtype)


def _widened(part: Array) -> Array:
    """Return a floating scalar or array in double precision; indices as they are."""
    return part.astype(np.float64) if part.dtype.kind == "f" else part


@fast_kernel
def smooth_rows(
    op: Operator,
    u: Array,
    new: Array,
    step: Array,
    right: Array,
    inverse: Array,
    scratch: Array,
    momentum: np.float32,
    gain: np.float32,
    first: int,
    last: int,
) -> None:
    """One Chebyshev step on rows: step = momentum step + gain D^-1 (right - A u); new = u + step."""
    apply_rows(op, u, scratch, first, last)
    for i in range(first, last):
        for j in range(u.shape[1]):
            move = momentum * step[i, j] + gain * inverse[i, j] * (right[i, j] - scratch[i, j])
            step[i, j] = move
            new[i, j] = u[i, j] + move
