"""Heading: by table or by opposite neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.conditioning import correct_heading
from quetzalcore.geophysics.conditioning.heading import estimate_heading_offset
from quetzalcore.geophysics.quality import LineSummary
from quetzalcore.geophysics.survey import Survey


def test_an_offset_between_directions_is_found_and_removed(
    flown: Survey, lines: tuple[LineSummary, ...]
) -> None:
    eastward = (flown.line < 21) & (flown.line % 2 == 0)
    noise = np.random.default_rng(1).normal(0.0, 0.2, len(flown))
    survey = flown.with_tmi(flown.tmi_nt + noise + np.where(eastward, 4.0, 0.0))
    step = correct_heading(survey, lines)
    assert step.details["offset_nt"] == pytest.approx(4.0, abs=0.4)
    left = step.tmi_nt - flown.tmi_nt - noise
    traverses = flown.line < 21
    assert left[traverses].std() < 0.2
    assert left[traverses].mean() == pytest.approx(2.0, abs=0.2)
    assert (step.tmi_nt == survey.tmi_nt)[~traverses].all()


def test_no_offset_is_no_change(flown: Survey, lines: tuple[LineSummary, ...]) -> None:
    noise = np.random.default_rng(8).normal(0.0, 3.0, len(lines))[flown.line]
    step = correct_heading(flown.with_tmi(flown.tmi_nt + noise), lines)
    assert step.rows_changed == 0
    assert "does not differ from zero" in step.warnings[0]


def test_too_few_opposite_lines_are_said(flown: Survey, lines: tuple[LineSummary, ...]) -> None:
    few = flown.select(flown.line < 5)
    found = estimate_heading_offset(few, lines)
    assert (found.offset_nt, found.error_nt, found.significant) == (0.0, np.inf, False)
    alone = estimate_heading_offset(flown.select(flown.line == 0), lines)
    assert alone.lines == 0


def test_a_table_is_interpolated_around_the_circle(
    flown: Survey, lines: tuple[LineSummary, ...]
) -> None:
    step = correct_heading(flown, lines, table={0.0: 1.0, 90.0: 5.0, 180.0: 3.0, 270.0: -5.0})
    taken = flown.tmi_nt - step.tmi_nt
    assert taken[flown.line == 0] == pytest.approx(5.0)
    assert taken[flown.line == 1] == pytest.approx(-5.0)
    assert taken[flown.line == 22] == pytest.approx(1.0)
    halfway = correct_heading(flown, lines, table={350.0: 2.0, 10.0: 4.0})
    assert (flown.tmi_nt - halfway.tmi_nt)[flown.line == 22] == pytest.approx(3.0)


def test_an_empty_table_is_refused(flown: Survey, lines: tuple[LineSummary, ...]) -> None:
    with pytest.raises(BadParameter, match="table is empty"):
        correct_heading(flown, lines, table={})
