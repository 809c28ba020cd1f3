"""What gridding needs of a survey, said before it begins."""

from __future__ import annotations

import numpy as np

from quetzalcore.errors import BadSurvey
from quetzalcore.geophysics.survey import Survey

__all__ = ["require_griddable"]

_FEWEST = 10


def require_griddable(survey: Survey) -> None:
    """Refuse a survey that is no surface: one line, or hardly any readings.

    Readings on a straight line leave everything to its sides unknown, whatever its points are
    called, so the spread across the survey's main direction counts, not the names of lines.

    Raises
    ------
    BadSurvey
        If there are fewer than ten readings, or all lie on one straight line.
    """
    good = np.isfinite(survey.tmi_nt)
    count = int(good.sum())
    if count < _FEWEST:
        raise BadSurvey(f"the survey has {count} readings", hint=f"a grid needs at least {_FEWEST}")
    offsets = np.stack([survey.easting_m[good], survey.northing_m[good]])
    offsets -= offsets.mean(axis=1, keepdims=True)
    across, along = np.sqrt(np.linalg.eigvalsh(offsets @ offsets.T / count).clip(min=0.0))
    if across <= 1e-3 * along or along == 0.0:
        lines = len(np.unique(survey.line[good]))
        raise BadSurvey(
            f"all readings lie on one line ({lines} in the line column): there is nothing to grid",
            hint="give a survey with at least two parallel lines",
        )
