"""Where ties cross traverses, and by how much they disagree there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.quality.geometry import Runs, distance_along_m, gap_rows, runs_of
from quetzalcore.geophysics.quality.lines import LineKind, LineSummary
from quetzalcore.geophysics.quality.noise import MAD_TO_SIGMA
from quetzalcore.geophysics.survey import Bools, Floats, Survey
from quetzalcore.vgpu import kernel

__all__ = ["CrossoverStats", "Crossovers", "crossover_stats", "crossovers"]

_CHUNK = 64  # steps whose bounding box is tested at once
_FIRST_CAPACITY = 16_384
_GRADIENT_ROWS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crossovers:
    """Every place where a tie crosses a traverse; every array has shape (c,).

    Parameters
    ----------
    traverse, tie : (c,) intp
        Runs (in the order of the rows) that cross.
    traverse_along_m, tie_along_m : (c,) float64
        Distance from the start of each, metres.
    easting_m, northing_m : (c,) float64
        The place, metres.
    misfit_nt : (c,) float64
        Tie minus traverse, nT, each interpolated linearly between its rows.
    gradient_nt_m : (c,) float64
        Horizontal gradient from the two lines together, nT/m.
    height_difference_m : (c,) float64
        Tie minus traverse, metres; NaN where unknown.
    """

    traverse: NDArray[np.intp]
    tie: NDArray[np.intp]
    traverse_along_m: Floats
    tie_along_m: Floats
    easting_m: Floats
    northing_m: Floats
    misfit_nt: Floats
    gradient_nt_m: Floats
    height_difference_m: Floats

    def __len__(self) -> int:
        """Count the crossovers."""
        return len(self.misfit_nt)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossoverStats:
    """How far ties and traverses disagree.

    Parameters
    ----------
    count : int
        Crossovers.
    median_nt, median_abs_nt : float
        Median of tie minus traverse, and of its size, nT.
    spread_nt : float
        Robust standard deviation about the median (1.4826 MAD), nT.
    rms_nt : float
        Root mean square, nT: ruled by a few crossovers in steep gradients.
    """

    count: int
    median_nt: float
    median_abs_nt: float
    spread_nt: float
    rms_nt: float


def crossover_stats(misfit_nt: Floats) -> CrossoverStats:
    """Sum up misfits, (c,) nT without NaN; all NaN where there are none."""
    if not len(misfit_nt):
        nan = float("nan")
        return CrossoverStats(count=0, median_nt=nan, median_abs_nt=nan, spread_nt=nan, rms_nt=nan)
    median = float(np.median(misfit_nt))
    return CrossoverStats(
        count=len(misfit_nt),
        median_nt=median,
        median_abs_nt=float(np.median(np.abs(misfit_nt))),
        spread_nt=MAD_TO_SIGMA * float(np.median(np.abs(misfit_nt - median))),
        rms_nt=float(np.sqrt(np.mean(misfit_nt**2))),
    )


def crossovers(survey: Survey, lines: tuple[LineSummary, ...]) -> Crossovers:
    """Find every crossing of a tie with a traverse, exactly, as the lines were flown.

    Crossings inside a gap (a jump of over five usual steps) or beside a NaN reading are left out.
    Lines may bend and may cross more than once. Empty where there are no ties.
    """
    runs = runs_of(survey)
    broken = np.zeros(len(survey), dtype=bool)
    broken[gap_rows(survey, runs)] = True
    found = _find(survey, runs, broken, _of_kind(runs, lines))
    rows, shares = (found[:, 0].astype(np.intp), found[:, 1].astype(np.intp)), found[:, 2:]
    on_traverse, on_tie = (_between(survey.tmi_nt, rows[i], shares[:, i]) for i in (0, 1))
    known = ~np.isnan(on_tie - on_traverse)
    rows, shares = (rows[0][known], rows[1][known]), shares[known]
    along = distance_along_m(survey, runs)
    of_row = runs.of_rows()
    steep = [_gradient_nt_m(survey, runs, along, row, of_row[row]) for row in rows]
    height = survey.height_m if survey.height_m is not None else np.full(len(survey), np.nan)
    high = [_between(height, rows[i], shares[:, i]) for i in (0, 1)]
    return Crossovers(
        traverse=of_row[rows[0]],
        tie=of_row[rows[1]],
        traverse_along_m=_between(along, rows[0], shares[:, 0]),
        tie_along_m=_between(along, rows[1], shares[:, 1]),
        easting_m=_between(survey.easting_m, rows[0], shares[:, 0]),
        northing_m=_between(survey.northing_m, rows[0], shares[:, 0]),
        misfit_nt=(on_tie - on_traverse)[known],
        gradient_nt_m=np.hypot(steep[0], steep[1]),
        height_difference_m=high[1] - high[0],
    )


def _of_kind(runs: Runs, lines: tuple[LineSummary, ...]) -> tuple[Bools, Bools]:
    """Mark the runs that are traverses and those that are ties, (k,) each."""
    wanted = {kind: [line.index for line in lines if line.kind is kind] for kind in LineKind}
    return np.isin(runs.line, wanted[LineKind.TRAVERSE]), np.isin(runs.line, wanted[LineKind.TIE])


def _between(values: Floats, row: NDArray[np.intp], share: Floats) -> Floats:
    return values[row] * (1.0 - share) + values[row + 1] * share


def _gradient_nt_m(
    survey: Survey, runs: Runs, along: Floats, row: NDArray[np.intp], run: NDArray[np.intp]
) -> Floats:
    """Return the slope along the line over seven steps around each row, nT/m; 0 where unknown."""
    a = np.maximum(row - _GRADIENT_ROWS, runs.start[run])
    b = np.minimum(row + 1 + _GRADIENT_ROWS, runs.stop[run] - 1)
    slope = (survey.tmi_nt[b] - survey.tmi_nt[a]) / (along[b] - along[a])
    return np.nan_to_num(slope, posinf=0.0, neginf=0.0)


def _find(survey: Survey, runs: Runs, broken: Bools, kinds: tuple[Bools, Bools]) -> Floats:
    """Return (c, 4): row and share of the step on the traverse and on the tie, in columns 0 2, 1 3."""
    chunks = [_chunks(runs, kind) for kind in kinds]
    capacity = _FIRST_CAPACITY
    while True:
        out = np.empty((capacity, 4))
        count = _cross_chunks(
            survey.easting_m, survey.northing_m, broken, chunks[0], chunks[1], out
        )
        if count <= capacity:
            return out[:count]
        capacity = count


def _chunks(runs: Runs, wanted: Bools) -> NDArray[np.intp]:
    """Cut runs into pieces of 64 steps: (p, 2) first and last row, the last row shared."""
    pieces = [
        np.column_stack([first, np.minimum(first + _CHUNK, stop - 1)])
        for start, stop in zip(runs.start[wanted], runs.stop[wanted], strict=True)
        for first in [np.arange(start, max(stop - 1, start), _CHUNK)]
    ]
    return np.concatenate(pieces) if pieces else np.zeros((0, 2), dtype=np.intp)


@kernel
def _box(x: Floats, first: int, last: int) -> tuple[float, float]:
    low = high = x[first]
    for i in range(first + 1, last + 1):
        low = min(low, x[i])
        high = max(high, x[i])
    return low, high


@kernel
def _boxes(e: Floats, n: Floats, chunks: NDArray[np.intp]) -> Floats:
    boxes = np.empty((len(chunks), 4))
    for c in range(len(chunks)):
        boxes[c, 0], boxes[c, 1] = _box(e, chunks[c, 0], chunks[c, 1])
        boxes[c, 2], boxes[c, 3] = _box(n, chunks[c, 0], chunks[c, 1])
    return boxes


@kernel
def _cross_chunks(
    e: Floats,
    n: Floats,
    broken: Bools,
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    out: Floats,
) -> int:
    """Cross two sets of chunks; returns how many crossings there are, and writes those that fit."""
    a, b = _boxes(e, n, first), _boxes(e, n, second)
    count = 0
    for i in range(len(first)):
        for j in range(len(second)):
            apart_e = a[i, 0] > b[j, 1] or b[j, 0] > a[i, 1]
            apart_n = a[i, 2] > b[j, 3] or b[j, 2] > a[i, 3]
            if not (apart_e or apart_n):
                count = _cross_steps(e, n, broken, first[i], second[j], out, count)
    return count


@kernel
def _cross_steps(
    e: Floats,
    n: Floats,
    broken: Bools,
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    out: Floats,
    count: int,
) -> int:
    """Test every step of one chunk against every step of another (ends half open)."""
    for i in range(first[0], first[1]):
        re, rn = e[i + 1] - e[i], n[i + 1] - n[i]
        for j in range(second[0], second[1]):
            se, sn = e[j + 1] - e[j], n[j + 1] - n[j]
            area = re * sn - rn * se
            qe, qn = e[j] - e[i], n[j] - n[i]
            if area == 0.0 or broken[i] or broken[j]:
                continue
            t = (qe * sn - qn * se) / area
            u = (qe * rn - qn * re) / area
            if 0.0 <= t < 1.0 and 0.0 <= u < 1.0:
                if count < len(out):
                    out[count, 0] = i
                    out[count, 1] = j
                    out[count, 2] = t
                    out[count, 3] = u
                count += 1
    return count
