from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.deposits import ClassProbability
from quetzalcore.geophysics.targets import (
    Anomaly,
    BodyShape,
    DepthEstimate,
    Polarity,
    assess,
    classify,
    design_hole,
    evidence_of,
    hole_through,
    rank,
    score_parts,
)
from quetzalcore.geophysics.targets.depths import below_reference, combine_depths

pytestmark = pytest.mark.kernels

ANOMALY = Anomaly(
    id=1,
    polarity=Polarity.POSITIVE,
    shape=BodyShape.BLOCK,
    easting_m=500_000.0,
    northing_m=7_500_000.0,
    amplitude_nt=400.0,
    outline=((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)),
    area_m2=90_000.0,
    length_m=350.0,
    width_m=300.0,
    strike_deg=20.0,
    source_width_m=200.0,
    source_length_m=240.0,
    depth_m=150.0,
    depth_interval_m=(120.0, 190.0),
    depth_reference="ground",
    depth_methods=(DepthEstimate(method="fit of a block", depth_m=230.0, sigma_m=20.0),),
    susceptibility_si=0.3,
    susceptibility_interval_si=(0.15, 0.6),
    magnetization_inclination_deg=-53.0,
    magnetization_declination_deg=6.0,
    remanence_angle_deg=5.0,
    remanence_angle_sigma_deg=8.0,
    fit=0.98,
    scale_m=150.0,
    culture=False,
    reasons=("a block explains 98 % of the field here",),
)
COPPER = (
    ClassProbability(name="magnetite_copper_gold", probability=0.7),
    ClassProbability(name="mafic_volcanic", probability=0.3),
)
STEEL = (ClassProbability(name="cultural", probability=0.9),)
UNKNOWN = (ClassProbability(name="unknown", probability=1.0),)


def test_a_target_carries_everything_that_a_driller_asks_for() -> None:
    target = rank([ANOMALY], [COPPER], commodity="copper")[0]
    assert target.rank == 1
    assert (target.easting_m, target.northing_m) == (500_000.0, 7_500_000.0)
    assert (target.depth_m, target.depth_interval_m) == (150.0, (120.0, 190.0))
    assert target.anomaly_nt == 400.0
    assert target.collar == target.hole.collar
    assert target.dip_deg == -90.0
    assert target.azimuth_deg == 0.0
    assert target.hole_length_m == pytest.approx(1.15 * 190.0)
    assert 0.0 < target.score < 1.0
    assert "magnetite copper gold (70 %, uncalibrated)" in target.reasons[0]
    assert ANOMALY.reasons[0] in target.reasons


@pytest.mark.parametrize(
    "change",
    [
        {"amplitude_nt": 40.0},
        {"depth_m": 600.0},
        {"depth_interval_m": (20.0, 900.0)},
        {"fit": 0.3},
        {"area_m2": 5000.0},
    ],
)
def test_whatever_is_worse_ranks_lower(change: dict[str, Any]) -> None:
    worse = replace(ANOMALY, id=2, **change)
    found = rank([worse, ANOMALY], [COPPER, COPPER], commodity="copper")
    assert [target.anomaly.id for target in found] == [1, 2]


def test_an_interesting_class_outranks_a_dull_one() -> None:
    dull = tuple(replace(each, name="mafic_dyke") for each in COPPER)
    found = rank([replace(ANOMALY, id=2), ANOMALY], [dull, COPPER], commodity="copper")
    assert found[0].anomaly.id == 1
    assert found[1].source_classes == dull
    assert found[0].score > found[1].score


def test_without_a_commodity_every_class_that_hosts_any_counts() -> None:
    iron = (ClassProbability(name="magnetite_iron_ore", probability=1.0),)
    parts = {part.name: part.value for part in rank([ANOMALY], [iron])[0].score_parts}
    assert parts["interesting source classes"] == 1.0
    copper = rank([ANOMALY], [iron], commodity="copper")[0]
    assert copper.score_parts[0].value == 0.01


def test_nothing_is_dropped_without_a_reason() -> None:
    anomalies = [
        replace(ANOMALY, id=1),
        replace(ANOMALY, id=2, culture=True),
        replace(ANOMALY, id=3, amplitude_nt=10.0),
        replace(ANOMALY, id=4, amplitude_nt=100.0),
        replace(ANOMALY, id=5),
    ]
    found = assess(anomalies, [COPPER, COPPER, COPPER, COPPER, STEEL], top_n=1, min_anomaly_nt=20.0)
    assert [target.anomaly.id for target in found.targets] == [1]
    reasons = {each.anomaly_id: each.reason for each in found.excluded}
    assert set(reasons) == {2, 3, 4, 5}
    assert "culture" in reasons[2]
    assert "10 nT is below the least of 20 nT" in reasons[3]
    assert "ranks below the 1" in reasons[4]
    assert "most likely cultural (90 %)" in reasons[5]


def test_an_unknown_source_is_called_that() -> None:
    assert "of unknown source" in rank([ANOMALY], [UNKNOWN])[0].reasons[0]


