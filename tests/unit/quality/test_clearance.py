from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from quetzalcore.geophysics.quality import assess, measured_clearance
from quetzalcore.geophysics.quality.clearance import find_clearance
from quetzalcore.geophysics.survey import Floats, HeightRole, Survey


@pytest.fixture
def line_of_five(build: Callable[..., Survey], line: Callable[..., object]) -> Survey:
    return build([line((0.0, 0.0), 90.0, count=5)])


def channels(**values: Floats) -> MappingProxyType[str, Floats]:
    return MappingProxyType(values)


def test_a_height_above_ground_is_the_clearance(line_of_five: Survey) -> None:
    heights = np.array([40.0, 50.0, np.nan, 60.0, 50.0])
    survey = replace(line_of_five, height_m=heights, height_role=HeightRole.CLEARANCE)
    found = find_clearance(survey, line_spacing_m=100.0)
    assert (found.source, found.usual_m) == ("the height column", 50.0)
    assert found.of_rows_m.tolist() == [40.0, 50.0, 50.0, 60.0, 50.0]


def test_other_heights_are_not_but_an_altimeter_is(line_of_five: Survey) -> None:
    survey = replace(
        line_of_five,
        height_m=np.full(5, 400.0),
        height_role=HeightRole.ELLIPSOIDAL,
        channels=channels(temperature=np.full(5, 30.0), Radar_Altimeter_m=np.full(5, 70.0)),
    )
    name, values = measured_clearance(survey)
    assert name == "Radar_Altimeter_m"
    assert values is not None
    assert find_clearance(survey, line_spacing_m=100.0).usual_m == 70.0


@pytest.mark.parametrize("useless", [np.full(5, np.nan), np.zeros(5)])
def test_an_altimeter_without_readings_is_none(line_of_five: Survey, useless: Floats) -> None:
    survey = replace(line_of_five, channels=channels(radar=useless))
    assert measured_clearance(survey) == ("", None)


@pytest.mark.parametrize(
    ("spacing_m", "assumed_m"), [(250.0, 80.0), (50.0, 30.0), (0.5, 1.0), (np.nan, 80.0)]
)
def test_what_is_unknown_is_assumed_lower_where_lines_are_closer(
    line_of_five: Survey, spacing_m: float, assumed_m: float
) -> None:
    found = find_clearance(line_of_five, line_spacing_m=spacing_m)
    assert found.source == ""
    assert found.usual_m == pytest.approx(assumed_m)
    assert (found.of_rows_m == found.usual_m).all()


def test_a_height_column_without_a_height_falls_back_to_what_is_assumed(
    line_of_five: Survey,
) -> None:
    survey = replace(line_of_five, height_m=np.full(5, np.nan), height_role=HeightRole.CLEARANCE)
    found = find_clearance(survey, line_spacing_m=250.0)
    assert (found.source, found.usual_m) == ("", 80.0)


def test_the_report_states_the_clearance(block: Survey) -> None:
    assert assess(block).clearance_m == pytest.approx(60.0)
