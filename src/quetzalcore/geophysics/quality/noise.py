"""Noise and spikes from the fourth difference along each line."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.quality.geometry import Runs
from quetzalcore.geophysics.survey import Bools, Floats

__all__ = ["fourth_difference_nt", "run_noise_nt", "spike_rows"]

SQRT_70 = 70.0**0.5  # the fourth difference of white noise has this many times its deviation
MAD_TO_SIGMA = 1.4826
_TAPS = np.array([1.0, -4.0, 6.0, -4.0, 1.0])
_BLOCK = 32  # stations over which the local roughness is judged
_ONE_SAMPLE_FIT, _TWO_SAMPLE_FIT = 0.9, 0.95
_STARTS = (-2, -1, 0, 1)  # where a two-sample spike may begin, from the largest difference


def fourth_difference_nt(values: Floats, runs: Runs) -> Floats:
    """Return ``v[i-2] - 4 v[i-1] + 6 v[i] - 4 v[i+1] + v[i+2]`` within each run, (n,).

    NaN for the two rows at each end of a run and wherever one of the five readings is NaN. Smooth
    geology all but vanishes in it; white noise of deviation s has deviation sqrt(70) s.
    """
    difference = np.full(len(values), np.nan)
    if len(values) >= len(_TAPS):
        v = values
        difference[2:-2] = v[:-4] + v[4:] + 6.0 * v[2:-2] - 4.0 * (v[1:-3] + v[3:-1])
    for shift in (0, 1):
        difference[np.minimum(runs.start + shift, len(values) - 1)] = np.nan
        difference[np.maximum(runs.stop - 1 - shift, 0)] = np.nan
    return difference


def run_noise_nt(difference_nt: Floats, runs: Runs) -> Floats:
    """Return the noise of each run, (k,) nT: the robust deviation of its fourth difference / sqrt(70).

    NaN where a run has no fourth difference. Readings that were rounded to q nT show at least
    0.29 q.
    """
    size = np.abs(difference_nt)
    noise = np.full(len(runs), np.nan)
    for i, (start, stop) in enumerate(zip(runs.start, runs.stop, strict=True)):
        known = size[start:stop]
        known = known[~np.isnan(known)]
        if len(known):
            noise[i] = np.median(known) * (MAD_TO_SIGMA / SQRT_70)
    return noise


def spike_rows(
    difference_nt: Floats, runs: Runs, *, threshold: float = 8.0, floor_nt: float = 0.5
) -> NDArray[np.intp]:
    """Find spikes one or two samples wide; returns their rows, increasing.

    A row is a candidate where the fourth difference exceeds ``threshold`` times its own local
    deviation (of the roughest of three neighbouring blocks of 32 rows, and at least the line's),
    which rises where geology is sharp. It is a spike only if the differences around it have
    the shape that one or two wrong samples make: an anomaly that spreads over more samples fails.

    Parameters
    ----------
    difference_nt : (n,) float64
        From :func:`fourth_difference_nt`.
    runs : Runs
        The runs that ``difference_nt`` was made with.
    threshold : float
        In local standard deviations of the difference.
    floor_nt : float
        Spikes smaller than this are left, nT.
    """
    size = np.nan_to_num(np.abs(difference_nt))
    noise = np.nan_to_num(run_noise_nt(difference_nt, runs)) * SQRT_70
    limit = threshold * np.maximum(_local_deviation(size), np.repeat(noise, runs.stations))
    found = np.flatnonzero((size > limit) & (size > 0.0))
    wrong: set[int] = set()
    for row in _peaks(size, found):
        wrong.update(_spike_at(difference_nt, int(row), floor_nt))
    return np.array(sorted(wrong), dtype=np.intp)


def _local_deviation(size: Floats) -> Floats:
    blocks = -(-len(size) // _BLOCK)
    padded = np.zeros(blocks * _BLOCK)
    padded[: len(size)] = size
    median = np.median(padded.reshape(blocks, _BLOCK), axis=1) * MAD_TO_SIGMA
    around = np.pad(median, 1, mode="edge")
    rough = np.maximum(np.maximum(around[:-2], around[1:-1]), around[2:])
    local: Floats = np.repeat(rough, _BLOCK)[: len(size)]
    return local


def _peaks(size: Floats, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Keep the rows that are the largest of three."""
    rows = rows[(rows > 0) & (rows < len(size) - 1)]
    top: Bools = (size[rows] >= size[rows - 1]) & (size[rows] >= size[rows + 1])
    return rows[top]


def _spike_at(difference_nt: Floats, row: int, floor_nt: float) -> tuple[int, ...]:
    """Return the rows of the spike whose largest difference is at ``row``; none if it is no spike."""
    amplitude, fit = _fit(difference_nt, row, 1)
    if fit >= _ONE_SAMPLE_FIT and abs(amplitude) >= floor_nt:
        return (row,)
    fits = [(_fit(difference_nt, row + shift, 2), row + shift) for shift in _STARTS]
    (amplitude, fit), start = max(fits, key=lambda item: item[0][1])
    step = max(_fit(difference_nt, row + shift, 0)[1] for shift in _STARTS)
    if fit >= max(_TWO_SAMPLE_FIT, step) and abs(amplitude) >= floor_nt:
        return (start, start + 1)
    return ()


def _fit(difference_nt: Floats, start: int, width: int) -> tuple[float, float]:
    """Fit wrong samples from ``start``: (largest amplitude, share explained); width 0 fits a step."""
    low, high = start - 2, start + (width + 2 if width else 4)
    if low < 0 or high > len(difference_nt):
        return 0.0, 0.0
    seen = difference_nt[low:high]
    if np.isnan(seen).any():
        return 0.0, 0.0
    shapes = _shapes(width)
    amplitudes, *_ = np.linalg.lstsq(shapes, seen, rcond=None)
    left = seen - shapes @ amplitudes
    return float(np.abs(amplitudes).max()), 1.0 - float(left @ left / (seen @ seen))


def _shapes(width: int) -> Floats:
    """Give the fourth differences of one or two wrong samples, or (0) of a step, in six rows at most."""
    if width == 0:
        return np.array([[0.0], [1.0], [-3.0], [3.0], [-1.0], [0.0]])
    shapes = np.zeros((len(_TAPS) + width - 1, width))
    for tap, column in product(range(len(_TAPS)), range(width)):
        shapes[tap + column, column] = _TAPS[tap]
    return shapes
