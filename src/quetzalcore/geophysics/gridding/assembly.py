"""The same operator as a sparse matrix: solved directly on the coarsest grid, and in the tests."""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

from quetzalcore.geophysics.gridding.operator import Operator
from quetzalcore.geophysics.survey import Floats

__all__ = ["DirectSolver", "factorise", "sparse_matrix"]

SparseMatrix = Any  # SciPy's matrices have no types that mypy is shown
_RIDGE = 1e-7  # holds what no point holds (one line only): the matrix stays regular


class DirectSolver(Protocol):
    """A factored matrix."""

    def solve(self, right: Floats) -> Floats:
        """Return the solution for one right side, (n,)."""
        ...


def factorise(op: Operator, shape: tuple[int, int]) -> DirectSolver:
    """Factor A, with a ridge far below the energy's own weights."""
    ridge = _RIDGE * float(op.bend + op.slope)
    eye = scipy.sparse.identity(shape[0] * shape[1], format="csc")
    factor = scipy.sparse.linalg.splu(sparse_matrix(op, shape) + ridge * eye)
    return cast("DirectSolver", factor)


def sparse_matrix(op: Operator, shape: tuple[int, int]) -> SparseMatrix:
    """Assemble A."""
    bands = (op.bend_y, op.bend_x, op.slope_y, op.slope_x)
    ky, kx, ly, lx = (_band_matrix(band) for band in bands)
    iy, ix = scipy.sparse.identity(shape[0]), scipy.sparse.identity(shape[1])
    kron = scipy.sparse.kron
    bending = kron(ky, ix) + kron(iy, kx) + 2.0 * kron(ly, lx)
    membrane = kron(ly, ix) + kron(iy, lx)
    points = _interpolation_matrix(op, shape)
    misfit = points.T @ scipy.sparse.diags(op.trust.astype(np.float64)) @ points
    return (float(op.bend) * bending + float(op.slope) * membrane + misfit).tocsc()


def _band_matrix(band: NDArray[Any]) -> SparseMatrix:
    half, n = band.shape[1] // 2, len(band)
    offsets = range(-half, half + 1)
    wide = band.astype(np.float64)
    return scipy.sparse.diags(
        [wide[max(0, -k) : n - max(0, k), k + half] for k in offsets], offsets
    )


def _interpolation_matrix(op: Operator, shape: tuple[int, int]) -> SparseMatrix:
    rows = op.row[:, None].astype(np.int64) + np.arange(4)
    columns = op.column[:, None] + np.arange(4)
    nodes = rows[:, :, None] * shape[1] + columns[:, None, :]
    weights = op.weight_y[:, :, None].astype(np.float64) * op.weight_x[:, None, :]
    count = len(op.row)
    place = (np.repeat(np.arange(count), 16), nodes.ravel())
    return scipy.sparse.csr_matrix((weights.ravel(), place), shape=(count, shape[0] * shape[1]))
