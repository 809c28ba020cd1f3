"""Ridge cells against the criterion written out plainly."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from quetzalcore.geophysics.depth.ridges import ridge_cells

pytestmark = pytest.mark.kernels


def _plainly(values: NDArray[np.float64], directions: int) -> NDArray[np.bool_]:
    """Count, along row, column and both diagonals, where a cell is above the two beside it."""
    rows, columns = values.shape
    marked = np.zeros(values.shape, dtype=np.bool_)
    for j in range(1, rows - 1):
        for i in range(1, columns - 1):
            pairs = [((0, -1), (0, 1)), ((-1, 0), (1, 0)), ((-1, -1), (1, 1)), ((-1, 1), (1, -1))]
            higher = [
                values[j, i] > values[j + a, i + b] and values[j, i] >= values[j + c, i + d]
                for (a, b), (c, d) in pairs
            ]
            marked[j, i] = sum(higher) >= directions
    return marked


@pytest.mark.parametrize("directions", [1, 2, 3, 4])
def test_ridges_are_those_of_the_plain_criterion(directions: int, rng: np.random.Generator) -> None:
    values = np.round(rng.standard_normal((30, 40)), 1)  # with ties
    values[10:12, 20] = np.nan
    np.testing.assert_array_equal(
        ridge_cells(values, directions=directions), _plainly(values, directions)
    )
