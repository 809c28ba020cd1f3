"""Removal of the Earth's main field."""

from __future__ import annotations

import numpy as np

from quetzalcore.errors import BadSurvey
from quetzalcore.geophysics.conditioning.step import StepResult, measure
from quetzalcore.geophysics.survey import Floats, Survey

__all__ = ["remove_main_field"]

_ANOMALY_NT = (
    10_000.0  # a reading whose median is smaller than this has lost its main field already
)
_STRANGE_NT = 5_000.0


def remove_main_field(survey: Survey, field_nt: Floats) -> StepResult:
    """Subtract the main field's total intensity, (n,) nT, at each reading's place and time.

    NaN in either gives NaN. Readings that look like an anomaly already (median below 10,000 nT) draw
    a warning, and so does a median anomaly over 5,000 nT.

    Raises
    ------
    BadSurvey
        If ``field_nt`` has not one value for every row.
    """
    if len(field_nt) != len(survey):
        raise BadSurvey(
            f"the main field has {len(field_nt)} values and the survey {len(survey)} rows",
            hint="compute the field at every row",
        )
    tmi = survey.tmi_nt - field_nt
    known = np.isfinite(tmi)
    before = float(np.median(survey.tmi_nt[known])) if known.any() else 0.0
    after = float(np.median(tmi[known])) if known.any() else 0.0
    said = {
        f"the readings' median was {before:.0f} nT: they had lost their main field already": (
            known.any() and abs(before) < _ANOMALY_NT
        ),
        f"the median anomaly is {after:.0f} nT: check date, units and diurnal datum": (
            abs(before) >= _ANOMALY_NT and abs(after) > _STRANGE_NT
        ),
    }
    details = {
        "median_field_nt": float(np.nanmedian(field_nt)) if np.isfinite(field_nt).any() else np.nan,
        "median_anomaly_nt": after,
    }
    warnings = tuple(text for text, true in said.items() if true)
    return measure("igrf", survey, tmi_nt=tmi, details=details, warnings=warnings)
