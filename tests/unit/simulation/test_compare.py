"""Found against true."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quetzalcore.geophysics.simulation import FoundTargets, TrueBody, compare


def _body(name: str, east: float, north: float, *, length_m: float = 0.0) -> TrueBody:
    return TrueBody(
        name=name,
        kind="dyke" if length_m else "sphere",
        easting_m=east,
        northing_m=north,
        strike_deg=90.0,
        length_m=length_m,
        ground_m=0.0,
        depth_to_top_m=50.0,
        depth_to_centre_m=100.0,
        susceptibility_si=0.1,
        magnetization_am=np.array([0.0, 0.0, -1.0]),
        source_class="unknown",
        amplitude_nt=100.0,
    )


def _found(*targets: tuple[float, float, float], centred: bool = False) -> FoundTargets:
    east, north, depth = (np.array([t[i] for t in targets]) for i in range(3))
    return FoundTargets(
        easting_m=east,
        northing_m=north,
        depth_m=depth,
        depth_low_m=depth - 15,
        depth_high_m=depth + 15,
        to_centre=np.full(len(targets), centred),
    )


def test_the_nearest_target_stands_beside_each_body() -> None:
    table = compare([_body("a", 0, 0), _body("b", 1000, 0)], _found((30, 40, 60), (10, 0, 80)))
    first, second = table.rows
    assert (first.target, first.distance_m, first.depth_found_m) == (1, 10.0, 80.0)
    assert second.target is None
    assert math.isnan(second.distance_m)
    assert math.isnan(second.depth_found_m)
    assert not second.inside_interval
    assert table.found == 1


def test_a_depth_inside_its_interval_is_said_to_be() -> None:
    inside = compare([_body("a", 0, 0)], _found((0, 0, 60))).rows[0]
    outside = compare([_body("a", 0, 0)], _found((0, 0, 80))).rows[0]
    assert inside.inside_interval
    assert not outside.inside_interval
    assert (inside.depth_low_m, inside.depth_true_m, inside.depth_high_m) == (45, 50, 75)


def test_a_depth_to_the_centre_is_compared_with_the_centre() -> None:
    row = compare([_body("a", 0, 0)], _found((0, 0, 110), centred=True)).rows[0]
    assert row.to_centre
    assert row.depth_true_m == 100
    assert row.inside_interval


def test_targets_near_no_body_are_false() -> None:
    table = compare([_body("a", 0, 0)], _found((0, 0, 60), (900, 0, 60), (0, 350, 1)))
    assert table.false_targets == (1, 2)
    assert compare([_body("a", 0, 0)], _found((0, 350, 60)), reach_m=400).false_targets == ()


def test_a_target_anywhere_along_a_dyke_is_about_it() -> None:
    table = compare([_body("d", 0, 0, length_m=2000)], _found((900, 30, 60), (1000 + 40, 30, 60)))
    assert table.false_targets == ()
    assert table.rows[0].distance_m == pytest.approx(30)
    second = compare([_body("d", 0, 0, length_m=2000)], _found((1040, 30, 60)))
    assert second.rows[0].distance_m == pytest.approx(50)


def test_an_unknown_depth_is_inside_nothing() -> None:
    row = compare([_body("a", 0, 0)], _found((0, 0, float("nan")))).rows[0]
    assert row.target == 0
    assert not row.inside_interval


def test_nothing_found_and_nothing_there_are_fine() -> None:
    empty = FoundTargets(
        easting_m=[], northing_m=[], depth_m=[], depth_low_m=[], depth_high_m=[], to_centre=[]
    )
    table = compare([_body("a", 0, 0)], empty)
    assert (table.found, table.false_targets) == (0, ())
    assert compare([], _found((0, 0, 1))).false_targets == (0,)
