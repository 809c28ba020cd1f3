"""Removal of the field's variation in time by a base station."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quetzalcore.errors import BadSurvey
from quetzalcore.geophysics.conditioning.step import StepResult, measure
from quetzalcore.geophysics.survey import Bools, Floats, Survey

__all__ = ["BaseStation", "base_variation_nt", "correct_diurnal"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BaseStation:
    """What a magnetometer that stood still recorded.

    Parameters
    ----------
    time_s : (m,) float64
        Seconds since 1970-01-01T00:00 UTC, increasing.
    tmi_nt : (m,) float64
        Total field, nT; NaN means no reading.

    Raises
    ------
    BadSurvey
        If the columns differ in length, fewer than two readings are known, or time runs backwards.
    """

    time_s: Floats
    tmi_nt: Floats

    def __post_init__(self) -> None:
        """Check that the columns are a record."""
        if len(self.time_s) != len(self.tmi_nt):
            raise BadSurvey(
                f"the base station has {len(self.time_s)} times and {len(self.tmi_nt)} readings",
                hint="give one time for each reading",
            )
        if (np.isfinite(self.time_s) & np.isfinite(self.tmi_nt)).sum() < 2:  # noqa: PLR2004 -- to interpolate
            raise BadSurvey(
                "the base station has fewer than two readings", hint="check its columns"
            )
        if (np.diff(self.time_s) < 0.0).any():
            raise BadSurvey("the base station's time runs backwards", hint="sort it by time")


def correct_diurnal(
    survey: Survey,
    base: BaseStation,
    *,
    datum_nt: float | None = None,
    max_gap_s: float = 300.0,
) -> StepResult:
    """Subtract what the base station read, minus its datum, at the time of each reading.

    The base's own level (its main field and crust) stays out of it: only base(t) - datum is
    subtracted, so that the main field is not removed twice. Between base readings the variation is
    interpolated linearly.

    Rows that the base does not cover (before its first or after its last reading, in a gap longer
    than ``max_gap_s``, or without a time) become NaN, and a warning says how many and which: a
    survey that is half corrected has steps that look like geology.

    Parameters
    ----------
    datum_nt : float, optional
        The base's quiet level, nT; by default the median of its readings.
    max_gap_s : float
        Longest stretch to interpolate over, seconds.

    Raises
    ------
    BadSurvey
        If the survey has no time, or the base covers none of it.
    """
    datum = datum_nt if datum_nt is not None else float(np.nanmedian(base.tmi_nt))
    variation = base_variation_nt(survey, base, datum_nt=datum, max_gap_s=max_gap_s)
    tmi = survey.tmi_nt - variation
    bare = np.isnan(variation)
    details = {
        "datum_nt": datum,
        "datum": "given" if datum_nt is not None else "median of the base",
        "rows_not_covered": int(bare.sum()),
        "largest_variation_nt": float(np.nanmax(np.abs(variation))),
    }
    warnings = () if not bare.any() else (_uncovered(survey, bare),)
    return measure("diurnal", survey, tmi_nt=tmi, details=details, warnings=warnings)


def base_variation_nt(
    survey: Survey, base: BaseStation, *, datum_nt: float, max_gap_s: float
) -> Floats:
    """Return base(t) - datum at each row, (n,) nT; NaN where the base does not cover the row."""
    if survey.time_s is None:
        raise BadSurvey(
            "the survey has no time: its rows cannot be matched with the base station",
            hint="name the time column, or skip the diurnal step",
        )
    known = np.isfinite(base.time_s) & np.isfinite(base.tmi_nt)
    time, reading = base.time_s[known], base.tmi_nt[known]
    variation = np.interp(survey.time_s, time, reading, left=np.nan, right=np.nan) - datum_nt
    after = np.clip(np.searchsorted(time, survey.time_s), 1, len(time) - 1)
    exact = time[np.clip(np.searchsorted(time, survey.time_s), 0, len(time) - 1)] == survey.time_s
    variation[(time[after] - time[after - 1] > max_gap_s) & ~exact] = np.nan
    if np.isnan(variation).all():
        raise BadSurvey(
            "the base station recorded at no time of the survey",
            hint="check that both use UTC and the same date",
        )
    return variation


def _uncovered(survey: Survey, bare: Bools) -> str:
    rows = np.flatnonzero(bare)
    names = dict.fromkeys(survey.line_names[i] for i in survey.line[rows])
    shown = ", ".join(list(names)[:5]) + (" and others" if len(names) > 5 else "")  # noqa: PLR2004 -- enough
    return (
        f"{len(rows)} rows have no base reading near their time and lost their reading "
        f"(first row {rows[0] + 1}; lines {shown})"
    )
