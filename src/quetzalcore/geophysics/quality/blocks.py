"""Readings averaged over blocks of equal length along each line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.quality.geometry import Runs, distance_along_m
from quetzalcore.geophysics.survey import Bools, Floats, Survey

__all__ = ["LineBlocks", "average_blocks"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LineBlocks:
    """Consecutive blocks of all pieces of line, one after another; every array has shape (m,).

    Parameters
    ----------
    block_m : float
        Length of a block, metres.
    tmi_nt : (m,) float64
        Mean reading less the survey's median, nT; linear in between where a block has none.
    piece : (m,) intp
        Number of the piece of line.
    first_row : (m,) intp
        First row of the survey in the block, or after it where the block has none.
    """

    block_m: float
    tmi_nt: Floats
    piece: NDArray[np.intp]
    first_row: NDArray[np.intp]


def average_blocks(survey: Survey, pieces: Runs, *, usable: Bools, block_m: float) -> LineBlocks:
    """Average over blocks of ``block_m`` along every piece of line.

    Parameters
    ----------
    survey : Survey
    pieces : Runs
        Runs without gaps, from :func:`pieces_of`.
    usable : (n,) bool
        Rows whose reading counts: finite, and no spike. At least one.
    block_m : float
        Metres; at least the usual distance between stations, or most blocks are interpolated.
    """
    blocks = np.maximum(np.ceil(pieces.length_m / block_m).astype(np.intp), 1)
    start = np.append(0, np.cumsum(blocks))
    size = int(start[-1])
    within = (distance_along_m(survey, pieces) / block_m).astype(np.intp)
    block = np.repeat(start[:-1], pieces.stations)
    block += np.minimum(within, np.repeat(blocks - 1, pieces.stations))
    level = float(np.median(survey.tmi_nt[usable]))
    count = np.bincount(block[usable], minlength=size)
    total = np.bincount(block[usable], survey.tmi_nt[usable] - level, size)
    filled = np.flatnonzero(count)
    return LineBlocks(
        block_m=block_m,
        tmi_nt=np.interp(np.arange(size), filled, total[filled] / count[filled]),
        piece=np.repeat(np.arange(len(pieces)), blocks),
        first_row=np.searchsorted(block, np.arange(size)),
    )
