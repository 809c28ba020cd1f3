"""Traverses, ties and the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyproj
import pytest

from quetzalcore.geophysics.quality import LineKind, assess, classify_lines
from quetzalcore.geophysics.quality.geometry import (
    axis_difference_deg,
    dominant_axis_deg,
    rotate,
    runs_of,
)
from quetzalcore.geophysics.survey import Floats, Survey

Build = Callable[..., Survey]
Line = Callable[..., tuple[Floats, Floats]]


def kinds(survey: Survey) -> list[LineKind]:
    return [line.kind for line in classify_lines(survey)]


@pytest.fixture
def osborne(osborne_file: Path) -> Survey:
    table = pd.read_csv(osborne_file)
    east, north = pyproj.Transformer.from_crs(4326, 32754, always_xy=True).transform(
        table["longitude"], table["latitude"]
    )
    frame = pd.DataFrame(
        {"easting_m": east, "northing_m": north, "tmi_nt": table["total_field_anomaly_nt"]}
    )
    return Survey.from_pandas(frame.assign(line=table["flight_line"]), crs="EPSG:32754")


def test_lines_across_many_others_are_ties(block: Survey) -> None:
    assert kinds(block) == [LineKind.TRAVERSE] * 12 + [LineKind.TIE] * 2


def test_kind_does_not_depend_on_where_north_is(block: Survey) -> None:
    along, across = rotate(block.easting_m, block.northing_m, axis_deg=37.0)
    turned = Survey(
        easting_m=along,
        northing_m=across,
        tmi_nt=block.tmi_nt,
        line=block.line,
        line_names=block.line_names,
    )
    assert kinds(turned) == kinds(block)


def test_ties_that_are_longer_in_all_than_the_traverses_are_still_ties(
    build: Build, line: Line
) -> None:
    traverses = [line((0.0, 100.0 * i), 90.0, count=41) for i in range(20)]
    ties = [line((53.0 + 300.0 * i, -900.0), 0.0, count=500) for i in range(2)]
    assert kinds(build(traverses + ties)) == [LineKind.TRAVERSE] * 20 + [LineKind.TIE] * 2


def test_a_mesh_of_equal_spacing_has_no_ties(build: Build, line: Line) -> None:
    one = [line((0.0, 100.0 * i), 90.0, count=101) for i in range(1, 10)]
    two = [line((100.0 * i, 0.0), 0.0, count=101) for i in range(1, 10)]
    assert set(kinds(build(one + two))) == {LineKind.TRAVERSE}


def test_a_single_crossing_line_of_the_rarer_direction_is_a_tie(build: Build, line: Line) -> None:
    survey = build([line((0.0, 0.0), 90.0, count=101), line((503.0, -203.0), 0.0, count=41)])
    assert kinds(survey) == [LineKind.TRAVERSE, LineKind.TIE]


def test_a_block_with_another_heading_has_traverses_of_its_own(build: Build, line: Line) -> None:
    first = [line((0.0, 100.0 * i), 90.0, count=101) for i in range(8)]
    second = [line((5000.0 + 140.0 * i, 0.0), 45.0, count=101) for i in range(5)]
    assert set(kinds(build(first + second))) == {LineKind.TRAVERSE}


def test_crosswise_lines_that_meet_nothing_are_traverses_when_long_and_other_when_short(
    build: Build, line: Line
) -> None:
    first = [line((0.0, 100.0 * i), 90.0, count=101) for i in range(8)]
    extra = [line((5000.0, 0.0), 0.0, count=80), line((7000.0, 0.0), 0.0, count=20)]
    assert kinds(build(first + extra))[-2:] == [LineKind.TRAVERSE, LineKind.OTHER]


def test_bends_single_stations_and_stray_headings_are_other(build: Build, line: Line) -> None:
    turn = np.radians(np.arange(0.0, 181.0, 5.0))
    loop = (300.0 * np.cos(turn), 5000.0 + 300.0 * np.sin(turn))
    point = (np.array([1.0]), np.array([2.0]))
    stray = line((0.0, -500.0), 135.0, count=11)
    lines = [line((0.0, 100.0 * i), 90.0, count=101) for i in range(6)]
    assert kinds(build([*lines, loop, point, stray]))[-3:] == [LineKind.OTHER] * 3


def test_a_summary_gives_heading_length_stations_and_noise(build: Build, line: Line) -> None:
    summary = classify_lines(build([line((0.0, 0.0), 225.0, count=51)], ["L10"]))[0]
    assert (summary.name, summary.index, summary.stations) == ("L10", 0, 51)
    assert summary.heading_deg == pytest.approx(225.0)
    assert summary.length_m == pytest.approx(500.0)
    assert summary.noise_nt < 1e-3


def test_opposite_headings_are_one_axis() -> None:
    axis = dominant_axis_deg(np.array([10.0, 190.0, 12.0, 95.0]), np.array([1.0, 1.0, 1.0, 2.0]))
    assert axis == pytest.approx(32.0 / 3.0, abs=0.1)
    assert axis_difference_deg(359.0, 181.0) == pytest.approx(2.0)


def test_an_empty_survey_has_no_lines() -> None:
    empty = np.zeros(0)
    survey = Survey(
        easting_m=empty, northing_m=empty, tmi_nt=empty, line=empty.astype(np.int32), line_names=()
    )
    assert len(runs_of(survey)) == 0
    assert classify_lines(survey) == ()


def test_osborne_has_285_traverses_and_22_ties_in_two_blocks(osborne: Survey) -> None:
    found = classify_lines(osborne)
    assert Counter(line.kind for line in found) == {LineKind.TRAVERSE: 285, LineKind.TIE: 22}
    ties = {int(line.name) for line in found if line.kind is LineKind.TIE}
    assert ties == {*range(5816, 5820), *range(10149, 10167)}
    report = assess(osborne, found)
    assert [round(block.spacing_m, -1) for block in report.blocks] == [250.0, 200.0]
    assert [block.lines for block in report.blocks] == [133, 152]
    assert report.line_km == pytest.approx(7077.0, abs=10.0)
    assert report.line_km * report.line_spacing_m / 1e3 == pytest.approx(report.area_km2, rel=0.05)
    assert len(report.gaps) == 15
