"""What the gridder is given: the readings, and what measured gradients add beside the lines."""

from __future__ import annotations

import numpy as np

from quetzalcore.geophysics import conditioning
from quetzalcore.geophysics.conditioning import GradientKind
from quetzalcore.geophysics.quality import LineKind
from quetzalcore.geophysics.survey import Survey
from quetzalcore.workloads.mag_survey.config import Stage, SurveyConfig
from quetzalcore.workloads.mag_survey.grids import GridPoints
from quetzalcore.workloads.mag_survey.record import Outcome, StageRecord
from quetzalcore.workloads.mag_survey.scene import Scene

__all__ = ["grid_points"]

_OFFSET_LINES = 0.25  # a first-order extrapolation must stay nearer to its line than to the next
_WEIGHT = 0.25  # of an extrapolated value against a reading


def grid_points(scene: Scene, config: SurveyConfig) -> tuple[GridPoints, StageRecord]:
    """Collect the points to grid; a measured transverse gradient adds a value on both sides of a line.

    Raises
    ------
    BadSurvey
        If the channel that is named is not there.
    """
    survey = _gridded(scene, with_ties=config.grid.ties)
    plain = GridPoints(
        easting_m=survey.easting_m,
        northing_m=survey.northing_m,
        tmi_nt=survey.tmi_nt,
        height_m=survey.height_m,
    )
    channel = config.gradients.transverse
    if not config.runs(Stage.GRADIENTS):
        return plain, _left(Outcome.SKIPPED, "left out on request")
    if channel is None:
        return plain, _left(
            Outcome.NOT_APPLICABLE, "no gradient channel is named (gradients.transverse)"
        )
    made = conditioning.use_gradients(
        survey, scene.lines, channel=channel, kind=GradientKind.TRANSVERSE
    )
    offset_m = _OFFSET_LINES * scene.quality.line_spacing_m
    easting, northing, values = conditioning.pseudo_lines(
        survey, made.gradient_nt_m, offset_m=offset_m
    )
    weights = np.concatenate([np.ones(len(survey)), np.full(len(values), _WEIGHT)])
    points = GridPoints(
        easting_m=np.concatenate([survey.easting_m, easting]),
        northing_m=np.concatenate([survey.northing_m, northing]),
        tmi_nt=np.concatenate([survey.tmi_nt, values]),
        weights=weights,
        height_m=survey.height_m,
    )
    record = StageRecord(
        stage=Stage.GRADIENTS,
        outcome=Outcome.DONE,
        parameters={
            "transverse": channel,
            "correlation_with_field": made.correlation,
            "scale_against_field": made.scale,
            "spikes": made.spikes,
            "base_nt_m": made.base_nt_m,
            "offset_m": offset_m,
            "values_added": len(values),
        },
        warnings=made.warnings,
    )
    return points, record


def _gridded(scene: Scene, *, with_ties: bool) -> Survey:
    ties = [line.index for line in scene.lines if line.kind is LineKind.TIE]
    if with_ties or not ties:
        return scene.survey
    return scene.survey.select(~np.isin(scene.survey.line, ties))


def _left(outcome: Outcome, reason: str) -> StageRecord:
    return StageRecord(stage=Stage.GRADIENTS, outcome=outcome, reason=reason)
