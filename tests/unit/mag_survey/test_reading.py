from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quetzalcore.geophysics.survey import Survey
from quetzalcore.workloads.mag_survey.reading import backward_times, without_strays


def grid_of_stations(*strays: tuple[float, float]) -> Survey:
    """200 stations on ten lines around 470,000 E, 7,560,000 N, and ``strays`` on the last line."""
    east = 470_000.0 + 100.0 * np.repeat(np.arange(10), 20)
    north = 7_560_000.0 + 20.0 * np.tile(np.arange(20), 10)
    line = np.repeat(np.arange(10), 20)
    return Survey(
        easting_m=np.append(east, [place[0] for place in strays]),
        northing_m=np.append(north, [place[1] for place in strays]),
        tmi_nt=np.zeros(200 + len(strays)),
        line=np.append(line, [9] * len(strays)).astype(np.int32),
        line_names=tuple(f"L{k}" for k in range(10)),
    )


def test_a_station_at_zero_zero_on_a_projected_system_is_left_out_aloud() -> None:
    survey, (warning,) = without_strays(grid_of_stations((0.0, 0.0)))
    assert len(survey) == 200
    assert "1 station lies" in warning
    assert "0 E, 0 N on line L9" in warning


@pytest.mark.parametrize("distance_m", [0.0, 5_000.0])
def test_stations_within_reach_of_the_survey_stay(distance_m: float) -> None:
    survey, warnings = without_strays(grid_of_stations((470_500.0 + distance_m, 7_560_200.0)))
    assert len(survey) == 201
    assert warnings == ()


def test_a_clock_that_runs_backwards_within_a_line_is_told() -> None:
    survey = grid_of_stations()
    clock = np.arange(200.0)
    assert backward_times(replace(survey, time_s=clock)) == ()
    assert backward_times(replace(survey, time_s=clock[::-1].copy())) == ()
    clock[45] -= 30.0
    (warning,) = backward_times(replace(survey, time_s=clock))
    assert "within 1 line (the first is L2)" in warning
