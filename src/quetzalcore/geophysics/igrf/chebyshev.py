"""Chebyshev interpolation in four variables, shortened with the price of every dropped term known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

__all__ = ["Polynomial", "coefficients", "nodes", "shorten"]

Floats = NDArray[np.float64]
CHUNK = 4  # powers of the last variable that one pass of the evaluation takes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Polynomial:
    """Powers of four variables in [-1, 1].

    Parameters
    ----------
    powers : (a, b, c, 4 d) float64
        Coefficient of the powers, by axis; the last axis is padded with zeros to whole chunks of 4.
    chunks : (a, b, c) int64
        Chunks in use in each row; rows after the last non-zero one are not evaluated.
    dropped : float
        No value is changed by more through the dropped terms.
    rounding : float
        No value is changed by more through rounding in the evaluation.
    """

    powers: Floats
    chunks: NDArray[np.int64]
    dropped: float
    rounding: float

    @property
    def terms(self) -> int:
        """Count the coefficients that are evaluated."""
        return CHUNK * int(self.chunks.sum())


def nodes(count: int) -> Floats:
    """Return the roots of the Chebyshev polynomial of degree ``count``."""
    return np.cos(np.pi * (np.arange(count) + 0.5) / count)


def coefficients(values: Floats) -> Floats:
    """Turn values at the tensor of :func:`nodes` into Chebyshev coefficients of the same shape."""
    return _along_every_axis(values, _transform)


@cache
def _transform(count: int) -> Floats:
    """Return the matrix from values at ``count`` nodes to Chebyshev coefficients."""
    matrix = chebyshev.chebvander(nodes(count), count - 1).T * (2 / count)
    matrix[0] /= 2
    return np.asarray(matrix, dtype=np.float64)


def _along_every_axis(values: Floats, matrix: Callable[[int], Floats]) -> Floats:
    """Multiply every axis by its matrix; both matrices are 1 for an axis of one."""
    result = values
    for axis, count in enumerate(values.shape):
        if count > 1:
            product = np.tensordot(matrix(count), result, axes=(1, axis))
            result = np.moveaxis(product, 0, axis)
    return result


def shorten(series: Floats, budget: float) -> Polynomial:
    """Drop the smallest coefficients while their absolute sum is at most ``budget``.

    A Chebyshev polynomial never exceeds 1, so the sum bounds what is lost. The rest is written in
    powers, which cost half as much to evaluate; at these degrees that is safe, and the bound on its
    rounding is computed, not assumed.
    """
    order = np.argsort(np.abs(series), axis=None)
    sums = np.cumsum(np.abs(series).ravel()[order])
    count = int(np.searchsorted(sums, budget, side="right"))
    kept = series.copy().ravel()
    kept[order[:count]] = 0.0
    powers = _along_every_axis(_trimmed(kept.reshape(series.shape)), _power_matrix)
    operations = 2 * sum(powers.shape) + 8
    eps = float(np.finfo(np.float64).eps)
    return Polynomial(
        powers=_padded(powers),
        chunks=_chunks(powers),
        dropped=float(sums[count - 1]) if count else 0.0,
        rounding=operations * eps * float(np.abs(powers).sum()),
    )


def _trimmed(series: Floats) -> Floats:
    """Cut off the trailing zeros of every axis; one coefficient always stays."""
    used = np.argwhere(series != 0)
    last = used.max(axis=0) + 1 if used.size else np.ones(series.ndim, dtype=np.intp)
    return series[tuple(slice(0, int(end)) for end in last)]


@cache
def _power_matrix(count: int) -> Floats:
    """Return the powers (rows) of the first ``count`` Chebyshev polynomials (columns)."""
    matrix = np.zeros((count, count))
    for degree in range(count):
        row = chebyshev.cheb2poly(np.eye(count)[degree])
        matrix[: len(row), degree] = row
    return matrix


def _padded(powers: Floats) -> Floats:
    width = CHUNK * math.ceil(powers.shape[-1] / CHUNK)
    padded = np.zeros((*powers.shape[:-1], width))
    padded[..., : powers.shape[-1]] = powers
    return padded


def _chunks(powers: Floats) -> NDArray[np.int64]:
    """Count the chunks up to the last non-zero power of each row."""
    used = powers != 0
    length = np.where(used.any(axis=-1), powers.shape[-1] - used[..., ::-1].argmax(axis=-1), 0)
    return -(-length // CHUNK).astype(np.int64)
