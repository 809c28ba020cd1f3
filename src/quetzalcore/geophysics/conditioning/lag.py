"""Shift of the readings along the line, for a sensor behind the antenna or a late clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.conditioning.neighbours import (
    SHARED_LINES,
    Neighbours,
    neighbours_of,
    ordered_traverses,
)
from quetzalcore.geophysics.conditioning.step import StepResult, measure
from quetzalcore.geophysics.quality.geometry import distance_along_m, pieces_of, runs_of
from quetzalcore.geophysics.quality.lines import LineSummary, classify_lines
from quetzalcore.geophysics.quality.noise import MAD_TO_SIGMA
from quetzalcore.geophysics.quality.profiles import Profiles
from quetzalcore.geophysics.survey import Floats, Survey
from quetzalcore.vgpu import kernel

Rows = NDArray[np.intp]

__all__ = ["LagEstimate", "correct_lag", "estimate_lag"]

_BINS_PER_SPACING = 10.0
_ROUNDS = 6
_FEWEST_LINES = 6
_MOST_ERROR = 0.1  # of the line spacing: a lag that is known worse than this is not known
_CLIP = 2.5
_REWEIGHTED = 4
_FLAT_NT_M = 1e-9  # slopes smaller than this are rounding
_INSIDE = 0.98  # of the weight of an average
_SIGNIFICANT = 3.0  # standard errors
_COHERENT = 0.3  # correlation of slopes with the neighbours' below which they show different things
_SETTLED = 0.01  # of the error
_CONTRAST = 0.5  # of 2: at least about one neighbour flew the other way
_TINY = 1e-30


@dataclass(frozen=True, slots=True, kw_only=True)
class LagEstimate:
    """How far readings lie ahead of their place.

    Parameters
    ----------
    lag_m, error_m : float
        Distance along the line and its standard error, metres.
    lines : int
        Traverses beside one that was flown the other way.
    """

    lag_m: float
    error_m: float
    lines: int


def correct_lag(
    survey: Survey,
    *,
    lag_s: float | None = None,
    lag_m: float | None = None,
    lines: tuple[LineSummary, ...] | None = None,
) -> StepResult:
    """Move the readings back along their line by a lag.

    A positive lag means that the reading in a row was made ``lag_m`` metres (or ``lag_s`` seconds)
    before the row's position was reached: the sensor trails the antenna, or its clock is late. Each row
    gets the reading recorded a lag later, by cubic interpolation within the line; the
    last rows of a line, for which none was recorded, become NaN and are counted.

    Parameters
    ----------
    lag_s, lag_m : float, optional
        Give one; without either the lag is estimated by :func:`estimate_lag`, and applied only where
        it exceeds three standard errors.
    lines : tuple of LineSummary, optional
        For the estimate.

    Raises
    ------
    BadParameter
        If both lags are given.
    BadSurvey
        If ``lag_s`` is given and the survey has no time, or the lag cannot be determined.
    """
    if lag_s is not None and lag_m is not None:
        raise BadParameter("lag_s and lag_m are both given", hint="give one of them")
    if lag_s is not None and survey.time_s is None:
        raise BadSurvey("a lag in seconds needs the survey's time", hint="give lag_m instead")
    details: dict[str, float | str | int] = {"source": "given"}
    warnings: tuple[str, ...] = ()
    if lag_s is None and lag_m is None:
        found = estimate_lag(survey, lines if lines is not None else classify_lines(survey))
        details = {"source": "opposite neighbours", "error_m": found.error_m, "lines": found.lines}
        lag_m = found.lag_m
        if abs(lag_m) <= _SIGNIFICANT * found.error_m:
            warnings = (
                (
                    f"the lag of {lag_m:.1f} +- {found.error_m:.1f} m does not differ from zero and "
                    "was not applied"
                ),
            )
            lag_m = 0.0
    return _shifted(survey, lag_s, lag_m, details, warnings)


def _shifted(
    survey: Survey,
    lag_s: float | None,
    lag_m: float | None,
    details: dict[str, float | str | int],
    warnings: tuple[str, ...],
) -> StepResult:
    pieces = pieces_of(survey, runs_of(survey))
    if lag_s is not None and survey.time_s is not None:
        place, lag, unit = survey.time_s, lag_s, "lag_s"
    else:
        place, lag, unit = distance_along_m(survey, pieces), lag_m or 0.0, "lag_m"
    tmi = survey.tmi_nt
    if lag != 0.0:
        tmi = np.empty(len(survey))
        _shift(place, survey.tmi_nt, pieces.start, pieces.stop, lag, tmi)
    lost = int((np.isnan(tmi) & ~np.isnan(survey.tmi_nt)).sum())
    if lost:
        warnings += (f"{lost} rows at the ends of lines have no reading after the shift",)
    facts = {**details, unit: lag, "rows_lost": lost}
    return measure("lag", survey, tmi_nt=tmi, details=facts, warnings=warnings)


@kernel
def _shift(place: Floats, values: Floats, start: Rows, stop: Rows, lag: float, out: Floats) -> None:
    """Write to each row what was read ``lag`` further on, by cubic (Lagrange) interpolation."""
    for piece in range(len(start)):
        j = start[piece]
        last = stop[piece] - 1
        for row in range(start[piece], stop[piece]):
            wanted = place[row] + lag
            while j < last - 1 and place[j + 1] <= wanted:
                j += 1
            if wanted < place[start[piece]] or wanted > place[last] or not last > start[piece]:
                out[row] = np.nan
                continue
            low, high = max(j - 1, start[piece]), min(j + 2, last)
            total = _lagrange(place, values, low, high, wanted)
            if np.isnan(total):
                total = _lagrange(place, values, j, j + 1, wanted)
            out[row] = total


@kernel
def _lagrange(place: Floats, values: Floats, low: int, high: int, wanted: float) -> float:
    total = 0.0
    for k in range(low, high + 1):
        term = values[k]
        for m in range(low, high + 1):
            if m != k:
                term *= (wanted - place[m]) / (place[k] - place[m])
        total += term
    return total


def estimate_lag(survey: Survey, lines: tuple[LineSummary, ...]) -> LagEstimate:
    """Estimate the lag from the zig-zag that it makes of features across opposite traverses.

    Each traverse is compared with its two neighbours, interpolated to its place, wherever at least
    one of them flew the other way: a lag of L metres moves features by L along each line's own
    direction, whatever the strike of the geology, which moves both neighbours evenly. L is the robust least-squares shift over all lines,
    iterated until no shift is left; its error comes from the scatter between lines.

    Raises
    ------
    BadSurvey
        If fewer than six traverses lie beside one of the opposite direction, or the shift
        is not known to a tenth of the line spacing, or neighbours show different geology.
    """
    _, spacing = ordered_traverses(survey, lines, bin_m=1e3)
    width = spacing / _BINS_PER_SPACING if np.isfinite(spacing) else 1e3
    profiles, _ = ordered_traverses(survey, lines, bin_m=width)
    beside = neighbours_of(profiles, spacing)
    told = np.abs(np.nan_to_num(beside.contrast(profiles))).max(axis=1, initial=0.0) > _CONTRAST
    if told.sum() < _FEWEST_LINES:
        raise BadSurvey(
            f"{told.sum()} traverses lie beside one of the opposite direction: the lag cannot be told",
            hint="give the lag, or skip the step",
        )
    if not _coherence(profiles, beside) > _COHERENT:
        raise BadSurvey(
            "neighbouring traverses have too little in common to tell the lag",
            hint="give the lag from a calibration flight, or skip the step",
        )
    lag_m, error_m = _solve_lag(profiles, beside)
    if not error_m < _MOST_ERROR * spacing:
        raise BadSurvey(
            f"opposite traverses fix the lag only to {error_m:.1f} m",
            hint="give the lag from a calibration flight, or skip the step",
        )
    return LagEstimate(lag_m=lag_m, error_m=error_m, lines=int(told.sum()))


def _coherence(profiles: Profiles, beside: Neighbours) -> float:
    """Return the correlation of each line's slope with its neighbours'; NaN where there is none."""
    slope = _slope(_smooth(profiles.tmi_nt), profiles.bin_m)
    told = beside.says(slope)
    both = np.isfinite(slope) & np.isfinite(told)
    a, b = slope[both], told[both]
    if not len(a) or min(a.std(), b.std()) <= _FLAT_NT_M:
        return float("nan")
    return float(np.mean((a - a.mean()) * (b - b.mean())) / (a.std() * b.std()))


def _solve_lag(profiles: Profiles, beside: Neighbours) -> tuple[float, float]:
    """Return the shift (metres) that leaves no zig-zag, and its standard error."""
    total, error = 0.0, np.inf
    way = np.where(profiles.forward, 1.0, -1.0)
    smooth = _smooth(profiles.tmi_nt)
    for _ in range(_ROUNDS):
        moved = _moved(smooth, way * total / profiles.bin_m)
        step, error = _zigzag(moved, beside, way, profiles.bin_m)
        total += step
        if abs(step) < _SETTLED * error:
            break
    return total, error


def _zigzag(moved_nt: Floats, beside: Neighbours, way: Floats, bin_m: float) -> tuple[float, float]:
    """Return the lag that is left in profiles already moved, and its standard error, metres."""
    ahead = way[:, None] * _slope(moved_nt, bin_m)  # what a metre of lag takes off, per line
    lever = beside.says(ahead) - ahead
    rest = moved_nt - beside.says(moved_nt)
    rows = np.isfinite(rest) & np.isfinite(lever)
    rows &= np.abs(way[:, None] - beside.says(way[:, None])) > _CONTRAST
    if not rows.any():
        return 0.0, np.inf
    count = np.maximum(rows.sum(axis=1, keepdims=True), 1)
    rest, lever = np.where(rows, rest, 0.0), np.where(rows, lever, 0.0)
    # a line's own level says nothing of the lag
    rest = np.where(rows, rest - rest.sum(axis=1, keepdims=True) / count, 0.0)
    lever = np.where(rows, lever - lever.sum(axis=1, keepdims=True) / count, 0.0)
    lag, weight = 0.0, np.ones(rest.shape)
    for _ in range(_REWEIGHTED):
        lag = float((weight * lever * rest).sum() / max((weight * lever**2).sum(), _TINY))
        off = np.abs(rest - lag * lever)
        scale = MAD_TO_SIGMA * float(np.median(off[rows]))
        weight = np.minimum(1.0, _CLIP * scale / np.maximum(off, _TINY))
    per_line = (weight * lever * (rest - lag * lever)).sum(axis=1)
    information = max(float((weight * lever**2).sum()), _TINY)
    return lag, SHARED_LINES * float(np.sqrt((per_line**2).sum()) / information)


def _smooth(values: Floats) -> Floats:
    """Average along the lines over a line spacing's worth of bins (Gaussian), keeping NaN.

    Bins near an end or a hole, where the average leans to one side, become NaN too.
    """
    from scipy.ndimage import gaussian_filter1d  # noqa: PLC0415 -- slow import

    known = np.isfinite(values)
    sigma = _BINS_PER_SPACING / 3.0
    total = gaussian_filter1d(np.where(known, values, 0.0), sigma, axis=1, mode="constant")
    weight = gaussian_filter1d(known.astype(np.float64), sigma, axis=1, mode="constant")
    return np.where(known & (weight > _INSIDE), total / np.maximum(weight, 1e-9), np.nan)


def _moved(values: Floats, bins: Floats) -> Floats:
    """Move each line by a number of bins (fractions too): out[x] = in[x + bins]."""
    column = np.arange(values.shape[1], dtype=np.float64)
    out = np.full(values.shape, np.nan)
    for i, line in enumerate(values):
        out[i] = np.interp(column + bins[i], column, line, left=np.nan, right=np.nan)
    return out


def _slope(values: Floats, bin_m: float) -> Floats:
    slope = np.full(values.shape, np.nan)
    slope[:, 1:-1] = (values[:, 2:] - values[:, :-2]) / (2.0 * bin_m)
    return slope
