"""What every stage after conditioning looks at: the survey, its quality, the field and the ground."""

from __future__ import annotations

from dataclasses import dataclass

from quetzalcore.geophysics.quality import LineSummary, QualityReport
from quetzalcore.geophysics.survey import Survey
from quetzalcore.workloads.mag_survey.surroundings import Ground, MainField

__all__ = ["Scene"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """The conditioned survey and what surrounds it."""

    survey: Survey
    lines: tuple[LineSummary, ...]
    quality: QualityReport
    field: MainField
    ground: Ground
