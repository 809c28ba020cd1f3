"""How lines lie: runs of one line with heading and length, and axes along and across them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.survey import Floats, Ints, Survey

__all__ = [
    "Runs",
    "axis_difference_deg",
    "distance_along_m",
    "dominant_axis_deg",
    "gap_rows",
    "pieces_of",
    "rotate",
    "runs_of",
    "step_lengths_m",
]

_SMOOTH_DEG = 5  # half-width of the window that finds the busiest heading
_REFINE_DEG = 10.0
_GAP_STEPS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """The uninterrupted runs of one line, in the order of the rows; every array has shape (k,).

    Parameters
    ----------
    line : (k,) int32
        Index into the survey's ``line_names``.
    start, stop : (k,) intp
        Rows ``start:stop`` belong to the run.
    heading_deg : (k,) float64
        Direction from the first to the last row, clockwise from grid north, 0 to 360.
    length_m, chord_m : (k,) float64
        Distance along the path, and from its first to its last row.
    """

    line: Ints
    start: NDArray[np.intp]
    stop: NDArray[np.intp]
    heading_deg: Floats
    length_m: Floats
    chord_m: Floats

    def __len__(self) -> int:
        """Count the runs."""
        return len(self.line)

    @property
    def stations(self) -> NDArray[np.intp]:
        """Count the rows of each run, (k,)."""
        return self.stop - self.start

    def of_rows(self) -> NDArray[np.intp]:
        """Give the run of every row, (n,)."""
        return np.repeat(np.arange(len(self)), self.stations)


def runs_of(survey: Survey) -> Runs:
    """Find the runs of a survey, with headings and lengths in metres on the survey's axes."""
    return _runs_between(survey, np.flatnonzero(np.diff(survey.line)) + 1)


def pieces_of(survey: Survey, runs: Runs) -> Runs:
    """Break runs wherever two rows stand more than five usual steps of their run apart."""
    return _runs_between(survey, np.union1d(runs.start[1:], gap_rows(survey, runs) + 1))


def gap_rows(survey: Survey, runs: Runs) -> NDArray[np.intp]:
    """Return the rows after which a run jumps more than five of its own median steps."""
    step = step_lengths_m(survey.easting_m, survey.northing_m)
    usual = np.array(
        [
            np.median(step[start : stop - 1]) if stop - start > 1 else np.inf
            for start, stop in zip(runs.start, runs.stop, strict=True)
        ]
    )
    limit = np.repeat(_GAP_STEPS * usual, runs.stations)[:-1]
    limit[runs.stop[:-1] - 1] = np.inf
    return np.flatnonzero((step > limit) & (limit > 0.0))


def _runs_between(survey: Survey, edges: NDArray[np.intp]) -> Runs:
    n = len(survey)
    start = np.concatenate([[0], edges]).astype(np.intp) if n else np.zeros(0, dtype=np.intp)
    stop = np.append(start[1:], n).astype(np.intp) if n else start
    east = survey.easting_m[stop - 1] - survey.easting_m[start]
    north = survey.northing_m[stop - 1] - survey.northing_m[start]
    path = np.append(0.0, np.cumsum(step_lengths_m(survey.easting_m, survey.northing_m)))
    return Runs(
        line=survey.line[start],
        start=start,
        stop=stop,
        heading_deg=np.degrees(np.arctan2(east, north)) % 360.0,
        length_m=path[stop - 1] - path[start] if n else np.zeros(0),
        chord_m=np.hypot(east, north),
    )


def step_lengths_m(easting_m: Floats, northing_m: Floats) -> Floats:
    """Return the distance from each row to the next, (n - 1,) metres, across line ends too."""
    east, north = np.diff(easting_m), np.diff(northing_m)
    length: Floats = np.sqrt(east * east + north * north)
    return length


def distance_along_m(survey: Survey, runs: Runs) -> Floats:
    """Return the distance of every row from the start of its run along the path, (n,) metres."""
    path = np.append(0.0, np.cumsum(step_lengths_m(survey.easting_m, survey.northing_m)))
    along: Floats = path[: len(survey)] - np.repeat(path[runs.start], runs.stations)
    return along


def axis_difference_deg(first_deg: Floats | float, second_deg: Floats | float) -> Floats:
    """Return the angle between two undirected axes, 0 to 90 degrees."""
    turn = np.abs(np.asarray(first_deg) - np.asarray(second_deg)) % 180.0
    acute: Floats = np.minimum(turn, 180.0 - turn)
    return acute


def dominant_axis_deg(heading_deg: Floats, weight: Floats) -> float:
    """Return the busiest undirected heading, 0 to 180 degrees clockwise from north.

    Parameters
    ----------
    heading_deg : (k,) float64
        Headings; opposite ones count as one.
    weight : (k,) float64
        Weight of each, for example its length. Not all zero.
    """
    axis = heading_deg % 180.0
    counts = np.bincount(np.minimum(axis.astype(np.intp), 179), weight, 180)
    window = np.arange(-_SMOOTH_DEG, _SMOOTH_DEG + 1)
    smooth = counts[(np.arange(180)[:, None] + window) % 180].sum(axis=1)
    peak = float(np.argmax(smooth)) + 0.5
    near = np.where(axis_difference_deg(axis, peak) <= _REFINE_DEG, weight, 0.0)
    doubled = np.radians(2.0 * axis)
    mean = np.arctan2((near * np.sin(doubled)).sum(), (near * np.cos(doubled)).sum())
    return float(np.degrees(mean) / 2.0 % 180.0)


def rotate(easting_m: Floats, northing_m: Floats, *, axis_deg: float) -> tuple[Floats, Floats]:
    """Return coordinates (along, across) an axis, metres; across points to the right of along."""
    sine, cosine = np.sin(np.radians(axis_deg)), np.cos(np.radians(axis_deg))
    return easting_m * sine + northing_m * cosine, easting_m * cosine - northing_m * sine
