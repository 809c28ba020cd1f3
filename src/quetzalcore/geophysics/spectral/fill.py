"""Fill what is missing in a grid by a membrane that is periodic over the grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quetzalcore.vgpu import for_slices, kernel

__all__ = ["continue_slopes", "fill_periodic"]

Reals = NDArray[Any]
Bools = NDArray[np.bool_]
_SWEEPS = 4  # red-black pairs on the finest grid; twice as many on each coarser one, which is cheap
_MOST_SWEEPS = 64
_COARSEST = 4
_OVERRELAXATION = 1.3
_STRIP_CELLS = 10  # more of the odd mirror image only adds amplitude outside


def fill_periodic(values: Reals, *, sweeps: int = _SWEEPS) -> None:
    """Replace every NaN of an array in place by a solution of Laplace's equation.

    Known cells stay as they are to the last bit. The array is a torus: what is missing at one edge
    is filled with regard to the opposite one. Solved by a cascade of grids, coarsest first: each
    gives the next its start, on which a few over-relaxed red-black sweeps remove what is rough.

    Parameters
    ----------
    values : (n, m) float32 or float64
        NaN means missing; at least one value must be known.
    sweeps : int
        Relaxations of the finest grid.
    """
    missing = np.isnan(values)
    if not missing.any():
        return
    if min(values.shape) > _COARSEST:
        coarse = _coarser(values)
        fill_periodic(coarse, sweeps=min(2 * sweeps, _MOST_SWEEPS))
        _interpolate(coarse, values, missing)
    else:
        values[missing] = np.nanmean(values)
    _relax(values, missing, sweeps)


def continue_slopes(padded: Reals, corner: tuple[int, int], shape: tuple[int, ...]) -> None:
    """Let a grid's slopes run on a few cells into the padding around it, in place.

    A membrane meets the grid's edge with a kink, which rings in derivatives. Within ten cells of
    each edge it is blended into the grid's odd mirror image (twice the edge less the mirrored
    value), which has none; the weight falls from 1 at the edge to 0 as a cosine.

    Parameters
    ----------
    padded : (n, m) array
        Filled everywhere.
    corner, shape : tuple of int
        The first row and column of the grid inside, and its size.
    """
    for values, first, inner in (
        (padded, corner[0], shape[0]),
        (padded.T, corner[1], shape[1]),
    ):
        size = values.shape[0]
        reach = min(_STRIP_CELLS, (size - inner) // 2, inner - 1)
        step = np.arange(1, reach + 1)
        weight = 0.5 * (1.0 + np.cos(np.pi * step / (reach + 1.0)))
        fade = weight.astype(values.dtype)[:, None]
        for edge, outward in ((first, -1), (first + inner - 1, 1)):
            strip = (edge + outward * step) % size
            mirror = 2 * values[edge] - values[edge - outward * step]
            values[strip] += fade * (mirror - values[strip])


def _relax(values: Reals, missing: Bools, sweeps: int) -> None:
    rows = values.shape[0]
    weight = values.dtype.type(_OVERRELAXATION)
    for _ in range(sweeps):
        for colour in (0, 1):

            def sweep(start: int, stop: int, colour: int = colour) -> None:
                _sweep(values, missing, colour, weight, start, stop)

            # the last row apart: on a torus with an odd count it touches its own colour in row 0,
            # and the result must not depend on who comes first
            for_slices(rows - 1, sweep, min_slice=256)
            sweep(rows - 1, rows)


def _coarser(values: Reals) -> Reals:
    """Halve the grid by the mean of the known cells."""
    coarse = np.empty(((values.shape[0] + 1) // 2, (values.shape[1] + 1) // 2), values.dtype)
    for_slices(coarse.shape[0], lambda a, b: _restrict(values, coarse, a, b), min_slice=128)
    return coarse


def _interpolate(coarse: Reals, values: Reals, missing: Bools) -> None:
    for_slices(values.shape[0], lambda a, b: _prolong(coarse, values, missing, a, b), min_slice=256)


@kernel
def _restrict(fine: Reals, coarse: Reals, start: int, stop: int) -> None:
    rows, columns = fine.shape
    for j in range(start, stop):
        for i in range(coarse.shape[1]):
            total = 0.0
            count = 0
            for y in range(2 * j, min(2 * j + 2, rows)):
                for x in range(2 * i, min(2 * i + 2, columns)):
                    if not np.isnan(fine[y, x]):
                        total += fine[y, x]
                        count += 1
            coarse[j, i] = total / count if count else np.nan


@kernel
def _prolong(coarse: Reals, fine: Reals, missing: Bools, start: int, stop: int) -> None:
    """Interpolate bilinearly between the centres of coarse cells, around the torus."""
    rows, columns = coarse.shape
    for j in range(start, stop):
        near_j = j // 2
        far_j = (near_j + (1 if j % 2 else -1)) % rows
        for i in range(fine.shape[1]):
            if missing[j, i]:
                near_i = i // 2
                far_i = (near_i + (1 if i % 2 else -1)) % columns
                near = 0.75 * coarse[near_j, near_i] + 0.25 * coarse[near_j, far_i]
                far = 0.75 * coarse[far_j, near_i] + 0.25 * coarse[far_j, far_i]
                fine[j, i] = 0.75 * near + 0.25 * far


@kernel
def _sweep(
    values: Reals, missing: Bools, colour: int, weight: float, start: int, stop: int
) -> None:
    rows, columns = values.shape
    for j in range(start, stop):
        up = j + 1 if j + 1 < rows else 0
        down = j - 1 if j > 0 else rows - 1
        for i in range((j + colour) % 2, columns, 2):
            if missing[j, i]:
                right = i + 1 if i + 1 < columns else 0
                left = i - 1 if i > 0 else columns - 1
                mean = (values[up, i] + values[down, i] + values[j, right] + values[j, left]) * 0.25
                values[j, i] += weight * (mean - values[j, i])
