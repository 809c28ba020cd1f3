"""Conjugate gradients in double precision, preconditioned by a multigrid cycle in single."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.gridding.multigrid import Points, build_levels, sliced, v_cycle
from quetzalcore.geophysics.gridding.operator import Operator, apply_rows, build_operator, data_rows
from quetzalcore.geophysics.survey import Floats
from quetzalcore.vgpu import fast_kernel

__all__ = ["Solution", "solve"]

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """The nodes (rows, columns) and how the iteration ended.

    ``residual`` is the norm of ``f - A u`` over that of ``f``; ``change`` the last cycle's largest
    change of any node, in the values' unit.
    """

    nodes: Floats
    cycles: int
    residual: float
    change: float


def solve(
    shape: tuple[int, int],
    points: Points,
    values: Floats,
    *,
    tension: float,
    stop_change: float,
    max_cycles: int,
) -> Solution:
    """Minimise the energy of ``operator.py``: iterate until no node changes by ``stop_change``."""
    levels = build_levels(shape, points, tension=tension)
    op, order = build_operator(
        shape,
        (points.y, points.x, points.trust),
        bend=1.0 - tension,
        slope=tension,
        dtype=np.float64,
    )
    state = _State(shape)
    data_rows(op, values[order], state.residual, 0)
    scale = float(np.abs(state.residual).max()) or 1.0
    start = state.dot(state.residual, state.residual)
    np.divide(state.residual, scale, out=state.single, casting="same_kind")
    power, change, cycles = np.inf, np.inf, 0
    while cycles < max_cycles and change > stop_change:
        lift = v_cycle(levels, state.single)
        previous, power = power, scale * state.dot(lift, state.residual)
        if not power > 0.0:
            change = 0.0
            break
        change = state.step(op, lift, scale, momentum=power / previous, power=power)
        cycles += 1
    return Solution(
        nodes=state.nodes,
        cycles=cycles,
        residual=math.sqrt(state.dot(state.residual, state.residual) / (start or 1.0)),
        change=change,
    )


class _State:
    """The vectors of the iteration; sums are taken row by row, whatever the threads."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.nodes = np.zeros(shape)
        self.residual = np.zeros(shape)
        self.direction = np.zeros(shape)
        self.image = np.empty(shape)
        self.single = np.empty(shape, dtype=np.float32)
        self.sums = np.empty(shape[0])

    def dot(self, left: Array, right: Array) -> float:
        """Return the inner product of two grids."""
        sliced(lambda a, b: _dot_rows(left, right, self.sums, a, b), len(self.sums))
        return float(self.sums.sum())

    def step(
        self, op: Operator, lift: Array, scale: float, *, momentum: float, power: float
    ) -> float:
        """Move along the next direction and return the largest change of a node."""
        rows = len(self.sums)
        sliced(lambda a, b: _turn_rows(self.direction, lift, momentum, scale, a, b), rows)
        sliced(lambda a, b: apply_rows(op, self.direction, self.image, a, b), rows)
        length = power / self.dot(self.direction, self.image)
        sliced(
            lambda a, b: _move_rows(
                self.nodes, self.residual, self.single, self.direction, self.image, self.sums,
                length, 1.0 / scale, a, b,
            ),
            rows,
        )  # fmt: skip
        return float(self.sums.max())


@fast_kernel
def _dot_rows(left: Array, right: Array, sums: Floats, first: int, last: int) -> None:
    for i in range(first, last):
        a, b = left[i], right[i]
        total = 0.0
        for j in range(len(a)):
            total += a[j] * b[j]
        sums[i] = total


@fast_kernel
def _turn_rows(
    direction: Floats, lift: Array, momentum: float, scale: float, first: int, last: int
) -> None:
    for i in range(first, last):
        row, more = direction[i], lift[i]
        for j in range(len(row)):
            row[j] = momentum * row[j] + scale * more[j]


@fast_kernel
def _move_rows(
    nodes: Floats,
    residual: Floats,
    single: Array,
    direction: Floats,
    image: Floats,
    peaks: Floats,
    length: float,
    shrink: float,
    first: int,
    last: int,
) -> None:
    """Update nodes and residual along the direction; ``single`` gets the residual for the next cycle."""
    for i in range(first, last):
        u, r, p, q, s = nodes[i], residual[i], direction[i], image[i], single[i]
        peak = 0.0
        for j in range(len(u)):
            move = length * p[j]
            u[j] += move
            r[j] -= length * q[j]
            s[j] = shrink * r[j]
            peak = max(peak, abs(move))
        peaks[i] = peak
