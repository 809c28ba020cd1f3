"""Diurnal and main field: what is subtracted, and where it cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quetzalcore.errors import BadSurvey
from quetzalcore.geophysics.conditioning import BaseStation, correct_diurnal, remove_main_field
from quetzalcore.geophysics.survey import Floats, Survey


def variation(time_s: Floats) -> Floats:
    wave: Floats = 30.0 * np.sin(time_s / 700.0) + 0.005 * time_s
    return wave


@pytest.fixture
def timed(flown: Survey) -> Survey:
    time = np.arange(len(flown), dtype=np.float64) / 2.0
    return replace(flown, time_s=time, tmi_nt=flown.tmi_nt + variation(time))


@pytest.fixture
def base(timed: Survey) -> BaseStation:
    time = np.arange(-60.0, len(timed) / 2.0 + 60.0, 5.0)
    return BaseStation(time_s=time, tmi_nt=51_000.0 + variation(time))


def test_the_variation_goes_and_the_level_stays(
    timed: Survey, flown: Survey, base: BaseStation
) -> None:
    step = correct_diurnal(timed, base, datum_nt=51_000.0)
    assert np.abs(step.tmi_nt - flown.tmi_nt).max() < 0.01
    assert step.details["datum"] == "given"
    assert step.warnings == ()


def test_the_datum_is_the_base_median_unless_given(timed: Survey, base: BaseStation) -> None:
    step = correct_diurnal(timed, base)
    assert step.details["datum_nt"] == pytest.approx(float(np.median(base.tmi_nt)))
    assert step.details["datum"] == "median of the base"


def test_rows_before_after_and_in_gaps_of_the_base_lose_their_reading_aloud(
    timed: Survey, base: BaseStation
) -> None:
    reading = base.tmi_nt.copy()
    reading[(base.time_s > 1000.0) & (base.time_s < 1500.0)] = np.nan
    keep = (base.time_s >= 50.0) & (base.time_s <= 3000.0)
    broken = BaseStation(time_s=base.time_s[keep], tmi_nt=reading[keep])
    step = correct_diurnal(timed, broken, datum_nt=51_000.0)
    assert timed.time_s is not None
    time = timed.time_s
    bare = (time < 50.0) | (time > 3000.0) | ((time > 1000.0) & (time < 1500.0))
    assert np.array_equal(np.isnan(step.tmi_nt), bare)
    assert step.details["rows_not_covered"] == int(bare.sum())
    assert f"{bare.sum()} rows have no base reading" in step.warnings[0]
    assert "first row 1;" in step.warnings[0]
    assert "and others" in step.warnings[0]


def test_a_few_lines_are_named_in_full(timed: Survey, base: BaseStation) -> None:
    assert timed.time_s is not None
    time = timed.time_s.copy()
    time[5] = np.nan
    step = correct_diurnal(replace(timed, time_s=time), base)
    assert "(first row 6; lines L0)" in step.warnings[0]


def test_a_base_of_another_day_or_no_time_is_refused(timed: Survey, base: BaseStation) -> None:
    late = BaseStation(time_s=base.time_s + 86_400.0, tmi_nt=base.tmi_nt)
    with pytest.raises(BadSurvey, match="at no time of the survey"):
        correct_diurnal(timed, late)
    with pytest.raises(BadSurvey, match="survey has no time"):
        correct_diurnal(replace(timed, time_s=None), base)


@pytest.mark.parametrize(
    ("time", "reading", "said"),
    [
        ([0.0, 1.0], [1.0], "2 times and 1 readings"),
        ([0.0, 1.0], [1.0, np.nan], "fewer than two readings"),
        ([1.0, 0.0], [1.0, 2.0], "runs backwards"),
    ],
)
def test_a_bad_base_record_is_refused(time: list[float], reading: list[float], said: str) -> None:
    with pytest.raises(BadSurvey, match=said):
        BaseStation(time_s=np.array(time), tmi_nt=np.array(reading))


def test_the_main_field_is_subtracted_row_by_row(flown: Survey) -> None:
    field = 48_000.0 + 0.01 * flown.easting_m
    step = remove_main_field(flown.with_tmi(flown.tmi_nt + field), field)
    assert step.tmi_nt == pytest.approx(flown.tmi_nt, abs=1e-9)
    assert step.warnings == ()
    assert step.details["median_field_nt"] == pytest.approx(float(np.median(field)))


def test_taking_the_main_field_twice_or_in_the_wrong_units_is_said(flown: Survey) -> None:
    field = np.full(len(flown), 48_000.0)
    assert "already" in remove_main_field(flown, field).warnings[0]
    wrong = remove_main_field(flown.with_tmi(flown.tmi_nt + 60_000.0), field)
    assert "check date" in wrong.warnings[0]


def test_unknown_fields_leave_no_reading(flown: Survey) -> None:
    step = remove_main_field(flown, np.full(len(flown), np.nan))
    assert np.isnan(step.tmi_nt).all()
    assert step.rows_changed == len(flown)
    assert (step.rms_change_nt, step.max_change_nt) == (0.0, 0.0)


def test_a_field_of_another_length_is_refused(flown: Survey) -> None:
    with pytest.raises(BadSurvey, match="3 values"):
        remove_main_field(flown, np.zeros(3))
