"""Signs of culture (fences, pipelines, buildings): flagged for the eye, never deleted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.quality.geometry import Runs
from quetzalcore.geophysics.quality.noise import MAD_TO_SIGMA
from quetzalcore.geophysics.survey import Floats, Survey

__all__ = ["CultureFlag", "CultureKind", "flag_culture"]

_BLOCK = 16  # rows: the longest burst is three blocks
_TIMES = 10.0  # rougher than the surroundings on both sides
_LEAST_NT = 2.0  # fourth differences smaller than this are rounding
_NEIGHBOURS = 3  # bursts that line up on at least this many lines are a linear feature
_AROUND = 6  # blocks on each side that tell the surroundings


class CultureKind(StrEnum):
    """What a burst of short wavelengths may be."""

    ISOLATED = "isolated"
    LINEAR = "linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class CultureFlag:
    """A burst of wavelengths shorter than its surroundings.

    Parameters
    ----------
    kind : CultureKind
        ``linear`` where neighbouring lines show the like in a row.
    line : str
        Name of the line.
    first_row, last_row : int
        Rows (from 0), inclusive.
    easting_m, northing_m : float
        Its middle, metres.
    roughness_nt : float
        Largest fourth difference in it, nT.
    """

    kind: CultureKind
    line: str
    first_row: int
    last_row: int
    easting_m: float
    northing_m: float
    roughness_nt: float


def flag_culture(
    survey: Survey, difference_nt: Floats, runs: Runs, *, line_spacing_m: float
) -> tuple[CultureFlag, ...]:
    """Flag short bursts in the fourth difference, and say which of them line up across lines.

    A block of 16 rows is a burst where its largest fourth difference is ten times the deviation of
    the blocks around it (and of the line). Sharp, shallow geology bursts too: a flag asks for a
    look at a map of roads and fences, no more. Bursts within 1.5 line spacings of one another on
    at least three lines are ``linear``.

    Parameters
    ----------
    survey, runs
        The survey and its runs.
    difference_nt : (n,) float64
        Fourth difference along lines, nT; NaN is ignored.
    line_spacing_m : float
        Distance between lines, metres; NaN: nothing is called linear.
    """
    first, last, rough = _bursts(difference_nt, runs)
    middle = (first + last) // 2
    xy = np.column_stack([survey.easting_m[middle], survey.northing_m[middle]])
    linear = _aligned(xy, survey.line[middle], 1.5 * line_spacing_m)
    return tuple(
        CultureFlag(
            kind=CultureKind.LINEAR if linear[i] else CultureKind.ISOLATED,
            line=survey.line_names[survey.line[middle[i]]],
            first_row=int(first[i]),
            last_row=int(last[i]),
            easting_m=float(xy[i, 0]),
            northing_m=float(xy[i, 1]),
            roughness_nt=float(rough[i]),
        )
        for i in range(len(middle))
    )


def _bursts(difference_nt: Floats, runs: Runs) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Return first row, last row and largest difference of every burst."""
    size = np.nan_to_num(np.abs(difference_nt))
    blocks = len(size) // _BLOCK
    table = size[: blocks * _BLOCK].reshape(blocks, _BLOCK)
    peak, usual = table.max(axis=1, initial=0.0), np.median(table, axis=1) * MAD_TO_SIGMA
    around = np.pad(usual, _AROUND, mode="edge")
    shifts = np.array([k for k in range(-_AROUND, _AROUND + 1) if abs(k) > 1]) + _AROUND
    beside = np.array([around[k : k + blocks] for k in shifts])
    level = np.maximum(np.median(beside, axis=0), _line_level(size, runs, blocks))
    burst = peak > np.maximum(_TIMES * level, _LEAST_NT)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], burst.astype(np.int8), [0]])))
    start, stop = edges[::2], edges[1::2]
    short = stop - start <= _NEIGHBOURS
    start, stop = start[short], stop[short]
    rough = np.array([peak[a:b].max() for a, b in zip(start, stop, strict=True)])
    return start * _BLOCK, stop * _BLOCK - 1, rough


def _line_level(size: Floats, runs: Runs, blocks: int) -> Floats:
    medians = np.array(
        [
            np.median(size[start:stop]) * MAD_TO_SIGMA
            for start, stop in zip(runs.start, runs.stop, strict=True)
        ]
    )
    rows = np.minimum(np.arange(blocks) * _BLOCK + _BLOCK // 2, len(size) - 1)
    level: Floats = medians[np.searchsorted(runs.stop, rows, side="right")]
    return level


def _aligned(xy: Floats, line: NDArray[np.int32], reach_m: float) -> NDArray[np.bool_]:
    """Tell which bursts belong to a chain over at least three lines, each within ``reach_m``."""
    from scipy.sparse import coo_array  # noqa: PLC0415 -- slow imports that only this needs
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415
    from scipy.spatial import cKDTree  # noqa: PLC0415

    if len(xy) < _NEIGHBOURS or not np.isfinite(reach_m):
        return np.zeros(len(xy), dtype=bool)
    pairs = cKDTree(xy).query_pairs(reach_m, output_type="ndarray")
    pairs = pairs[line[pairs[:, 0]] != line[pairs[:, 1]]]
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(xy), len(xy)))
    _, group = connected_components(graph, directed=False)
    distinct = np.unique(np.column_stack([group, line]), axis=0)[:, 0]
    lines_per_group = np.bincount(distinct, minlength=int(group.max()) + 1)
    chained: NDArray[np.bool_] = lines_per_group[group] >= _NEIGHBOURS
    return chained
