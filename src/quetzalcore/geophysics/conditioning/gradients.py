"""Measured gradients: cleaned, checked against the total field, and made ready for gridding."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.conditioning.neighbours import ordered_traverses, traverse_runs
from quetzalcore.geophysics.conditioning.spikes import despiked
from quetzalcore.geophysics.quality.geometry import (
    Runs,
    distance_along_m,
    pieces_of,
    rotate,
    runs_of,
)
from quetzalcore.geophysics.quality.lines import LineSummary
from quetzalcore.geophysics.quality.noise import MAD_TO_SIGMA
from quetzalcore.geophysics.quality.spacing import line_spacing_m
from quetzalcore.geophysics.survey import Floats, Survey

__all__ = ["GradientKind", "GradientResult", "pseudo_lines", "use_gradients"]

_LEAST_NT_M = 1e-4  # spikes smaller than this are left


class GradientKind(StrEnum):
    """Which way a gradient is measured."""

    LONGITUDINAL = "longitudinal"
    TRANSVERSE = "transverse"
    VERTICAL = "vertical"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientResult:
    """A conditioned gradient channel and how it compares with the total field's own differences.

    Parameters
    ----------
    kind : GradientKind
        Longitudinal: positive where the field rises in the direction of flight. Transverse: positive
        where it rises to starboard. Vertical: positive where it rises downward.
    gradient_nt_m : (n,) float64
        Without spikes and without each line's base level, nT/m.
    spikes : int
        Rows that were replaced.
    base_nt_m : float
        Median size of the base levels that were removed, nT/m.
    correlation, scale : float
        Against the difference of the total field along the line or between lines; NaN for
        vertical gradients, and where nothing can be compared. ``scale`` is measured over expected.
    warnings : tuple of str
        What to distrust.
    """

    kind: GradientKind
    gradient_nt_m: Floats
    spikes: int
    base_nt_m: float
    correlation: float
    scale: float
    warnings: tuple[str, ...]


def use_gradients(
    survey: Survey,
    lines: tuple[LineSummary, ...],
    *,
    channel: str,
    kind: GradientKind,
    threshold: float = 8.0,
) -> GradientResult:
    """Condition a measured gradient and compare it with the total field.

    Spikes go as in :func:`despike`. The base level of a line (sensors a metre apart differ by a constant
    that changes with heading) is its median, less the median of what the total field itself shows
    there where that is known (along the line; between lines for transverse gradients).

    Parameters
    ----------
    channel : str
        Name in ``survey.channels``, nT/m.
    kind : GradientKind
        Which way it was measured.

    Raises
    ------
    BadSurvey
        If the channel is missing or has no reading.
    """
    if channel not in survey.channels or not np.isfinite(survey.channels[channel]).any():
        raise BadSurvey(
            f"the survey has no gradient channel {channel} with readings",
            hint=f"choose one of: {', '.join(survey.channels) or 'none there'}",
        )
    clean, rows = despiked(
        survey, survey.channels[channel], threshold=threshold, floor_nt=_LEAST_NT_M
    )
    runs = runs_of(survey)
    expected = _expected(survey, lines, runs, kind)
    base = _base_levels(clean, expected, runs)
    gradient = clean - np.repeat(base, runs.stations)
    correlation, scale = _compare(gradient, expected)
    said: tuple[str, ...] = ()
    if np.isfinite(correlation) and correlation < 0.0:
        said = (f"gradient {channel} runs against the total field: check its sign",)
    return GradientResult(
        kind=kind,
        gradient_nt_m=gradient,
        spikes=len(rows),
        base_nt_m=float(np.median(np.abs(base))),
        correlation=correlation,
        scale=scale,
        warnings=said,
    )


def pseudo_lines(
    survey: Survey, transverse_nt_m: Floats, *, offset_m: float
) -> tuple[Floats, Floats, Floats]:
    """Return extra values on both sides of every line, for the gridder.

    At ``offset_m`` to starboard the field is about the reading plus offset times the transverse gradient, to
    port minus it: first order, so keep the offset to a quarter of the line spacing or less and to
    less than the source depth. Rows without a reading or gradient give none.

    Parameters
    ----------
    transverse_nt_m : (n,) float64
        Positive to starboard, nT/m; from :func:`use_gradients`.
    offset_m : float
        Distance from the line, metres, positive.

    Returns
    -------
    easting_m, northing_m, tmi_nt : (k,) float64
        Port values first, then starboard; the lines' own readings are not among them.
    """
    if offset_m <= 0.0:
        raise BadParameter(f"the offset is {offset_m:g} m", hint="give a positive distance")
    runs = runs_of(survey)
    heading = np.repeat(np.radians(runs.heading_deg), runs.stations)
    right_e, right_n = np.cos(heading), -np.sin(heading)
    known = np.isfinite(survey.tmi_nt) & np.isfinite(transverse_nt_m)
    parts = [
        (
            (survey.easting_m + side * offset_m * right_e)[known],
            (survey.northing_m + side * offset_m * right_n)[known],
            (survey.tmi_nt + side * offset_m * transverse_nt_m)[known],
        )
        for side in (-1.0, 1.0)
    ]
    return (
        np.concatenate([parts[0][0], parts[1][0]]),
        np.concatenate([parts[0][1], parts[1][1]]),
        np.concatenate([parts[0][2], parts[1][2]]),
    )


def _expected(
    survey: Survey, lines: tuple[LineSummary, ...], runs: Runs, kind: GradientKind
) -> Floats:
    """Return what the total field says the gradient is, (n,) nT/m; NaN where it says nothing."""
    if kind is GradientKind.LONGITUDINAL:
        return _along(survey, runs)
    if kind is GradientKind.TRANSVERSE:
        return _between_lines(survey, lines)
    return np.full(len(survey), np.nan)


def _along(survey: Survey, runs: Runs) -> Floats:
    """Central differences of the total field along each piece of a line."""
    pieces = pieces_of(survey, runs)
    along = distance_along_m(survey, pieces)
    slope = np.full(len(survey), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope[1:-1] = (survey.tmi_nt[2:] - survey.tmi_nt[:-2]) / (along[2:] - along[:-2])
    slope[pieces.start] = slope[pieces.stop - 1] = np.nan
    slope[~np.isfinite(slope)] = np.nan
    return slope


def _between_lines(survey: Survey, lines: tuple[LineSummary, ...]) -> Floats:
    """Differences between the neighbours of each traverse, per metre to starboard, at its rows."""
    expected = np.full(len(survey), np.nan)
    wanted = traverse_runs(survey, lines)
    spacing = line_spacing_m(survey, wanted)
    if not np.isfinite(spacing):
        return expected
    found, _ = ordered_traverses(survey, lines, bin_m=spacing / 2.0)
    slope = np.full(found.tmi_nt.shape, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = found.across_m[2:] - found.across_m[:-2]
        value = (found.tmi_nt[2:] - found.tmi_nt[:-2]) / step
    slope[1:-1] = np.where(step < 3.0 * spacing, value, np.nan)
    starboard = np.where(found.forward, 1.0, -1.0)
    for i, (start, stop) in enumerate(zip(found.runs.start, found.runs.stop, strict=True)):
        rows = slice(int(start), int(stop))
        along, _ = rotate(survey.easting_m[rows], survey.northing_m[rows], axis_deg=found.axis_deg)
        expected[rows] = (
            starboard[i] * slope[i][((along - found.origin_m) / found.bin_m).astype(int)]
        )
    return expected


def _base_levels(gradient: Floats, expected: Floats, runs: Runs) -> Floats:
    base = np.zeros(len(runs))
    for i, (start, stop) in enumerate(zip(runs.start, runs.stop, strict=True)):
        measured, told = gradient[start:stop], expected[start:stop]
        both = np.isfinite(measured) & np.isfinite(told)
        if both.any():
            base[i] = np.median(measured[both] - told[both])
        elif np.isfinite(measured).any():
            base[i] = np.median(measured[np.isfinite(measured)])
    return base


def _compare(gradient: Floats, expected: Floats) -> tuple[float, float]:
    both = np.isfinite(gradient) & np.isfinite(expected)
    x, y = expected[both], gradient[both]
    if len(x) < 3 or x.std() == 0.0 or y.std() == 0.0:  # noqa: PLR2004 -- for a correlation
        return float("nan"), float("nan")
    spread = [MAD_TO_SIGMA * float(np.median(np.abs(v - np.median(v)))) for v in (x, y)]
    correlation = float(np.corrcoef(x, y)[0, 1])
    return correlation, spread[1] / spread[0] if spread[0] > 0.0 else float("nan")
