"""Lag: given or estimated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.conditioning import correct_lag
from quetzalcore.geophysics.conditioning.lag import estimate_lag
from quetzalcore.geophysics.quality import LineSummary, classify_lines
from quetzalcore.geophysics.survey import Floats, Survey

pytestmark = pytest.mark.kernels

Truth = Callable[[Floats, Floats], Floats]


def lagged(survey: Survey, truth: Truth, lag_m: float) -> Survey:
    """Read each row's value where the sensor was ``lag_m`` earlier."""
    heading = np.zeros(len(survey))
    for summary, (_, rows) in zip(classify_lines(survey), survey.line_slices(), strict=True):
        heading[rows] = np.radians(summary.heading_deg)
    return survey.with_tmi(
        truth(
            survey.easting_m - lag_m * np.sin(heading), survey.northing_m - lag_m * np.cos(heading)
        )
    )


@pytest.mark.parametrize("lag_m", [23.0, -17.0, 40.0])
def test_a_given_lag_brings_features_back_to_their_place(
    flown: Survey, truth: Truth, lag_m: float
) -> None:
    step = correct_lag(lagged(flown, truth, lag_m), lag_m=lag_m)
    known = ~np.isnan(step.tmi_nt)
    assert np.abs(step.tmi_nt - flown.tmi_nt)[known].max() < 0.02
    ends = 25 * int(np.ceil(abs(lag_m) / 10.0))
    assert int((~known).sum()) == ends
    assert step.details["rows_lost"] == ends
    assert str(ends) in step.warnings[0]


def test_a_lag_in_seconds_follows_the_speed(flown: Survey, truth: Truth) -> None:
    timed = replace(flown, time_s=np.arange(len(flown), dtype=np.float64) / 4.0)
    step = correct_lag(lagged(timed, truth, 20.0), lag_s=0.5)
    known = ~np.isnan(step.tmi_nt)
    assert np.abs(step.tmi_nt - flown.tmi_nt)[known].max() < 1e-9
    assert step.details["lag_s"] == 0.5


@pytest.mark.parametrize("lag_m", [15.0, -30.0])
def test_the_zigzag_between_opposite_lines_gives_the_lag(
    flown: Survey, truth: Truth, lines: tuple[LineSummary, ...], lag_m: float
) -> None:
    survey = lagged(flown, truth, lag_m)
    noisy = survey.with_tmi(survey.tmi_nt + np.random.default_rng(3).normal(0.0, 0.1, len(survey)))
    found = estimate_lag(noisy, lines)
    assert found.lag_m == pytest.approx(lag_m, abs=max(3.0 * found.error_m, 1.0))
    step = correct_lag(noisy)
    assert step.details["source"] == "opposite neighbours"
    known = ~np.isnan(step.tmi_nt)
    assert (step.tmi_nt - flown.tmi_nt)[known].std() < 0.4


def test_a_lag_that_is_nothing_is_not_applied(
    flown: Survey, lines: tuple[LineSummary, ...]
) -> None:
    noisy = flown.with_tmi(flown.tmi_nt + np.random.default_rng(5).normal(0.0, 1.0, len(flown)))
    step = correct_lag(noisy, lines=lines)
    assert step.rows_changed == 0
    assert "not applied" in step.warnings[0]


def test_lines_that_all_head_one_way_cannot_tell(flight: Callable[..., Survey]) -> None:
    survey = flight(traverses=9)
    rows = np.concatenate(
        [
            np.arange(len(survey))[part][:: 1 if i % 2 == 0 else -1]
            for i, part in survey.line_slices()
        ]
    )
    with pytest.raises(BadSurvey, match="the lag cannot be told"):
        correct_lag(survey.select(rows[survey.line[rows] < 9]))


def test_a_flat_field_cannot_tell(flown: Survey, lines: tuple[LineSummary, ...]) -> None:
    noise = np.random.default_rng(4).normal(0.0, 1.0, len(flown))
    with pytest.raises(BadSurvey, match="too little in common"):
        estimate_lag(flown.with_tmi(noise), lines)
    with pytest.raises(BadSurvey, match="too little in common"):
        estimate_lag(flown.with_tmi(np.full(len(flown), 7.0)), lines)
    slope = flown.with_tmi(0.01 * flown.easting_m + noise)
    with pytest.raises(BadSurvey, match="too little in common"):
        estimate_lag(slope, lines)


def test_one_line_cannot_tell(flown: Survey) -> None:
    with pytest.raises(BadSurvey, match="cannot be told"):
        correct_lag(flown.select(flown.line == 0))


def test_missing_readings_stay_near_their_place(flown: Survey) -> None:
    tmi = flown.tmi_nt.copy()
    tmi[1000] = np.nan
    step = correct_lag(flown.with_tmi(tmi), lag_m=5.0)
    lost = np.flatnonzero(np.isnan(step.tmi_nt[910:1190])) + 910
    assert lost.tolist() == [999, 1000]


def test_two_lags_or_no_time_are_refused(flown: Survey) -> None:
    with pytest.raises(BadParameter, match="both given"):
        correct_lag(flown, lag_s=1.0, lag_m=1.0)
    with pytest.raises(BadSurvey, match="needs the survey's time"):
        correct_lag(flown, lag_s=1.0)
