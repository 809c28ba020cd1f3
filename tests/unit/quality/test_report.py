"""The report as a whole, and each of its measures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest

from quetzalcore.errors import BadSurvey
from quetzalcore.geophysics.quality import CultureKind, assess
from quetzalcore.geophysics.survey import Floats, HeightRole, Survey

Build = Callable[..., Survey]
Line = Callable[..., tuple[Floats, Floats]]


def test_a_clean_block_is_measured_and_draws_no_warning(block: Survey) -> None:
    report = assess(block)
    assert (report.stations, report.readings) == (len(block), len(block))
    assert report.line_km == pytest.approx(12.0)
    assert report.tie_km == pytest.approx(2.4)
    assert report.line_spacing_m == pytest.approx(100.0)
    assert report.station_spacing_m == pytest.approx(10.0)
    assert report.area_km2 == pytest.approx(1.2, rel=0.15)
    assert report.blocks[0].lines == 12
    assert len(report.duplicates) + len(report.spikes) + len(report.gaps) == 0
    assert report.height_m == {}
    assert report.height_role == ""
    assert report.speed_m_s == {}
    assert report.warnings == ()


def test_no_reading_at_all_is_refused(block: Survey) -> None:
    with pytest.raises(BadSurvey, match="no row has a reading"):
        assess(block.with_tmi(np.full(len(block), np.nan)))


def test_duplicates_are_later_rows_of_the_same_line_at_the_same_place(block: Survey) -> None:
    easting, northing = block.easting_m.copy(), block.northing_m.copy()
    easting[20], northing[20] = easting[10], northing[10]
    again = replace(block, easting_m=easting, northing_m=northing)
    assert assess(again).duplicates.tolist() == [20]


def test_standing_still_is_no_duplicate_where_time_goes_on(block: Survey) -> None:
    easting, northing = block.easting_m.copy(), block.northing_m.copy()
    easting[11], northing[11] = easting[10], northing[10]
    still = replace(block, easting_m=easting, northing_m=northing)
    timed = replace(still, time_s=np.arange(len(block), dtype=float))
    assert len(assess(timed).duplicates) == 0
    assert assess(replace(timed, time_s=None)).duplicates.tolist() == [11]


def test_jumps_and_silences_are_gaps(block: Survey) -> None:
    tmi = block.tmi_nt.copy()
    tmi[220:240] = np.nan
    tmi[400:403] = np.nan
    keep = np.ones(len(block), dtype=bool)
    keep[30:60] = False
    report = assess(block.with_tmi(tmi).select(keep))
    assert [gap.line for gap in report.gaps] == ["0", "2"]
    assert [gap.length_m for gap in report.gaps] == pytest.approx([310.0, 210.0])
    assert report.line_km == pytest.approx(12.0 - 0.31)
    assert any("2 gaps" in text for text in report.warnings)
    assert any("23 rows have no reading" in text for text in report.warnings)


def test_a_silence_at_a_line_end_reaches_to_that_end(block: Survey) -> None:
    tmi = block.tmi_nt.copy()
    tmi[90:101] = np.nan
    gap = assess(block.with_tmi(tmi)).gaps[0]
    assert (gap.first_row, gap.last_row) == (89, 100)


def test_spikes_are_counted_and_named(block: Survey) -> None:
    tmi = block.tmi_nt.copy()
    tmi[50] += 300.0
    report = assess(block.with_tmi(tmi))
    assert report.spikes.tolist() == [50]
    assert any("spikes" in text for text in report.warnings)


def test_heights_and_speed_are_summed_up_with_their_role(block: Survey) -> None:
    survey = replace(
        block,
        height_m=np.where(np.arange(len(block)) % 2 == 0, 20.0, 60.0),
        height_role=HeightRole.CLEARANCE,
        time_s=np.arange(len(block), dtype=np.float64) / 5.0,
    )
    report = assess(survey)
    assert report.height_role == "clearance"
    assert (report.height_m["min"], report.height_m["max"]) == (20.0, 60.0)
    assert report.speed_m_s["median"] == pytest.approx(50.0)
    assert any("equivalent sources" in text for text in report.warnings)


def test_noise_and_missing_ties_are_said(build: Build, line: Line) -> None:
    survey = build([line((0.0, 100.0 * i), 90.0, count=101) for i in range(6)])
    noisy = survey.with_tmi(np.random.default_rng(3).normal(0.0, 5.0, len(survey)))
    report = assess(noisy)
    assert report.noise_nt == pytest.approx(5.0, rel=0.2)
    assert any("no tie lines" in text for text in report.warnings)
    assert any("noise" in text for text in report.warnings)


def test_blocks_with_different_spacing_are_told_apart(build: Build, line: Line) -> None:
    first = [line((0.0, 100.0 * i), 90.0, count=101) for i in range(8)]
    second = [line((0.0, 90_000.0 + 200.0 * i), 90.0, count=101) for i in range(8)]
    report = assess(build(first + second))
    assert [block.spacing_m for block in report.blocks] == pytest.approx([100.0, 200.0])
    assert (report.blocks[1].first_line, report.blocks[1].last_line) == ("8", "15")
    assert any("line spacing differs" in text for text in report.warnings)


def test_blocks_with_the_same_spacing_are_one(build: Build, line: Line) -> None:
    first = [line((0.0, 100.0 * i), 90.0, count=101) for i in range(8)]
    second = [line((90_000.0, 103.0 * i), 0.0, count=4) for i in range(3)]
    third = [line((0.0, 90_000.0 + 100.0 * i), 90.0, count=101) for i in range(8)]
    blocks = assess(build(first + second + third)).blocks
    assert [(block.lines, round(block.spacing_m)) for block in blocks] == [(16, 100)]


def test_one_line_has_no_spacing_and_no_blocks(build: Build, line: Line) -> None:
    report = assess(build([line((0.0, 0.0), 90.0, count=60)]))
    assert np.isnan(report.line_spacing_m)
    assert report.blocks == ()


def test_coverage_is_the_distance_to_the_nearest_reading(block: Survey) -> None:
    coverage = assess(block).coverage
    assert coverage.attrs["units"] == "m"
    assert float(coverage.min()) == 0.0
    assert 0.0 < float(coverage.sel(northing=1125.0, easting=0.0, method="nearest")) < 200.0


def _with_bursts(survey: Survey, lines: Iterable[int], *, easting_m: float) -> Survey:
    tmi = survey.tmi_nt + np.random.default_rng(4).normal(0.0, 0.05, len(survey))
    for name in lines:
        rows = np.flatnonzero(survey.line == name)
        offset = (survey.easting_m[rows] - easting_m) / 12.0
        tmi[rows] += 80.0 * offset * np.exp(-0.5 * offset**2)
    return survey.with_tmi(tmi)


def test_a_pipeline_across_lines_is_flagged_as_linear(block: Survey) -> None:
    flags = assess(_with_bursts(block, range(3, 9), easting_m=450.0)).culture
    assert len(flags) >= 6
    assert {flag.kind for flag in flags} == {CultureKind.LINEAR}
    assert np.median([flag.easting_m for flag in flags]) == pytest.approx(450.0, abs=100.0)


def test_a_burst_on_one_line_is_isolated_and_nothing_is_deleted(block: Survey) -> None:
    survey = _with_bursts(block, [5], easting_m=450.0)
    report = assess(survey)
    assert {flag.kind for flag in report.culture} == {CultureKind.ISOLATED}
    assert {flag.line for flag in report.culture} == {"5"}
    assert report.readings == len(survey)
