"""Multigrid: the preconditioner of minimum curvature, one V-cycle in single precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

from quetzalcore.geophysics.gridding.operator import (
    Operator,
    absolute_row_sums,
    apply_rows,
    build_operator,
    smooth_rows,
)
from quetzalcore.geophysics.gridding.transfer import coarse_length, prolong_rows, restrict_rows
from quetzalcore.geophysics.survey import Floats
from quetzalcore.vgpu import for_slices

__all__ = ["Level", "Points", "build_levels", "sliced", "v_cycle"]

Array = NDArray[Any]
_COARSEST = 9  # nodes along the shorter side below which a sparse factor is cheaper
_DEGREE = 3  # Chebyshev steps before and after the coarse correction
_SPREAD = 12.0  # the smoother damps eigenvalues between 1/12 of the largest and the largest
_MIN_ROWS = 64  # rows a thread is worth
_RIDGE = 1e-7  # holds what no point holds (one line only): the coarsest matrix stays regular


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Points in cells from the first node, with the weight of their squared misfit."""

    y: Floats
    x: Floats
    trust: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Level:
    """One grid of the hierarchy, with the memory that a cycle needs; the coarsest has a factor."""

    shape: tuple[int, int]
    operator: Operator
    inverse: Array
    buffers: tuple[Array, Array, Array, Array, Array]
    factor: Any = None


def sliced(work: Any, rows: int) -> None:
    """Run ``work(first, last)`` over rows on all threads."""
    for_slices(rows, work, min_slice=_MIN_ROWS)


def build_levels(shape: tuple[int, int], points: Points, *, tension: float) -> list[Level]:
    """Build the hierarchy from the finest grid to one that is solved directly."""
    levels = []
    scale = 1.0
    while True:
        operator, _ = build_operator(
            shape,
            (points.y, points.x, points.trust),
            bend=(1.0 - tension) * scale,
            slope=tension,
            dtype=np.float32,
        )
        last = min(shape) < 2 * _COARSEST
        levels.append(_level(shape, operator, last=last))
        if last:
            return levels
        points = _coarsen(points, merge=len(levels) > 1)
        shape = (coarse_length(shape[0]), coarse_length(shape[1]))
        scale /= 4.0


def _level(shape: tuple[int, int], operator: Operator, *, last: bool) -> Level:
    sums = absolute_row_sums(operator, shape)
    spare = tuple(np.zeros(shape, dtype=np.float32) for _ in range(5))
    return Level(
        shape=shape,
        operator=operator,
        inverse=np.float32(1.0) / sums,
        buffers=spare,
        factor=_factor(operator, shape) if last else None,
    )


def _coarsen(points: Points, *, merge: bool) -> Points:
    """Halve positions; merge points that share half a coarse cell where asked."""
    y, x, trust = points.y / 2.0, points.x / 2.0, points.trust
    if not merge:
        return Points(y=y, x=x, trust=trust)
    keys = np.floor(y * 2.0).astype(np.int64) * (1 << 31) + np.floor(x * 2.0).astype(np.int64)
    _, group = np.unique(keys, return_inverse=True)
    total = np.bincount(group, trust)
    return Points(
        y=np.bincount(group, trust * y) / total,
        x=np.bincount(group, trust * x) / total,
        trust=total,
    )


def dense_bands(band: Array) -> Any:
    """Return one axis' band as a sparse matrix."""
    half = band.shape[1] // 2
    n = len(band)
    return scipy.sparse.diags(
        [
            band[max(0, -k) : n - max(0, k), k + half].astype(np.float64)
            for k in range(-half, half + 1)
        ],
        range(-half, half + 1),
    )


def sparse_matrix(op: Operator, shape: tuple[int, int]) -> Any:
    """Assemble A as a sparse matrix."""
    ky, kx, ly, lx = (dense_bands(b) for b in (op.bend_y, op.bend_x, op.slope_y, op.slope_x))
    iy, ix = scipy.sparse.identity(shape[0]), scipy.sparse.identity(shape[1])
    kron = scipy.sparse.kron
    energy = float(op.bend) * (kron(ky, ix) + kron(iy, kx) + 2.0 * kron(ly, lx)) + float(
        op.slope
    ) * (kron(ly, ix) + kron(iy, lx))
    steps = np.arange(4)
    columns = (op.row[:, None] + steps)[:, :, None] * shape[1] + (op.column[:, None] + steps)[
        :, None
    ]
    weights = op.weight_y[:, :, None].astype(np.float64) * op.weight_x[:, None, :]
    count = len(op.row)
    rows = np.repeat(np.arange(count), 16)
    points = scipy.sparse.csr_matrix(
        (weights.ravel(), (rows, columns.ravel())), shape=(count, shape[0] * shape[1])
    )
    return (energy + points.T @ scipy.sparse.diags(op.trust.astype(np.float64)) @ points).tocsc()


def _factor(op: Operator, shape: tuple[int, int]) -> Any:
    matrix = sparse_matrix(op, shape)
    ridge = _RIDGE * float(op.bend + op.slope)
    return scipy.sparse.linalg.splu(
        matrix + ridge * scipy.sparse.identity(matrix.shape[0], format="csc")
    )


def v_cycle(levels: list[Level], right: Array, depth: int = 0) -> Array:
    """Return about ``A^-1 right`` on a level, float32; the map is linear, symmetric and positive."""
    level = levels[depth]
    if level.factor is not None:
        solved = level.factor.solve(right.astype(np.float64).ravel())
        return np.asarray(solved.reshape(level.shape), dtype=np.float32)
    u, spare, step, scratch, keep = level.buffers
    np.copyto(keep, right)
    u, spare = _smooth(level, u, spare, step, scratch, keep, from_zero=True)
    sliced(lambda a, b: apply_rows(level.operator, u, scratch, a, b), level.shape[0])
    np.subtract(keep, scratch, out=scratch)
    coarse = levels[depth + 1]
    reduced = np.empty(coarse.shape, dtype=np.float32)
    sliced(lambda a, b: restrict_rows(scratch, reduced, a, b), coarse.shape[0])
    lift = v_cycle(levels, reduced, depth + 1)
    sliced(lambda a, b: prolong_rows(lift, u, a, b), level.shape[0])
    u, spare = _smooth(level, u, spare, step, scratch, keep, from_zero=False)
    return u.copy()


def _smooth(
    level: Level,
    u: Array,
    new: Array,
    step: Array,
    scratch: Array,
    right: Array,
    *,
    from_zero: bool,
) -> tuple[Array, Array]:
    """Chebyshev steps on the eigenvalues of D^-1 A between 1/spread and 1; returns (u, the spare)."""
    low, high = 1.0 / _SPREAD, 1.0
    centre, half = 0.5 * (high + low), 0.5 * (high - low)
    rho = half / centre
    momentum, gain = 0.0, 1.0 / centre
    if from_zero:
        u[...] = 0.0
    step[...] = 0.0
    for k in range(_DEGREE):
        if k:
            nxt = 1.0 / (2.0 * centre / half - rho)
            momentum, gain = nxt * rho, 2.0 * nxt / half
            rho = nxt
        m, g = np.float32(momentum), np.float32(gain)
        sliced(
            lambda a, b, u=u, new=new, m=m, g=g: smooth_rows(
                level.operator, u, new, step, right, level.inverse, scratch, m, g, a, b
            ),
            level.shape[0],
        )
        u, new = new, u
    return u, new
