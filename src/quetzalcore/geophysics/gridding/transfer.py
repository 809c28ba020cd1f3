"""Cubic prolongation between two grids of a multigrid hierarchy, and its transpose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quetzalcore.vgpu import fast_kernel, inline_kernel

__all__ = ["coarse_length", "prolong_rows", "restrict_rows"]

Array = NDArray[Any]


def coarse_length(nodes: int) -> int:
    """Count the nodes of the next coarser axis: every other node, and one past an even end."""
    return nodes // 2 + 1


@inline_kernel
def _is(a: int, b: int) -> float:
    return 1.0 if a == b else 0.0


@inline_kernel
def _weights(i: int, coarse: int) -> tuple[int, float, float, float, float]:
    """First coarse node and weights of fine node i; at the ends the missing one is extrapolated."""
    k = i // 2
    if i % 2 == 0:
        first = min(max(k - 1, 0), coarse - 4)
        a = k - first
        return first, _is(a, 0), _is(a, 1), _is(a, 2), _is(a, 3)
    if k == 0:
        return 0, 0.4375, 0.625, -0.0625, 0.0
    if k == coarse - 2:
        return coarse - 4, 0.0, -0.0625, 0.625, 0.4375
    return k - 1, -0.0625, 0.5625, 0.5625, -0.0625


@fast_kernel
def prolong_rows(coarse: Array, fine: Array, first: int, last: int) -> None:
    """Add the prolonged coarse grid to rows ``first:last`` of the fine one."""
    rows, columns = coarse.shape
    line = np.empty(columns, dtype=coarse.dtype)
    for i in range(first, last):
        k, w0, w1, w2, w3 = _weights(i, rows)
        v0, v1 = np.float32(w0), np.float32(w1)
        v2, v3 = np.float32(w2), np.float32(w3)
        for j in range(columns):
            line[j] = (
                v0 * coarse[k, j]
                + v1 * coarse[k + 1, j]
                + v2 * coarse[k + 2, j]
                + v3 * coarse[k + 3, j]
            )
        _prolong_line(line, fine[i])


@fast_kernel
def _prolong_line(line: Array, out: Array) -> None:
    columns, n = len(line), len(out)
    for k in range((n + 1) // 2):
        out[2 * k] += line[k]
    outer, inner = np.float32(-0.0625), np.float32(0.5625)
    for k in range(1, min(columns - 2, n // 2)):
        out[2 * k + 1] += inner * (line[k] + line[k + 1]) + outer * (line[k - 1] + line[k + 2])
    end0, end1, end2 = np.float32(0.4375), np.float32(0.625), np.float32(-0.0625)
    out[1] += end0 * line[0] + end1 * line[1] + end2 * line[2]
    k = columns - 2
    if 2 * k + 1 < n:
        out[2 * k + 1] += end2 * line[k - 1] + end1 * line[k] + end0 * line[k + 1]


@fast_kernel
def restrict_rows(fine: Array, coarse: Array, first: int, last: int) -> None:
    """Write rows ``first:last`` of the coarse grid: the transpose of the prolongation."""
    rows = fine.shape[0]
    line = np.empty(fine.shape[1], dtype=fine.dtype)
    for r in range(first, last):
        line[:] = 0
        for i in range(max(0, 2 * r - 3), min(rows, 2 * r + 4)):
            k, w0, w1, w2, w3 = _weights(i, coarse.shape[0])
            a = r - k
            w = w0 * _is(a, 0) + w1 * _is(a, 1) + w2 * _is(a, 2) + w3 * _is(a, 3)
            v = np.float32(w)
            if w != 0.0:
                for j in range(len(line)):
                    line[j] += v * fine[i, j]
        _restrict_line(line, coarse[r])


@fast_kernel
def _restrict_line(line: Array, out: Array) -> None:
    columns, n = len(out), len(line)
    out[:] = 0
    for k in range((n + 1) // 2):
        out[k] += line[2 * k]
    outer, inner = np.float32(-0.0625), np.float32(0.5625)
    for k in range(1, min(columns - 2, n // 2)):
        value = line[2 * k + 1]
        out[k - 1] += outer * value
        out[k] += inner * value
        out[k + 1] += inner * value
        out[k + 2] += outer * value
    end0, end1, end2 = np.float32(0.4375), np.float32(0.625), np.float32(-0.0625)
    out[0] += end0 * line[1]
    out[1] += end1 * line[1]
    out[2] += end2 * line[1]
    k = columns - 2
    if 2 * k + 1 < n:
        out[k - 1] += end2 * line[2 * k + 1]
        out[k] += end1 * line[2 * k + 1]
        out[k + 1] += end0 * line[2 * k + 1]
