"""Conjugate gradients in double precision, preconditioned by a multigrid cycle in single."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quetzalcore.geophysics.gridding.multigrid import Points, build_levels, sliced, v_cycle
from quetzalcore.geophysics.gridding.operator import apply_rows, build_operator, data_rows
from quetzalcore.geophysics.survey import Floats

__all__ = ["Solution", "solve"]


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
    residual = np.zeros(shape)
    data_rows(op, values[order], residual, 0)
    scale = float(np.abs(residual).max()) or 1.0
    start = float(np.linalg.norm(residual)) or 1.0
    nodes, direction, image = np.zeros(shape), np.zeros(shape), np.empty(shape)
    power, change, cycles = np.inf, np.inf, 0
    while cycles < max_cycles and change > stop_change:
        lift = v_cycle(levels, (residual / scale).astype(np.float32))
        previous, power = power, scale * float(np.vdot(lift, residual))
        if power <= 0.0:
            change = 0.0
            break
        direction *= power / previous
        direction += lift * np.float32(scale)
        sliced(lambda a, b: apply_rows(op, direction, image, a, b), shape[0])
        length = power / float(np.vdot(direction, image))
        nodes += length * direction
        residual -= length * image
        change = abs(length) * float(np.abs(direction).max())
        cycles += 1
    return Solution(
        nodes=nodes,
        cycles=cycles,
        residual=float(np.linalg.norm(residual)) / start,
        change=change,
    )
