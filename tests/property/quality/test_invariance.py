"""What must not depend on where the axes are, or on the level of the field."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quetzalcore.geophysics.quality import assess, classify_lines, split_lines
from quetzalcore.geophysics.quality.geometry import (
    axis_difference_deg,
    dominant_axis_deg,
    rotate,
    runs_of,
)
from quetzalcore.geophysics.quality.noise import fourth_difference_nt, run_noise_nt
from quetzalcore.geophysics.survey import Floats, Survey

angles = st.floats(0.0, 360.0)


def block(turn_deg: float, *, shift_m: float = 0.0) -> Survey:
    """Fly eight traverses and two ties, turned and shifted."""
    along = 10.0 * np.arange(41)
    east = [along if i % 2 == 0 else along[::-1] for i in range(8)]
    north = [np.full(41, 50.0 * i) for i in range(8)]
    east += [np.full(45, x) for x in (103.0, 303.0)]
    north += [10.0 * np.arange(45) - 37.0] * 2
    easting, northing = rotate(np.concatenate(east), np.concatenate(north), axis_deg=turn_deg)
    number = np.repeat(np.arange(10), [len(part) for part in east])
    return Survey(
        easting_m=easting + shift_m,
        northing_m=northing - shift_m,
        tmi_nt=np.random.default_rng(1).normal(0.0, 1.0, len(easting)),
        line=number.astype(np.int32),
        line_names=tuple("abcdefghij"),
    )


@settings(max_examples=25, deadline=None)
@given(angles, st.floats(-1e6, 1e6))
def test_turning_and_shifting_the_axes_changes_no_measure(turn_deg: float, shift_m: float) -> None:
    there, here = assess(block(turn_deg, shift_m=shift_m)), assess(block(90.0))
    assert [line.kind for line in there.lines] == [line.kind for line in here.lines]
    assert np.isclose(there.line_km, here.line_km)
    assert np.isclose(there.line_spacing_m, here.line_spacing_m, rtol=1e-3)
    assert np.isclose(there.noise_nt, here.noise_nt)
    assert len(there.duplicates) == len(there.gaps) == 0


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(10)))
def test_the_order_of_the_lines_does_not_change_their_kinds(order: list[int]) -> None:
    survey = block(20.0)
    rows = np.concatenate([np.flatnonzero(survey.line == i) for i in order])
    kinds = {line.name: line.kind for line in classify_lines(survey)}
    assert {line.name: line.kind for line in classify_lines(survey.select(rows))} == kinds


@settings(max_examples=25, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(0.01, 100.0))
def test_noise_scales_with_the_readings_and_forgets_their_level(
    level: float, factor: float
) -> None:
    survey = block(0.0)
    runs = runs_of(survey)

    def noise(values: Floats) -> Floats:
        return run_noise_nt(fourth_difference_nt(values, runs), runs)

    scaled = noise(factor * survey.tmi_nt + level)
    assert np.allclose(scaled, factor * noise(survey.tmi_nt), rtol=1e-6, atol=1e-8)


@given(st.lists(angles, min_size=1, max_size=9))
def test_reversing_any_line_leaves_the_dominant_axis(headings: list[float]) -> None:
    one = np.array(headings)
    weight = np.linspace(1.0, 2.0, len(one)) ** 3
    axis = dominant_axis_deg(one % 180.0, weight)
    assert axis_difference_deg(axis, dominant_axis_deg(one % 180.0 + 180.0, weight)) < 1e-6


@settings(max_examples=25, deadline=None)
@given(angles, st.integers(3, 60), st.integers(0, 2**31))
def test_line_numbers_count_up_by_one(turn_deg: float, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    heading = np.radians(turn_deg + np.cumsum(rng.normal(0.0, 10.0, count)))
    number = split_lines(np.cumsum(np.sin(heading)), np.cumsum(np.cos(heading)))
    assert number[0] == 0
    assert set(np.diff(number).tolist()) <= {0, 1}


@settings(max_examples=15, deadline=None)
@given(angles, st.floats(-1e4, 1e4))
def test_culture_stays_where_it_is_when_axes_turn_and_the_level_changes(
    turn_deg: float, level_nt: float
) -> None:
    along = np.tile(7.0 * np.arange(150), 8)
    across = np.repeat(100.0 * np.arange(8), 150)
    distance_squared = (along - 500.0 - 0.3 * across) ** 2 + 60.0**2
    noise = np.random.default_rng(5).normal(0.0, 0.05, len(along))

    def flags(axis_deg: float, level: float) -> list[tuple[str, str]]:
        easting, northing = rotate(along, across, axis_deg=axis_deg)
        survey = Survey(
            easting_m=easting,
            northing_m=northing,
            tmi_nt=level + noise + 20.0 * (60.0**2 / distance_squared) ** 2.5,
            line=np.repeat(np.arange(8, dtype=np.int32), 150),
            line_names=tuple("abcdefgh"),
        )
        return [(f.kind.value, f.line) for f in assess(survey).culture]

    assert len(flags(90.0, 0.0)) == 8
    assert flags(turn_deg, level_nt) == flags(90.0, 0.0)