def test_an_anomaly_becomes_evidence_and_classes() -> None:
    nothing = replace(
        ANOMALY,
        shape=BodyShape.UNRESOLVED,
        susceptibility_si=np.nan,
        susceptibility_interval_si=(np.nan, np.nan),
        source_width_m=np.nan,
        source_length_m=np.nan,
        remanence_angle_deg=np.nan,
        remanence_angle_sigma_deg=np.nan,
    )
    columns = evidence_of([ANOMALY, nothing]).columns()
    assert columns["susceptibility_sigma_dex"][0] == pytest.approx(
        np.log10(4.0) / (2 * 1.2815515655446004)
    )
    assert np.isnan(columns["susceptibility_sigma_dex"][1])
    classes = classify([ANOMALY, nothing])
    assert [sum(c.probability for c in row) for row in classes] == pytest.approx([1.0, 1.0])
    assert classify([]) == ()


@pytest.mark.parametrize(
    ("anomalies", "classes", "top_n"), [([ANOMALY], [], 5), ([ANOMALY], [COPPER], 0)]
)
def test_a_ranking_that_makes_no_sense_is_refused(
    anomalies: list[Anomaly], classes: list[tuple[ClassProbability, ...]], top_n: int
) -> None:
    with pytest.raises(BadParameter, match="one discrimination for each"):
        rank(anomalies, classes, top_n=top_n)


def test_a_commodity_that_no_row_names_is_refused() -> None:
    with pytest.raises(BadParameter, match="no commodity is named 'cheese'"):
        rank([ANOMALY], [COPPER], commodity="cheese")


def test_a_sheet_is_drilled_across_strike() -> None:
    sheet = replace(ANOMALY, shape=BodyShape.SHEET, strike_deg=30.0)
    hole = design_hole(sheet)
    assert hole.dip_deg == -60.0
    assert hole.azimuth_deg == 300.0
    assert "not known" in hole.reasons[0]


@pytest.mark.parametrize(("dips_to", "azimuth"), [(120.0, 300.0), (300.0, 120.0), (100.0, 300.0)])
def test_a_known_dip_is_drilled_against(dips_to: float, azimuth: float) -> None:
    sheet = replace(ANOMALY, shape=BodyShape.SHEET, strike_deg=30.0)
    hole = design_hole(sheet, dip_direction_deg=dips_to)
    assert hole.azimuth_deg == azimuth
    assert "against the dip" in hole.reasons[0]


def test_a_shallow_compact_body_is_drilled_steeply() -> None:
    shallow = replace(ANOMALY, depth_m=40.0, depth_interval_m=(30.0, 60.0))
    assert design_hole(shallow).dip_deg == -75.0


@pytest.mark.parametrize("dip_deg", [0.0, 10.0, -91.0])
def test_a_hole_that_does_not_go_down_is_refused(dip_deg: float) -> None:
    with pytest.raises(BadParameter, match="does not point down"):
        hole_through(0.0, 0.0, 10.0, azimuth_deg=0.0, dip_deg=dip_deg, bottom_m=20.0)


def test_a_hole_that_ends_above_its_target_is_refused() -> None:
    with pytest.raises(BadParameter, match="in that order"):
        hole_through(0.0, 0.0, 30.0, azimuth_deg=0.0, dip_deg=-60.0, bottom_m=20.0)


def _estimate(depth_m: float, sigma_m: float = 20.0) -> DepthEstimate:
    return DepthEstimate(method="any", depth_m=depth_m, sigma_m=sigma_m)


def test_agreeing_depths_narrow_the_interval_down_to_a_floor() -> None:
    one = combine_depths([_estimate(100.0, 40.0)])[1]
    four = combine_depths([_estimate(100.0, 40.0)] * 4)[1]
    assert four[1] - four[0] < one[1] - one[0]
    many = combine_depths([_estimate(100.0, 1.0)] * 50)
    assert many[1][1] / many[0] == pytest.approx(np.exp(0.1 * 1.2815515655446004))


def test_one_wild_method_does_not_pull_the_depth() -> None:
    depth, (low, high) = combine_depths([*[_estimate(100.0)] * 3, _estimate(1000.0, 200.0)])
    assert depth < 130.0
    assert low < 100.0 < high


def test_hopeless_estimates_are_held_to_a_factor() -> None:
    depth, (low, high) = combine_depths([_estimate(100.0, 1e6)])
    assert high / depth == pytest.approx(depth / low)
    assert high / depth < 4.0


def test_a_depth_is_never_above_its_reference() -> None:
    assert below_reference(50.0, sensor_height_m=80.0) > 0.0
    assert below_reference(150.0, sensor_height_m=80.0) == 70.0


def test_parts_of_the_score_are_those_of_the_documentation() -> None:
    anomaly = replace(
        ANOMALY, depth_m=300.0, depth_interval_m=(200.0, 400.0), amplitude_nt=1000.0, fit=0.9,
        area_m2=0.09e6,
    )  # fmt: skip
    parts = {
        part.name: (part.value, part.weight)
        for part in score_parts(anomaly, UNKNOWN, wanted=frozenset(), least_nt=1.0)
    }
    assert parts["interesting source classes"] == (0.01, 3.0)
    assert parts["amplitude"] == pytest.approx((2.0 / 3.0, 2.0))
    assert parts["shallow depth"] == pytest.approx((0.5, 1.0))
    assert parts["certainty of depth"] == pytest.approx((0.5, 0.5))
    assert parts["fit of a simple body"] == pytest.approx((0.9, 1.0))
    assert parts["size"] == pytest.approx((0.6, 0.5))
