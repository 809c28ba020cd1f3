from __future__ import annotations

import numpy as np
import pytest

from quetzalcore.geophysics.quality.alignment import Crossings, aligned
from quetzalcore.geophysics.survey import Bools, Floats

SPACING_M = 100.0


def crossings(line: list[int], northing_m: Floats, *, distance_m: float = 60.0) -> Crossings:
    """Put places on lines that run north, 100 m apart."""
    count = len(line)
    return Crossings(
        easting_m=SPACING_M * np.array(line, dtype=np.float64),
        northing_m=northing_m,
        line=np.array(line, dtype=np.int32),
        heading_deg=np.where(np.arange(count) % 2, 180.0, 0.0),
        distance_m=np.full(count, distance_m),
        limit_m=np.full(count, 80.0),
    )


def find(places: Crossings, fewest_lines: int = 5) -> Bools:
    return aligned(places, line_spacing_m=SPACING_M, width_m=30.0, fewest_lines=fewest_lines)


@pytest.mark.parametrize("slope", [-1.5, 0.0, 0.3, 1.5])
def test_places_along_a_straight_line_are_aligned(slope: float) -> None:
    line = list(range(12))
    assert find(crossings(line, slope * SPACING_M * np.array(line))).all()


def test_lines_without_a_place_are_bridged() -> None:
    line = [0, 1, 3, 4, 6, 7, 9]
    assert find(crossings(line, np.zeros(7))).all()


def test_a_place_off_the_line_is_left_out() -> None:
    northing = np.zeros(12)
    northing[5] = 300.0
    found = find(crossings(list(range(12)), northing))
    assert not found[5]
    assert found.sum() == 11


def test_too_few_lines_are_no_feature() -> None:
    assert not find(crossings(list(range(4)), np.zeros(4))).any()
    assert find(crossings(list(range(4)), np.zeros(4)), fewest_lines=4).all()
    assert not find(crossings(list(range(3)), np.zeros(3)), fewest_lines=4).any()


def test_many_places_on_few_lines_are_no_feature() -> None:
    assert not find(crossings([0, 0, 0, 1, 1, 1, 2, 2, 2], np.tile([0.0, 20.0, 40.0], 3))).any()


def test_a_feature_along_the_lines_cannot_be_told() -> None:
    line = list(range(12))
    assert not find(crossings(line, 4.0 * SPACING_M * np.array(line))).any()


def test_a_source_that_is_crossed_at_an_angle_is_nearer_than_it_looks() -> None:
    line = list(range(12))
    oblique = np.sqrt(3.0) * SPACING_M * np.array(line)  # at 30 degrees to the lines
    assert find(crossings(line, oblique, distance_m=140.0))[1:-1].all()
    assert not find(crossings(line, oblique, distance_m=200.0)).any()
    assert not find(crossings(line, 0.0 * oblique, distance_m=140.0)).any()


def test_places_strewn_densely_are_not_aligned() -> None:
    rng = np.random.default_rng(2)
    line = np.repeat(np.arange(30), 20).tolist()
    assert find(crossings(line, rng.uniform(0.0, 3000.0, 600))).mean() < 0.02


def test_without_a_line_spacing_nothing_is_aligned() -> None:
    places = crossings(list(range(12)), np.zeros(12))
    assert not aligned(places, line_spacing_m=np.nan, width_m=30.0, fewest_lines=5).any()
