"""Microlevelling: line noise shrinks, geology stays, and the ties judge."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.conditioning import microlevel
from quetzalcore.geophysics.quality import LineSummary
from quetzalcore.geophysics.survey import Floats, Survey

Lines = tuple[LineSummary, ...]


@pytest.fixture
def striped(flown: Survey) -> tuple[Survey, Floats]:
    """Add to every traverse a level that alternates in sign: the shortest wavelength across lines."""
    alternating = np.where(np.arange(25) % 2 == 0, 2.0, -2.0)
    alternating[21:] = 0.0
    stripes: Floats = alternating[flown.line]
    return flown.with_tmi(flown.tmi_nt + stripes), stripes


def test_alternating_levels_are_taken_off(striped: tuple[Survey, Floats], lines: Lines) -> None:
    survey, stripes = striped
    step = microlevel(survey, lines, limit_nt=5.0)
    middle = (survey.line >= 3) & (survey.line <= 17)
    taken = survey.tmi_nt - step.tmi_nt
    assert np.corrcoef(taken[middle], stripes[middle])[0, 1] > 0.95
    assert (taken - stripes)[middle].std() < 0.5 * stripes[middle].std()
    assert (step.tmi_nt == survey.tmi_nt)[survey.line >= 21].all()
    before, after = (float(step.details[f"crossover_{when}_nt"]) for when in ("before", "after"))
    assert after < before
    assert step.warnings == ()


def test_the_change_is_never_larger_than_the_limit(
    striped: tuple[Survey, Floats], lines: Lines
) -> None:
    survey, _ = striped
    assert microlevel(survey, lines, limit_nt=0.7).max_change_nt <= 0.7 + 1e-9
    automatic = microlevel(survey, lines)
    assert automatic.max_change_nt <= float(automatic.details["limit_nt"]) + 1e-9


def test_short_wavelengths_along_the_line_are_untouched(
    striped: tuple[Survey, Floats], lines: Lines
) -> None:
    survey, _ = striped
    step = microlevel(survey, lines, limit_nt=5.0)
    taken = (survey.tmi_nt - step.tmi_nt)[survey.line == 9]
    assert np.abs(np.diff(taken, n=2)).max() < 0.05


def test_geology_that_spans_many_lines_hardly_moves(flown: Survey, lines: Lines) -> None:
    step = microlevel(flown, lines, limit_nt=5.0)
    assert step.rms_change_nt < 0.04 * flown.tmi_nt.std()


def test_taking_geology_for_line_noise_is_said(flown: Survey, lines: Lines) -> None:
    """A dyke along one line looks like line noise; the ties see it, too, and object."""
    dyke = 10.0 / (1.0 + ((flown.northing_m - 1000.0) / 60.0) ** 2)
    step = microlevel(flown.with_tmi(flown.tmi_nt + dyke), lines, limit_nt=10.0)
    assert "disagree more after microlevelling" in step.warnings[0]


def test_gaps_are_bridged_and_missing_readings_stay_missing(
    striped: tuple[Survey, Floats], lines: Lines
) -> None:
    survey, _ = striped
    tmi = survey.tmi_nt.copy()
    hole = (survey.line == 9) & (np.abs(survey.easting_m - 1500.0) < 400.0)
    tmi[hole] = np.nan
    tmi[survey.line == 12] = np.nan
    step = microlevel(survey.with_tmi(tmi), lines)
    assert np.array_equal(np.isnan(step.tmi_nt), np.isnan(tmi))


def test_without_ties_nobody_judges(flight: Callable[..., Survey], lines: Lines) -> None:
    step = microlevel(flight(ties=()), lines[:21])
    assert "crossover_after_nt" not in step.details


def test_too_few_lines_and_bad_numbers_are_refused(flown: Survey, lines: Lines) -> None:
    with pytest.raises(BadSurvey, match="fewer than five traverses"):
        microlevel(flown.select(flown.line < 4), lines[:4])
    with pytest.raises(BadParameter, match="limit_nt is -1"):
        microlevel(flown, lines, limit_nt=-1.0)
