"""Cells on peaks and ridges of a grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quetzalcore.vgpu import for_slices, kernel

__all__ = ["ridge_cells"]

Reals = NDArray[Any]


def ridge_cells(values: Reals, *, directions: int = 2) -> NDArray[np.bool_]:
    """Mark cells that are above both neighbours along at least ``directions`` of four lines.

    Two of the four (row, column, two diagonals) find crests and peaks, four find peaks only. Cells
    on the rim are never marked, and along a line with a NaN a cell is not above.

    Parameters
    ----------
    values : (rows, columns) array
        Any quantity.
    directions : int
        1 (every bump) to 4 (peaks).

    Returns
    -------
    (rows, columns) bool

    References
    ----------
    Blakely, R. J. & Simpson, R. W. (1986), Geophysics 51, 1494-1498.
    """
    marked = np.zeros(values.shape, dtype=np.bool_)
    for_slices(values.shape[0], lambda a, b: _mark(values, marked, directions, a, b), min_slice=64)
    return marked


@kernel
def _mark(values: Reals, marked: NDArray[np.bool_], directions: int, start: int, stop: int) -> None:
    rows, columns = values.shape
    for j in range(max(1, start), min(stop, rows - 1)):
        for i in range(1, columns - 1):
            v = values[j, i]
            higher = 0
            if v > values[j, i - 1] and v >= values[j, i + 1]:
                higher += 1
            if v > values[j - 1, i] and v >= values[j + 1, i]:
                higher += 1
            if v > values[j - 1, i - 1] and v >= values[j + 1, i + 1]:
                higher += 1
            if v > values[j - 1, i + 1] and v >= values[j + 1, i - 1]:
                higher += 1
            marked[j, i] = higher >= directions
