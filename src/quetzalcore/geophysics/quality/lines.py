"""Which lines are traverses and which are ties."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from quetzalcore.geophysics.quality.geometry import (
    Runs,
    axis_difference_deg,
    dominant_axis_deg,
    pieces_of,
    runs_of,
)
from quetzalcore.geophysics.quality.noise import fourth_difference_nt, run_noise_nt
from quetzalcore.geophysics.survey import Bools, Floats, Survey

__all__ = ["LineKind", "LineSummary", "classify_lines"]

_STRAIGHT = 0.8  # chord over path: below it a run is a turn, a loop or a wander
_ALONG_DEG, _ACROSS_DEG = 30.0, 60.0
_DENSER = 1.5  # a tie is crossed this many times as densely as the lines that it crosses
_BLOCK_SHARE = 0.05  # of all line length: less than this in a direction of its own is no block
_SHORT = 0.3  # of the median traverse: a crosswise run that crosses nothing and is shorter


class LineKind(StrEnum):
    """What a line is for."""

    TRAVERSE = "traverse"
    TIE = "tie"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSummary:
    """One line at a glance.

    Parameters
    ----------
    index : int
        Index into the survey's ``line_names``.
    name : str
        The file's name of the line.
    kind : LineKind
        Traverse, tie, or other (turns, ferries, loops).
    heading_deg : float
        Direction of flight, clockwise from grid north, 0 to 360.
    length_m : float
        Length along the path, metres.
    stations : int
        Rows.
    noise_nt : float
        Normalised fourth difference, nT; NaN where the line has fewer than five readings in a row.
    """

    index: int
    name: str
    kind: LineKind
    heading_deg: float
    length_m: float
    stations: int
    noise_nt: float


def classify_lines(survey: Survey) -> tuple[LineSummary, ...]:
    """Tell traverses from ties, one summary for every run of a line, in the order of the rows.

    The busiest heading (by length) and its perpendicular make two families. Where lines of the two
    cross, the one that is crossed much more densely than those it crosses is the tie: ties are few
    and far apart, so each is cut by many traverses. Blocks with another heading are judged on
    their own. Runs that bend, or lie askew and are few, are ``other``. NaN readings do not matter.
    """
    runs = runs_of(survey)
    kinds = _kinds(survey, runs)
    noise = run_noise_nt(fourth_difference_nt(survey.tmi_nt, pieces_of(survey, runs)), runs)
    return tuple(
        LineSummary(
            index=int(runs.line[i]),
            name=survey.line_names[runs.line[i]],
            kind=kinds[i],
            heading_deg=float(runs.heading_deg[i]),
            length_m=float(runs.length_m[i]),
            stations=int(runs.stations[i]),
            noise_nt=float(noise[i]),
        )
        for i in range(len(runs))
    )


def _kinds(survey: Survey, runs: Runs) -> list[LineKind]:
    kinds = [LineKind.OTHER] * len(runs)
    left = (runs.chord_m > _STRAIGHT * runs.length_m) & (runs.stations >= 2)  # noqa: PLR2004 -- two ends
    total_m = runs.length_m[left].sum()
    while left.any():
        axis = dominant_axis_deg(runs.heading_deg[left], runs.length_m[left])
        tilt = axis_difference_deg(runs.heading_deg, axis)
        main, cross = left & (tilt <= _ALONG_DEG), left & (tilt >= _ACROSS_DEG)
        if runs.length_m[main | cross].sum() < _BLOCK_SHARE * total_m:
            break
        for i, kind in _judge(survey, runs, main=main, cross=cross).items():
            kinds[i] = kind
        left &= ~(main | cross)
    return kinds


def _judge(survey: Survey, runs: Runs, *, main: Bools, cross: Bools) -> dict[int, LineKind]:
    """Judge two families of lines, (k,) bool each, by how densely each line is crossed."""
    a, b = np.flatnonzero(main), np.flatnonzero(cross)
    chords = _chords(survey, runs)
    share_a, share_b = _chords_meet(chords[a], chords[b]), _chords_meet(chords[b], chords[a])
    meets = ~np.isnan(share_a)
    count_a, count_b = meets.sum(axis=1), meets.sum(axis=0)
    dense_a = _crossings_per_m(share_a, runs.chord_m[a])
    dense_b = _crossings_per_m(share_b, runs.chord_m[b])
    other_a = meets @ dense_b / np.maximum(count_a, 1)
    other_b = dense_a @ meets / np.maximum(count_b, 1)
    kinds = {
        int(i): LineKind.TIE if dense > _DENSER * other else LineKind.TRAVERSE
        for i, dense, other in zip(a, dense_a, other_a, strict=True)
    }
    usual_m = float(np.median(runs.length_m[a]))
    for i, dense, other, count in zip(b, dense_b, other_b, count_b, strict=True):
        if count == 0:
            alone = runs.length_m[i] < _SHORT * usual_m
            kinds[int(i)] = LineKind.OTHER if alone else LineKind.TRAVERSE
        else:
            tie = count == 1 or dense > _DENSER * other
            kinds[int(i)] = LineKind.TIE if tie else LineKind.TRAVERSE
    return kinds


def _chords(survey: Survey, runs: Runs) -> Floats:
    """Return the ends of each run, (k, 2, 2): first or last, easting or northing."""
    xy = np.column_stack([survey.easting_m, survey.northing_m])
    return np.stack([xy[runs.start], xy[runs.stop - 1]], axis=1)


def _crossings_per_m(share: Floats, chord_m: Floats) -> Floats:
    """Return how densely lines are crossed between their first and last crossing, (a,); else 0."""
    known = ~np.isnan(share)
    first = np.where(known, share, np.inf).min(axis=1, initial=np.inf)
    last = np.where(known, share, -np.inf).max(axis=1, initial=-np.inf)
    span = np.where(known.sum(axis=1) > 1, (last - first) * chord_m, np.inf)
    dense: Floats = np.where(span > 0.0, known.sum(axis=1) - 1, 0) / np.where(span > 0.0, span, 1.0)
    return np.maximum(dense, 0.0)


def _chords_meet(first: Floats, second: Floats) -> Floats:
    """Tell where straight pieces (a, 2, 2) are crossed by (b, 2, 2), as a share of the first, (a, b).

    NaN where they are not.
    """
    p, r = first[:, None, 0], first[:, None, 1] - first[:, None, 0]
    q, s = second[None, :, 0], second[None, :, 1] - second[None, :, 0]
    cross = _cross(r, s)
    safe = np.where(cross == 0.0, np.inf, cross)
    along = _cross(q - p, s) / safe
    across = _cross(q - p, r) / safe
    inside = (along >= 0.0) & (along <= 1.0) & (across >= 0.0) & (across <= 1.0)
    return np.where(inside & (cross != 0.0), along, np.nan)


def _cross(first: Floats, second: Floats) -> Floats:
    product: Floats = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return product
