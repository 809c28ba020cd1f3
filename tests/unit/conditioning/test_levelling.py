"""Levelling: known errors come back, and nothing else moves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyproj
import pytest

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.conditioning import ErrorModel, crossovers, level_ties
from quetzalcore.geophysics.conditioning.drift import drift_basis
from quetzalcore.geophysics.conditioning.misfit import estimate_errors
from quetzalcore.geophysics.quality import LineKind, LineSummary, classify_lines
from quetzalcore.geophysics.survey import Survey

Lines = tuple[LineSummary, ...]


def with_levels(survey: Survey, *, seed: int, level_nt: float, noise_nt: float = 0.2) -> Survey:
    rng = np.random.default_rng(seed)
    levels = np.append(rng.normal(0.0, level_nt, 21), [20.0, 26.0, 23.0, 29.0])
    noise = rng.normal(0.0, noise_nt, len(survey))
    return survey.with_tmi(survey.tmi_nt + levels[survey.line] + noise)


def test_known_levels_of_traverses_and_ties_are_recovered(flown: Survey, lines: Lines) -> None:
    survey = with_levels(flown, seed=1, level_nt=6.0)
    step = level_ties(survey, lines)
    left = step.tmi_nt - flown.tmi_nt
    per_line = np.array([left[flown.line == i].mean() for i in range(25)])
    assert (per_line - per_line.mean()).std() < 0.3
    assert step.before.median_abs_nt > 15.0
    assert step.after.median_abs_nt < 0.3
    assert step.after.spread_nt < step.before.spread_nt / 10.0
    assert step.warnings == ()


def test_a_known_drift_along_lines_is_recovered(flown: Survey, lines: Lines) -> None:
    rng = np.random.default_rng(2)
    slope = np.append(rng.normal(0.0, 8.0, 21), np.zeros(4))[flown.line]
    drift = slope * (flown.easting_m - 1500.0) / 1500.0
    inside = (flown.line < 21) & (np.abs(flown.easting_m - 1500.0) < 1200.0)
    known = ErrorModel(
        reading_nt=0.3,
        position_m=0.0,
        traverse_constant_nt=1.0,
        traverse_drift_nt=8.0,
        tie_drift_nt=1.0,
    )
    for errors, part in ((None, 0.5), (known, 0.15)):
        step = level_ties(flown.with_tmi(flown.tmi_nt + drift), lines, errors=errors)
        assert (step.tmi_nt - flown.tmi_nt)[inside].std() < part * drift[inside].std()


def test_ties_that_stand_off_move_as_a_whole_and_traverses_stay(
    flown: Survey, lines: Lines
) -> None:
    survey = with_levels(flown, seed=3, level_nt=0.0)
    step = level_ties(survey, lines)
    change = step.tmi_nt - survey.tmi_nt
    assert np.sqrt(np.mean(change[flown.line < 21] ** 2)) < 0.1
    by_tie = [change[flown.line == i].mean() for i in range(21, 25)]
    assert by_tie == pytest.approx([-20.0, -26.0, -23.0, -29.0], abs=0.3)
    assert step.after.median_abs_nt < 0.5


def test_wavelengths_shorter_than_the_knots_are_untouched(flown: Survey, lines: Lines) -> None:
    survey = with_levels(flown, seed=4, level_nt=6.0)
    step = level_ties(survey, lines)
    change = step.tmi_nt - survey.tmi_nt
    curvature = np.diff(change[flown.line == 5], n=2)
    signal = np.diff(flown.tmi_nt[flown.line == 5], n=2)
    assert np.abs(curvature).max() < 0.05 * np.abs(signal).max()


def test_wild_crossovers_do_not_pull_the_lines(flown: Survey, lines: Lines) -> None:
    survey = with_levels(flown, seed=5, level_nt=3.0)
    wild = survey.tmi_nt.copy()
    for line, east in ((2, 1203.0), (9, 2103.0), (15, 303.0)):
        wild[(flown.line == line) & (np.abs(flown.easting_m - east) < 25.0)] += 400.0
    calm, rough = level_ties(survey, lines), level_ties(survey.with_tmi(wild), lines)
    pulled = (rough.tmi_nt - wild) - (calm.tmi_nt - survey.tmi_nt)
    assert np.sqrt(np.mean(pulled**2)) < 1.0


def test_steep_gradients_count_less(flown: Survey, lines: Lines) -> None:
    """Ties displaced by 15 m misfit most where the field is steep: the traverses must not follow."""
    shifted = flown.easting_m + np.where(flown.line >= 21, 15.0, 0.0)
    moved = Survey(
        easting_m=shifted,
        northing_m=flown.northing_m,
        tmi_nt=5.0 * flown.tmi_nt + np.random.default_rng(6).normal(0.0, 0.2, len(flown)),
        line=flown.line,
        line_names=flown.line_names,
    )
    model = estimate_errors(crossovers(moved, lines))
    assert 3.0 < model.position_m < 40.0
    change = level_ties(moved, lines).tmi_nt - moved.tmi_nt
    assert np.sqrt(np.mean(change[flown.line < 21] ** 2)) < 1.0


def test_each_correction_is_listed(flown: Survey, lines: Lines) -> None:
    survey = with_levels(flown, seed=1, level_nt=6.0)
    step = level_ties(survey, lines)
    assert [entry.line for entry in step.corrections] == [line.name for line in lines]
    assert [entry.crossovers for entry in step.corrections] == [4] * 21 + [21] * 4
    change = step.tmi_nt - survey.tmi_nt
    for i, entry in enumerate(step.corrections):
        assert entry.mean_nt == pytest.approx(change[flown.line == i].mean(), abs=1e-9)
        assert entry.min_nt <= entry.mean_nt <= entry.max_nt
    assert step.corrections[21].kind is LineKind.TIE


def test_lines_that_cross_no_tie_stay_and_are_counted(flown: Survey, lines: Lines) -> None:
    survey = flown
    north = survey.northing_m + np.where(survey.line == 20, 5000.0, 0.0)
    far = Survey(
        easting_m=survey.easting_m,
        northing_m=north,
        tmi_nt=survey.tmi_nt + 5.0,
        line=survey.line,
        line_names=survey.line_names,
    )
    step = level_ties(far, lines)
    assert (step.tmi_nt == far.tmi_nt)[survey.line == 20].all()
    assert step.warnings == ("1 lines cross no tie and were not levelled",)


def test_lines_that_were_not_classified_are_left_alone(flown: Survey, lines: Lines) -> None:
    survey = with_levels(flown, seed=7, level_nt=2.0)
    step = level_ties(survey, lines[:-1])
    assert (step.tmi_nt == survey.tmi_nt)[survey.line == 24].all()
    assert step.corrections[-1].kind is LineKind.OTHER


def test_a_given_error_model_and_knot_are_used(flown: Survey, lines: Lines) -> None:
    survey = with_levels(flown, seed=1, level_nt=6.0)
    frozen = ErrorModel(
        reading_nt=1.0,
        position_m=0.0,
        traverse_constant_nt=0.0,
        traverse_drift_nt=0.0,
        tie_drift_nt=0.0,
    )
    step = level_ties(survey, lines, errors=frozen, knot_m=1e9)
    change = step.tmi_nt - survey.tmi_nt
    assert np.abs(change[survey.line < 21]).max() < 1e-4
    assert step.details["knot_m"] == 1e9


def test_one_tie_levels_by_constants(flight: Callable[..., Survey]) -> None:
    survey = flight(ties=(1203.0,))
    levels = np.random.default_rng(1).normal(0.0, 6.0, 22)
    step = level_ties(survey.with_tmi(survey.tmi_nt + levels[survey.line]), classify_lines(survey))
    assert step.after.spread_nt < step.before.spread_nt


def test_no_ties_too_few_crossovers_and_bad_knots_are_refused(flown: Survey, lines: Lines) -> None:
    with pytest.raises(BadSurvey, match="no tie lines"):
        level_ties(flown, lines[:21])
    with pytest.raises(BadSurvey, match="at 2 places"):
        level_ties(flown.select((flown.line < 2) | (flown.line == 21)), lines)
    with pytest.raises(BadParameter, match="knot distance"):
        level_ties(flown, lines, knot_m=0.0)


def test_splines_of_one_value_are_that_value_everywhere() -> None:
    basis = drift_basis(np.array([1000.0, 10.0]), knot_m=300.0)
    assert basis.pieces.tolist() == [3, 1]
    unknowns = np.full(basis.unknowns, 2.5)
    along = np.linspace(-5.0, 1005.0, 50)
    assert basis.evaluate(unknowns, 0, along) == pytest.approx(5.0)
    columns, weights = basis.weights(np.zeros(50, dtype=np.intp), along)
    assert weights.sum(axis=1) == pytest.approx(2.0)
    ramp = np.arange(basis.unknowns, dtype=np.float64)
    assert (weights * ramp[columns]).sum(axis=1) == pytest.approx(basis.evaluate(ramp, 0, along))


@pytest.fixture
def osborne(osborne_file: Path) -> Survey:
    table = pd.read_csv(osborne_file)
    east, north = pyproj.Transformer.from_crs(4326, 32754, always_xy=True).transform(
        table["longitude"], table["latitude"]
    )
    frame = pd.DataFrame(
        {"easting_m": east, "northing_m": north, "tmi_nt": table["total_field_anomaly_nt"]}
    )
    return Survey.from_pandas(frame.assign(line=table["flight_line"]))


@pytest.mark.slow
def test_osborne_crossovers_close_while_the_traverses_keep_their_signal(osborne: Survey) -> None:
    """SCIENCE.md: the spread falls under levelling while the traverses' own signal stays."""
    lines = classify_lines(osborne)
    step = level_ties(osborne, lines)
    assert step.before.count == 2098
    assert 24.0 < step.before.median_nt < 29.0
    assert step.after.median_abs_nt < 0.4 * step.before.median_abs_nt
    assert step.after.spread_nt < step.before.spread_nt
    traverse = np.isin(osborne.line, [x.index for x in lines if x.kind is LineKind.TRAVERSE])
    change = (step.tmi_nt - osborne.tmi_nt)[traverse]
    assert np.sqrt(np.mean(change**2)) < 0.01 * osborne.tmi_nt[traverse].std()
