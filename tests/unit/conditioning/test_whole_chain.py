"""Every step in its order on a simulated survey with every error, against the truth behind it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quetzalcore.geophysics import conditioning, igrf
from quetzalcore.geophysics.conditioning import StepResult
from quetzalcore.geophysics.quality import classify_lines
from quetzalcore.geophysics.simulation import SimulatedSurvey, default_plan, simulate
from quetzalcore.geophysics.survey import Floats, Survey


def _simulated(seed: int) -> SimulatedSurvey:
    plan = default_plan()
    plan = replace(plan, culture=0, line_spacing_m=150.0, sample_rate_hz=5.0)
    return simulate(plan, np.random.default_rng(seed))


def _main_field_nt(survey: Survey) -> Floats:
    assert survey.longitude_deg is not None
    assert survey.latitude_deg is not None
    assert survey.height_m is not None
    assert survey.time_s is not None
    years = igrf.decimal_years(survey.time_s)
    place = (survey.longitude_deg, survey.latitude_deg, survey.height_m)
    return igrf.survey_total(*place, years).total_nt


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_every_step_brings_the_readings_nearer_to_the_truth(seed: int) -> None:
    made = _simulated(seed)
    lines = classify_lines(made.survey)
    main_nt = _main_field_nt(made.survey)
    survey = made.survey.with_tmi(made.survey.tmi_nt - main_nt)

    def off(readings: Survey) -> tuple[float, float]:
        error = readings.tmi_nt - made.anomaly_nt
        error = error[np.isfinite(error)] - np.nanmedian(error)
        return float(np.sqrt(np.mean(error**2))), float(1.4826 * np.median(np.abs(error)))

    def take(step: StepResult) -> None:
        nonlocal survey
        survey = survey.with_tmi(step.tmi_nt)
        found.append(off(survey)[0])

    found = [off(survey)[0]]
    take(conditioning.despike(survey))
    lag = conditioning.correct_lag(survey, lines=lines)
    assert lag.details["lag_m"] == pytest.approx(0.5 * 60.0, abs=4.0)  # half a second at 60 m/s
    take(lag)
    heading = conditioning.correct_heading(survey, lines)
    assert abs(float(str(heading.details["offset_nt"]))) == pytest.approx(3.0, abs=1.2)  # +-1.5 nT
    take(heading)
    take(conditioning.correct_diurnal(survey, made.base))
    take(conditioning.level_ties(survey, lines))
    spiky, despiked, unlagged, headed, _, levelled = found
    assert despiked < spiky
    assert unlagged < despiked
    assert headed < 1.02 * unlagged
    assert levelled < 0.2 * spiky
    assert levelled < 1.3
    assert off(survey)[1] < 0.6
    # what is left is below the line noise that microlevelling looks for: there it can only harm
    small = conditioning.microlevel(survey, lines)
    assert float(str(small.details["crossover_after_nt"])) > float(
        str(small.details["crossover_before_nt"])
    )
