"""Lines from a track without line numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from quetzalcore.errors import BadSurvey
from quetzalcore.geophysics.quality import LineKind, classify_lines, split_lines
from quetzalcore.geophysics.survey import Floats, Survey


def boustrophedon(*, lines: int, count: int, spacing_m: float) -> tuple[Floats, Floats]:
    """Fly east and west with half-circle turns of many stations, then one tie north."""
    parts = []
    for i in range(lines):
        x = 10.0 * np.arange(count)
        x = x if i % 2 == 0 else x[::-1]
        parts.append((x, np.full(count, spacing_m * i)))
        turn = np.linspace(0.0, np.pi, 40)[1:-1]
        side = 1.0 if i % 2 == 0 else -1.0
        bulge = x[-1] + side * 200.0 * np.sin(turn)
        parts.append((bulge, spacing_m * (i + 0.5 - 0.5 * np.cos(turn))))
    tie = (np.full(count, 503.0), -100.0 + 10.0 * np.arange(count))
    east, north = zip(*parts, tie, strict=True)
    return np.concatenate(east), np.concatenate(north)


def numbered(easting: Floats, northing: Floats) -> Survey:
    number = split_lines(easting, northing)
    names = tuple(str(i) for i in range(number.max() + 1))
    return Survey(
        easting_m=easting,
        northing_m=northing,
        tmi_nt=np.zeros(len(easting)),
        line=number,
        line_names=names,
    )


def test_traverses_turns_and_ties_are_told_apart() -> None:
    easting, northing = boustrophedon(lines=8, count=150, spacing_m=100.0)
    found = classify_lines(numbered(easting, northing))
    count = Counter(line.kind for line in found)
    assert count[LineKind.TRAVERSE] == 8
    assert count[LineKind.TIE] == 1
    long = [line for line in found if line.kind is LineKind.TRAVERSE]
    assert all(1400.0 < line.length_m < 1900.0 for line in long)


def test_jumps_begin_new_lines_even_where_the_heading_stays() -> None:
    easting = np.concatenate([10.0 * np.arange(50), 5000.0 + 10.0 * np.arange(50)])
    number = split_lines(easting, np.zeros(100))
    assert number.tolist() == [0] * 50 + [1] * 50


def test_time_gaps_and_backward_time_begin_new_lines() -> None:
    easting = 10.0 * np.arange(90.0)
    time = np.arange(90.0)
    time[30:] += 600.0
    time[60:] -= 300.0
    number = split_lines(easting, np.zeros(90), time_s=time)
    assert np.flatnonzero(np.diff(number)).tolist() == [29, 59]


def test_unknown_time_does_not_matter() -> None:
    easting = 10.0 * np.arange(90.0)
    assert split_lines(easting, np.zeros(90), time_s=np.full(90, np.nan)).max() == 0


def test_sharp_corners_leave_no_stations_over() -> None:
    x = 10.0 * np.arange(60)
    east = np.concatenate([x, np.full(59, 590.0)])
    north = np.concatenate([np.zeros(60), 10.0 * np.arange(1, 60)])
    number = split_lines(east, north)
    assert number.max() == 1
    assert abs(int(np.flatnonzero(np.diff(number))[0]) - 59) <= 2


def test_a_track_that_only_wanders_is_one_line() -> None:
    turn = np.linspace(0.0, 40.0 * np.pi, 2000)
    number = split_lines(500.0 * np.cos(turn), 500.0 * np.sin(turn))
    assert number[0] == 0
    assert (np.diff(number) >= 0).all()


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(BadSurvey, match="2 rows make no line"):
        split_lines(np.zeros(2), np.zeros(2))


def test_a_track_that_stands_still_is_refused() -> None:
    with pytest.raises(BadSurvey, match="no station differs"):
        split_lines(np.ones(9), np.ones(9))
