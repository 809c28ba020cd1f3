"""Removal of the offset that depends on the direction of flight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.conditioning.neighbours import (
    SHARED_LINES,
    neighbours_of,
    ordered_traverses,
)
from quetzalcore.geophysics.conditioning.step import StepResult, measure
from quetzalcore.geophysics.quality.geometry import runs_of
from quetzalcore.geophysics.quality.lines import LineSummary
from quetzalcore.geophysics.quality.noise import MAD_TO_SIGMA
from quetzalcore.geophysics.survey import Floats, Survey

__all__ = ["HeadingOffset", "correct_heading", "estimate_heading_offset"]

_BIN_M = 200.0
_FEWEST = 6
_CONTRAST = 0.5  # of 2: at least about one neighbour flew the other way
_SIGNIFICANT = 3.0  # standard errors
_MEDIAN_ERROR = 1.2533  # a median's standard error over a mean's


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadingOffset:
    """The difference between the two directions in which traverses were flown.

    Parameters
    ----------
    axis_deg : float
        The traverses' direction, clockwise from grid north, 0 to 180.
    offset_nt : float
        Reading flown along ``axis_deg`` minus reading flown the other way, nT.
    error_nt : float
        Its standard error, nT; infinite where too few lines tell.
    lines : int
        Traverses beside one that was flown the other way.
    """

    axis_deg: float
    offset_nt: float
    error_nt: float
    lines: int

    @property
    def significant(self) -> bool:
        """Tell whether the offset exceeds three standard errors."""
        return abs(self.offset_nt) > _SIGNIFICANT * self.error_nt


def correct_heading(
    survey: Survey,
    lines: tuple[LineSummary, ...],
    *,
    table: Mapping[float, float] | None = None,
) -> StepResult:
    """Subtract a constant for each direction of flight.

    With ``table`` (heading in degrees clockwise from grid north -> offset in nT, from a calibration
    flight) every run loses the offset at its heading, interpolated around the circle. Without it, the
    offset between the two directions of the traverses is estimated (see
    :func:`estimate_heading_offset`); half of it comes off one direction and is added to the
    other, so that the mean stays. An offset within three standard errors of zero is not applied, and
    a warning says so. Ties and other lines are left as they are then.

    Raises
    ------
    BadParameter
        If ``table`` is empty.
    """
    runs = runs_of(survey)
    if table is not None:
        offset = _from_table(runs.heading_deg, table)
        details: dict[str, float | str | int] = {"source": "table", "entries": len(table)}
        tmi = survey.tmi_nt - np.repeat(offset, runs.stations)
        return measure("heading", survey, tmi_nt=tmi, details=details)
    found = estimate_heading_offset(survey, lines)
    details = {
        "source": "opposite neighbours",
        "axis_deg": found.axis_deg,
        "offset_nt": found.offset_nt,
        "error_nt": found.error_nt,
        "lines": found.lines,
    }
    if not found.significant:
        said = _why_not_applied(found)
        return measure("heading", survey, tmi_nt=survey.tmi_nt, details=details, warnings=(said,))
    traverse = np.isin(runs.line, [line.index for line in lines if line.kind == "traverse"])
    forward = np.cos(np.radians(runs.heading_deg - found.axis_deg)) > 0.0
    half = np.where(forward, 0.5, -0.5) * found.offset_nt * traverse
    tmi = survey.tmi_nt - np.repeat(half, runs.stations)
    return measure("heading", survey, tmi_nt=tmi, details=details)


def estimate_heading_offset(survey: Survey, lines: tuple[LineSummary, ...]) -> HeadingOffset:
    """Estimate how much traverses flown one way read above those flown the other.

    Each traverse is compared with its two neighbours, interpolated to its place, in bins of 200 m,
    wherever at least one of them flew the other way; the median over its bins is one vote, and the
    median of the votes is the offset. Geology has no reason to alternate with the direction of
    flight; its scatter from line to line gives the standard error.
    """
    profiles, spacing = ordered_traverses(survey, lines, bin_m=_BIN_M)
    beside = neighbours_of(profiles, spacing)
    contrast = beside.contrast(profiles)
    with np.errstate(invalid="ignore", divide="ignore"):
        told = (profiles.tmi_nt - beside.says(profiles.tmi_nt)) / contrast
    told[~(np.abs(contrast) > _CONTRAST)] = np.nan
    # each vote is half the offset: readings are +- half of it about their mean
    votes = np.array(
        [2.0 * np.median(row[~np.isnan(row)]) for row in told if not np.isnan(row).all()]
    )
    if len(votes) < _FEWEST:
        return HeadingOffset(
            axis_deg=profiles.axis_deg, offset_nt=0.0, error_nt=float("inf"), lines=len(votes)
        )
    offset = float(np.median(votes))
    spread = MAD_TO_SIGMA * float(np.median(np.abs(votes - offset)))
    error = _MEDIAN_ERROR * SHARED_LINES * spread / np.sqrt(len(votes))
    return HeadingOffset(
        axis_deg=profiles.axis_deg, offset_nt=offset, error_nt=float(error), lines=len(votes)
    )


def _why_not_applied(found: HeadingOffset) -> str:
    if not np.isfinite(found.error_nt):
        return (
            f"no heading offset was applied: only {found.lines} traverses lie between neighbours "
            "flown the other way"
        )
    return (
        f"the heading offset of {found.offset_nt:.2f} +- {found.error_nt:.2f} nT between opposite "
        "traverses does not differ from zero and was not applied"
    )


def _from_table(heading_deg: Floats, table: Mapping[float, float]) -> Floats:
    if not table:
        raise BadParameter("the heading table is empty", hint="give heading and offset in nT")
    headings = np.array(list(table), dtype=np.float64)
    offsets = np.array(list(table.values()), dtype=np.float64)
    return np.interp(heading_deg, headings, offsets, period=360.0)
