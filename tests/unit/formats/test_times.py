"""Dates and times in the ways that files write them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from quetzalcore.errors import BadSurvey, BadTable
from quetzalcore.formats import ReadOptions, read_base_station, read_survey
from quetzalcore.formats.times import (
    dates_to_days,
    numeric_clock,
    seconds_of_texts,
    unroll_midnight,
)

Write = Callable[..., Path]
NOON = dt.datetime(2021, 3, 4, 12, 30, 15, tzinfo=dt.UTC).timestamp()
DAY = (dt.date(2021, 3, 4) - dt.date(1970, 1, 1)).days


@pytest.mark.parametrize(
    "text",
    [
        "2021-03-04T12:30:15", "2021-03-04 12:30:15Z", "2021-03-04T12:30:15.000+00:00", "2021/03/04 12:30:15",
        "04/03/2021 12:30:15.0", "04-Mar-2021 12:30:15", "2021-03-04T14:30:15+02:00", "2021/3/4 12:30:15",
    ],
)  # fmt: skip
def test_stamps_in_words(text: str) -> None:
    clock = seconds_of_texts(pa.array([text, None]))
    assert clock.absolute
    assert clock.seconds[0] == NOON
    assert np.isnan(clock.seconds[1])


def test_a_clock_without_a_date_counts_from_midnight() -> None:
    clock = seconds_of_texts(pa.array(["00:00:01.5", "12:30", "x"]))
    assert not clock.absolute
    np.testing.assert_array_equal(clock.seconds, [1.5, 45_000.0, np.nan])


@pytest.mark.parametrize(
    ("name", "unit", "values", "seconds", "absolute"),
    [
        ("time", None, [1.6e9, 1.6e9 + 1], [1.6e9, 1.6e9 + 1], True),
        ("time", None, [1.6e12, 1.6e12 + 1000], [1.6e9, 1.6e9 + 1], True),
        ("time", "hours", [1.5, 2.0], [5400.0, 7200.0], False),
        ("time", None, [1.5, 2.25], [5400.0, 8100.0], False),
        ("time", None, [93702, 93703], [34_622.0, 34_623.0], False),
        ("time", None, [38000.3, 38000.4], [38000.3, 38000.4], False),
        ("gps_sow", None, [90_000.0, 604_000.0], [3_600.0, 85_600.0], False),
        ("time", None, [1e6, 2e6], [np.nan, np.nan], False),
        ("time", None, [np.nan, np.nan], [np.nan, np.nan], False),
    ],
)
def test_numbers_as_times(
    name: str, unit: str | None, values: list[float], seconds: list[float], *, absolute: bool
) -> None:
    clock = numeric_clock(np.asarray(values), name=name, unit=unit)
    np.testing.assert_allclose(clock.seconds, seconds, rtol=1e-12)
    assert clock.absolute == absolute


def test_gps_time_loses_its_leap_seconds() -> None:
    clock = numeric_clock(np.array([1_300_000_000.0]), name="gps_time", unit=None)
    # 1,300,000,000 GPS is 2021-03-18T07:06:22 UTC: 18 leap seconds after 1980-01-06 plus that span.
    expected = dt.datetime(1980, 1, 6, tzinfo=dt.UTC).timestamp() + 1_300_000_000.0 - 18.0
    assert clock.seconds[0] == expected


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["2021-03-04"], "year, month, day"),
        (["20210304"], "year, month, day"),
        (["210304"], "year, month, day"),
        (["04/03/2021", "31/12/2020"], "day, month, year"),
        (["03/04/2021", "12/31/2020"], "month, day, year"),
        (["04032021", "31122020"], "day, month, year"),
        (["4-Mar-2021"], "day, month, year"),
        (["20210304.0"], "year, month, day"),
    ],
)
def test_dates_in_every_order(texts: list[str], order: str) -> None:
    days, how = dates_to_days(pa.array([*texts, "never", None]))
    assert how == order
    assert days[0] == DAY
    assert np.isnan(days[-2:]).all()


def test_the_clock_may_pass_midnight() -> None:
    seconds, falls = unroll_midnight(np.array([86_399.0, 0.5, np.nan, 1.0]))
    np.testing.assert_array_equal(seconds, [86_399.0, 86_400.5, np.nan, 86_401.0])
    assert falls == 1


def test_a_survey_puts_date_and_time_together(write: Write) -> None:
    head, place = "lon,lat,tmi,date,time\n", "140.1,-21,5"
    read = read_survey(write(f"{head}{place},20210304,12:30:15\n{place},20210304,12:30:16\n"))
    assert read.survey.time_s is not None
    assert read.survey.time_s.tolist() == [NOON, NOON + 1]
    assert str(read.date) == "2021-03-04"
    only = read_survey(write(f"{head}{place},20210304,\n{place},20210306,\n"))
    assert only.survey.time_s is None or np.isnan(only.survey.time_s).all()


def test_a_time_without_a_date_needs_one(write: Write) -> None:
    text = "lon,lat,tmi,time\n140.1,-21,5,23:59:59\n140.2,-21,5,00:00:01\n"
    read = read_survey(write(text))
    assert read.survey.time_s is None
    assert "times have no date: give --date to use them" in read.notes
    told = read_survey(write(text), ReadOptions(date="2021-03-04"))
    assert told.survey.time_s is not None
    assert np.diff(told.survey.time_s).tolist() == [2.0]
    assert "the clock passed midnight 1 times: a day was added at each" in told.notes


def test_a_file_with_dates_only_has_a_date_and_no_times(write: Write) -> None:
    read = read_survey(write("lon,lat,tmi,date\n140.1,-21,5,20210304\n140.2,-21,5,20210306\n"))
    assert read.survey.time_s is None
    assert str(read.date) == "2021-03-05"


def test_a_base_station_is_read_in_the_order_of_time(write: Write) -> None:
    text = "time,base_nT\n2021-03-04T12:30:16,50002\n2021-03-04T12:30:15,50001\nnever,50003\n2021-03-04T12:30:17,\n"
    base = read_base_station(write(text))
    assert base.time_s.tolist() == [NOON, NOON + 1]
    assert base.tmi_nt.tolist() == [50001.0, 50002.0]
    assert base.rejected.count == 2


def test_a_base_station_of_blanks_and_seconds_takes_its_date_from_the_option(write: Write) -> None:
    path = write("seconds diurnal\n45015 50001.5\n45016 -99999\n45017 50002.5\n", "base.txt")
    base = read_base_station(path, ReadOptions(date="2021-03-04"))
    assert base.time_s.tolist() == [NOON, NOON + 2]
    assert base.tmi_nt.tolist() == [50001.5, 50002.5]
    with pytest.raises(BadSurvey, match="times have no date: give --date"):
        read_base_station(path)


def test_a_base_station_needs_time_and_field(write: Write) -> None:
    with pytest.raises(BadTable, match="no column gives the time"):
        read_base_station(write("x,mag\n1,50000\n2,50001\n"))
    with pytest.raises(BadTable, match="no numeric column is a magnetic reading"):
        read_base_station(write("time,x\n1,2\n2,3\n"))
    with pytest.raises(BadSurvey, match="has 1 usable readings"):
        read_base_station(write("time,mag\n1600000000,50000\n1600000000,50000\n"))
    dated = "date,time,mag\n20210304,12:30:15,50000\n20210304,12:30:16,50001\n"
    assert read_base_station(write(dated)).time_s.tolist() == [NOON, NOON + 1]
