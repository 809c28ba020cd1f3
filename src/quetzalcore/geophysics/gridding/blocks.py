"""Block-median decimation: one robust value for every cell that holds data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quetzalcore.geophysics.survey import Floats, Ints
from quetzalcore.vgpu import for_slices, kernel

__all__ = ["BlockMedian", "block_median"]

_NO_WEIGHTS = np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockMedian:
    """One row a cell that holds data, in the order of the cells (south to north, west to east).

    Parameters
    ----------
    easting_m, northing_m : (k,) float64
        Mean position of the cell's points, metres.
    values : (k,) float64
        Median of the cell's values, in their unit.
    count : (k,) int32
        Points in the cell.
    weight : (k,) float64
        Sum of the points' weights (their count where none were given).
    row, column : (k,) int32
        The cell's node on the northing and easting axes.
    """

    easting_m: Floats
    northing_m: Floats
    values: Floats
    count: Ints
    weight: Floats
    row: Ints
    column: Ints


def block_median(
    easting_m: Floats,
    northing_m: Floats,
    values: Floats,
    *,
    easting_axis_m: Floats,
    northing_axis_m: Floats,
    weights: Floats | None = None,
) -> BlockMedian:
    """Reduce points to the median value and mean position of each cell.

    Cells are centred on nodes, and a cell's western and southern edges belong to it. Points outside
    the outermost cells, values that are NaN, and weights that are not positive are left out.

    Parameters
    ----------
    easting_m, northing_m : (n,) float64
        Positions, metres.
    values : (n,) float64
        Any quantity. With an even count, the median is the mean of the two in the middle.
    easting_axis_m, northing_axis_m : (m,), (k,) float64
        Even axes, as :func:`grid_axes` makes them, metres.
    weights : (n,) float64, optional
        Relative trust in each value. Positions become weighted means; the median is the value at
        which half of the cell's weight is reached.

    Returns
    -------
    BlockMedian
    """
    shape = (len(northing_axis_m), len(easting_axis_m))
    cells = _cells(easting_m, northing_m, values, easting_axis_m, northing_axis_m, weights)
    order, start = _sort_by_cell(cells, shape[0] * shape[1])
    filled = np.flatnonzero(np.diff(start)).astype(np.int32)
    out = np.empty((4, len(filled)))
    trust = _NO_WEIGHTS if weights is None else np.ascontiguousarray(weights, dtype=np.float64)

    def reduce(first: int, last: int) -> None:
        _reduce_blocks(
            filled, start, order, easting_m, northing_m, values, trust, out, first, last
        )  # fmt: skip

    for_slices(len(filled), reduce, min_slice=4096)
    return BlockMedian(
        easting_m=out[0],
        northing_m=out[1],
        values=out[2],
        count=np.diff(start)[filled],
        weight=out[3],
        row=filled // np.int32(shape[1]),
        column=filled % np.int32(shape[1]),
    )


def _cells(
    easting_m: Floats,
    northing_m: Floats,
    values: Floats,
    easting_axis_m: Floats,
    northing_axis_m: Floats,
    weights: Floats | None,
) -> Ints:
    """Return the cell number of each point; -1 where the point is left out."""
    cells = np.empty(len(values), dtype=np.int32)
    grid = np.array(
        [
            easting_axis_m[0],
            (easting_axis_m[-1] - easting_axis_m[0]) / (len(easting_axis_m) - 1),
            northing_axis_m[0],
            (northing_axis_m[-1] - northing_axis_m[0]) / (len(northing_axis_m) - 1),
        ]
    )
    shape = (len(northing_axis_m), len(easting_axis_m))
    for_slices(
        len(values),
        lambda a, b: _number_cells(easting_m, northing_m, values, grid, shape, cells, a, b),
        min_slice=65536,
    )
    if weights is not None:
        cells[~(weights > 0)] = -1
    return cells


@kernel
def _number_cells(
    easting_m: Floats,
    northing_m: Floats,
    values: Floats,
    grid: Floats,
    shape: tuple[int, int],
    cells: Ints,
    first: int,
    last: int,
) -> None:
    for i in range(first, last):
        x = np.floor((easting_m[i] - grid[0]) / grid[1] + 0.5)
        y = np.floor((northing_m[i] - grid[2]) / grid[3] + 0.5)
        inside = 0 <= x < shape[1] and 0 <= y < shape[0]
        if inside and np.isfinite(values[i]):
            cells[i] = np.int32(y) * shape[1] + np.int32(x)
        else:
            cells[i] = -1


@kernel
def _sort_by_cell(cells: Ints, count: int) -> tuple[Ints, Ints]:
    """Sort by counting: cell c holds the points ``order[start[c] : start[c + 1]]``, in their order."""
    start = np.zeros(count + 1, dtype=np.int32)
    for i in range(len(cells)):
        if cells[i] >= 0:
            start[cells[i] + 1] += 1
    for c in range(count):
        start[c + 1] += start[c]
    cursor = start[:-1].copy()
    order = np.empty(start[count], dtype=np.int32)
    for i in range(len(cells)):
        c = cells[i]
        if c >= 0:
            order[cursor[c]] = i
            cursor[c] += 1
    return order, start


@kernel
def _reduce_blocks(
    filled: Ints,
    start: Ints,
    order: Ints,
    easting_m: Floats,
    northing_m: Floats,
    values: Floats,
    weights: Floats,
    out: Floats,
    first: int,
    last: int,
) -> None:
    """Write easting, northing, median and weight of the cells ``filled[first:last]``."""
    for k in range(first, last):
        members = order[start[filled[k]] : start[filled[k] + 1]]
        n = len(members)
        x, y, total = 0.0, 0.0, 0.0
        for i in members:
            w = weights[i] if len(weights) else 1.0
            x += w * easting_m[i]
            y += w * northing_m[i]
            total += w
        out[0, k], out[1, k], out[3, k] = x / total, y / total, total
        block, trust = values[members], np.ones(n)
        for m in range(n):
            if len(weights):
                trust[m] = weights[members[m]]
        _sort_together(block, trust)
        if len(weights):
            out[2, k] = _weighted_median(block, trust, total)
        else:
            out[2, k] = 0.5 * (block[(n - 1) // 2] + block[n // 2])


@kernel
def _sort_together(block: Floats, trust: Floats) -> None:
    """Sort by Shell's gaps: blocks are small, and NumPy's own sorts take seconds to compile."""
    gap = 1
    while gap < len(block) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, len(block)):
            value, weight = block[i], trust[i]
            k = i
            while k >= gap and block[k - gap] > value:
                block[k], trust[k] = block[k - gap], trust[k - gap]
                k -= gap
            block[k], trust[k] = value, weight
        gap //= 3


@kernel
def _weighted_median(block: Floats, weights: Floats, total: float) -> float:
    """Return the sorted value at which half of the weight is reached (the mean of two at a tie)."""
    last = len(block) - 1
    k, reached = 0, weights[0]
    while k < last and reached < 0.5 * total:
        k += 1
        reached += weights[k]
    beside = block[k + 1] if k < last and reached == 0.5 * total else block[k]
    return float(0.5 * (block[k] + beside))
