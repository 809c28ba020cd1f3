from __future__ import annotations

import numpy as np
import pytest

from quetzalcore.geophysics.forward import dipole_field, direction
from quetzalcore.geophysics.quality.blocks import LineBlocks, average_blocks
from quetzalcore.geophysics.quality.bursts import find_bursts
from quetzalcore.geophysics.quality.geometry import pieces_of, runs_of
from quetzalcore.geophysics.survey import Floats, Survey

BLOCK_M = 15.0
EXPECTED_M = 60.0
EARTH = direction(-55.0, 6.0)


def track(tmi_nt: Floats, pieces: int = 1) -> LineBlocks:
    count = len(tmi_nt)
    return LineBlocks(
        block_m=BLOCK_M,
        tmi_nt=tmi_nt,
        piece=np.arange(count) * pieces // count,
        first_row=np.arange(count),
    )


def dipole_nt(
    depth_m: float, aside_m: float = 0.0, *, count: int = 401, middle: int = 200
) -> Floats:
    """Give the anomaly of an induced dipole along a straight line, 100 nT or so."""
    north = (np.arange(count) - middle) * BLOCK_M
    moment = 0.5e1 * np.hypot(depth_m, aside_m) ** 3 * EARTH
    place = np.array([[aside_m, 0.0, -depth_m]])
    field = dipole_field(np.zeros(count), north, np.zeros(count), place, moment[None, :])
    return np.asarray(EARTH @ np.array(field))


def noise(count: int = 401) -> Floats:
    return np.random.default_rng(7).normal(0.0, 0.05, count)


@pytest.mark.parametrize("depth_m", [30.0, 45.0, 60.0, 80.0, 110.0, 150.0])
def test_the_distance_to_a_dipole_is_recovered(depth_m: float) -> None:
    found = find_bursts(track(dipole_nt(depth_m) + noise()), expected_m=EXPECTED_M)
    best = found.explained.argmax()
    assert found.distance_m[best] == pytest.approx(depth_m, rel=0.1)
    assert abs(found.block[best] - 200) <= 2


def test_a_dipole_beside_the_line_is_as_far_as_it_is() -> None:
    found = find_bursts(track(dipole_nt(60.0, 45.0) + noise()), expected_m=EXPECTED_M)
    assert found.distance_m[found.explained.argmax()] == pytest.approx(75.0, rel=0.1)


def test_a_near_source_fits_better_than_any_deep_one_and_a_deep_one_does_not() -> None:
    near = find_bursts(track(dipole_nt(60.0) + noise()), expected_m=EXPECTED_M)
    deep = find_bursts(track(dipole_nt(180.0) + noise()), expected_m=EXPECTED_M)
    assert near.nearer.max() > 100.0
    assert near.explained.max() > 0.99
    assert (deep.nearer < 5.0).all()


def test_the_amplitude_is_that_of_the_anomaly() -> None:
    anomaly = dipole_nt(50.0)
    found = find_bursts(track(anomaly + noise() + 0.1 * np.arange(401)), expected_m=EXPECTED_M)
    assert found.amplitude_nt.max() == pytest.approx(np.ptp(anomaly), rel=0.15)


def test_a_cubic_trend_is_no_burst() -> None:
    x = np.linspace(-1.0, 1.0, 401)
    found = find_bursts(track(300.0 * x**3 - 100.0 * x + noise()), expected_m=EXPECTED_M)
    assert (found.amplitude_nt < 1.0).all()


def test_nothing_is_looked_for_where_two_pieces_of_line_meet() -> None:
    anomaly = dipole_nt(60.0) + noise()
    assert len(find_bursts(track(anomaly), expected_m=EXPECTED_M)) > 0
    blocks = find_bursts(track(anomaly, pieces=2), expected_m=EXPECTED_M).block
    assert (np.abs(blocks - 200) > 6).all()


def test_a_line_shorter_than_the_window_has_no_bursts() -> None:
    assert len(find_bursts(track(noise(20)), expected_m=EXPECTED_M)) == 0


def test_blocks_hold_means_and_bridge_what_is_not_usable() -> None:
    east = np.linspace(0.0, 150.0, 31)
    survey = Survey(
        easting_m=east,
        northing_m=np.zeros(31),
        tmi_nt=np.where(np.arange(31) == 4, 9e9, east),
        line=np.repeat(np.array([0, 1], dtype=np.int32), [16, 15]),
        line_names=("a", "b"),
    )
    usable = np.arange(31) != 4
    usable[6:9] = False
    blocks = average_blocks(survey, pieces_of(survey, runs_of(survey)), usable=usable, block_m=15.0)
    level = np.median(east[usable])
    assert blocks.piece.tolist() == [0] * 5 + [1] * 5
    assert blocks.first_row.tolist() == [0, 3, 6, 9, 12, 16, 19, 22, 25, 28]
    expected = [5.0, 20.0, 35.0, 50.0, 67.5, 85.0, 100.0, 115.0, 130.0, 145.0]
    assert blocks.tmi_nt + level == pytest.approx(expected)
