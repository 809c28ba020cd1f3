"""Multigrid: the preconditioner of minimum curvature, one V-cycle in single precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.gridding.assembly import DirectSolver, factorise
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
_SPREAD = 20.0  # the smoother damps eigenvalues between 1/20 of the largest and the largest
_MIN_ROWS = 100  # rows a thread is worth


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
    buffers: tuple[Array, ...]
    factor: DirectSolver | None = None


def sliced(work: Callable[[int, int], object], rows: int) -> None:
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
    sums = absolute_row_sums(operator)
    spare = tuple(np.zeros(shape, dtype=np.float32) for _ in range(5))
    return Level(
        shape=shape,
        operator=operator,
        inverse=np.float32(1.0) / sums,
        buffers=spare,
        factor=factorise(operator, shape) if last else None,
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
        trust=np.asarray(total, dtype=np.float64),
    )


def v_cycle(levels: list[Level], right: Array, depth: int = 0) -> Array:
    """Return about ``A^-1 right`` on a level, float32; the map is linear, symmetric and positive."""
    level = levels[depth]
    if level.factor is not None:
        solved = level.factor.solve(right.astype(np.float64).ravel())
        return solved.reshape(level.shape).astype(np.float32)
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
    centre, half = 0.5 * (1.0 + 1.0 / _SPREAD), 0.5 * (1.0 - 1.0 / _SPREAD)
    rho = half / centre
    momentum, gain = 0.0, 1.0 / centre
    for k in range(_DEGREE):
        if k == 0 and from_zero:
            np.multiply(level.inverse, right, out=step)
            step *= np.float32(gain)
            np.copyto(new, step)
        else:
            _chebyshev_step(level, u, new, step, right, scratch, (momentum, gain))
        following = 1.0 / (2.0 * centre / half - rho)
        momentum, gain = following * rho, 2.0 * following / half
        rho = following
        u, new = new, u
    return u, new


def _chebyshev_step(
    level: Level,
    u: Array,
    new: Array,
    step: Array,
    right: Array,
    scratch: Array,
    rates: tuple[float, float],
) -> None:
    momentum, gain = np.float32(rates[0]), np.float32(rates[1])
    sliced(
        lambda a, b: smooth_rows(
            level.operator, u, new, step, right, level.inverse, scratch, momentum, gain, a, b
        ),
        level.shape[0],
    )
