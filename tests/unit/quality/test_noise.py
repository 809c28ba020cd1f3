"""Noise and spikes by the fourth difference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quetzalcore.geophysics.quality.geometry import pieces_of, runs_of
from quetzalcore.geophysics.quality.noise import fourth_difference_nt, run_noise_nt, spike_rows
from quetzalcore.geophysics.survey import Floats, Survey

Build = Callable[..., Survey]
Line = Callable[..., tuple[Floats, Floats]]


def spikes(survey: Survey, values: Floats, *, floor_nt: float = 0.1) -> list[int]:
    runs = runs_of(survey)
    rows: list[int] = spike_rows(
        fourth_difference_nt(values, runs), runs, floor_nt=floor_nt
    ).tolist()
    return rows


def test_cubics_leave_no_fourth_difference_and_line_ends_are_unknown(
    build: Build, line: Line
) -> None:
    survey = build([line((0.0, 0.0), 90.0, count=30), line((0.0, 100.0), 90.0, count=30)])
    along = np.tile(np.arange(30.0), 2)
    difference = fourth_difference_nt(along**3 - 5.0 * along, runs_of(survey))
    unknown = np.flatnonzero(np.isnan(difference)).tolist()
    assert unknown == [0, 1, 28, 29, 30, 31, 58, 59]
    assert np.nanmax(np.abs(difference)) < 1e-9


def test_noise_of_white_noise_is_its_deviation(build: Build, line: Line) -> None:
    survey = build([line((0.0, 0.0), 90.0, count=20_000), line((0.0, 9.0), 90.0, count=3)])
    values = np.random.default_rng(1).normal(0.0, 0.7, len(survey))
    runs = runs_of(survey)
    noise = run_noise_nt(fourth_difference_nt(values, runs), runs)
    assert noise[0] == pytest.approx(0.7, rel=0.03)
    assert np.isnan(noise[1])


def test_too_few_rows_have_no_fourth_difference(build: Build, line: Line) -> None:
    survey = build([line((0.0, 0.0), 90.0, count=4)])
    assert np.isnan(fourth_difference_nt(np.zeros(4), runs_of(survey))).all()
    assert spikes(survey, np.zeros(4)) == []


@pytest.mark.parametrize(
    ("rows", "sizes"), [([50], [40.0]), ([50, 51], [40.0, 25.0]), ([50, 51], [20.0, 20.0])]
)
def test_one_or_two_wrong_samples_are_found_exactly(
    build: Build, line: Line, rows: list[int], sizes: list[float]
) -> None:
    survey = build([line((0.0, 0.0), 90.0, count=120)])
    values = survey.tmi_nt + np.random.default_rng(2).normal(0.0, 0.1, 120)
    values[rows] += sizes
    assert spikes(survey, values) == rows


def test_a_step_is_not_a_spike(build: Build, line: Line) -> None:
    survey = build([line((0.0, 0.0), 90.0, count=120)])
    values = np.where(np.arange(120) < 60, 0.0, 80.0)
    values += np.random.default_rng(2).normal(0.0, 0.1, 120)
    assert spikes(survey, values) == []


@pytest.mark.parametrize("width_rows", [1.3, 2.0, 4.0])
def test_the_sharpest_anomaly_that_is_sampled_is_never_a_spike(
    build: Build, line: Line, width_rows: float
) -> None:
    survey = build([line((0.0, 0.0), 90.0, count=120)])
    offset = (np.arange(120) - 60.3) / width_rows
    values = 5000.0 * (1.0 - offset**2) * np.exp(-0.5 * offset**2)
    values += np.random.default_rng(2).normal(0.0, 0.05, 120)
    assert spikes(survey, values) == []


def test_small_spikes_may_be_left(build: Build, line: Line) -> None:
    survey = build([line((0.0, 0.0), 90.0, count=120)])
    values = survey.tmi_nt + np.random.default_rng(2).normal(0.0, 0.01, 120)
    values[50] += 0.4
    assert spikes(survey, values) == [50]
    assert spikes(survey, values, floor_nt=0.5) == []


def test_spikes_beside_missing_readings_are_not_judged(build: Build, line: Line) -> None:
    survey = build([line((0.0, 0.0), 90.0, count=120)])
    values = survey.tmi_nt.copy()
    values[50], values[53] = 500.0, np.nan
    values[1] += 500.0
    assert spikes(survey, values) == []


def test_nothing_is_judged_across_a_gap(build: Build, line: Line) -> None:
    first, second = line((0.0, 0.0), 90.0, count=60), line((4000.0, 0.0), 90.0, count=60)
    survey = build([tuple(np.concatenate(pair) for pair in zip(first, second, strict=True))])
    pieces = pieces_of(survey, runs_of(survey))
    assert pieces.stop.tolist() == [60, 120]
    values = np.where(np.arange(120) < 60, 0.0, 80.0)
    assert np.nanmax(np.abs(fourth_difference_nt(values, pieces))) == 0.0
