"""Costs by hand, spacing, drilling, the decision tree, and the whole analysis."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.economics import (
    CostRequest,
    Method,
    Platform,
    Rate,
    Rates,
    Target,
    compare_blind_drilling,
    estimate,
    expected_cost_usd,
    expected_value_of_information,
    line_km,
    load_rates,
    optimal_spacing,
    sample_costs,
    to_dict,
)


def fixed_rates() -> Rates:
    """Give every rate one certain value: its median."""
    return Rates(
        by_name={
            name: Rate(unit=r.unit, p10=r.p50, p50=r.p50, p90=r.p50, source=r.source, date=r.date)
            for name, r in load_rates().by_name.items()
        }
    )


def test_line_kilometres_are_those_of_two_published_surveys() -> None:
    assert line_km(10.0, 100.0) == pytest.approx(117.0)
    assert line_km(10.0, 100.0, tie_fraction=0.0, edge_fraction=0.0) == pytest.approx(100.0)


@pytest.mark.parametrize("bad", [(0.0, 100.0), (10.0, 0.0), (math.nan, 100.0), (math.inf, 1.0)])
def test_line_kilometres_of_nothing_are_refused(bad: tuple[float, float]) -> None:
    with pytest.raises(BadParameter, match="area"):
        line_km(*bad)
    with pytest.raises(BadParameter, match="ties"):
        line_km(1.0, 1.0, tie_fraction=-0.1)


def test_certain_rates_give_the_cost_that_a_hand_computes() -> None:
    request = CostRequest(area_km2=10.0, line_spacing_m=100.0, draws=1000)
    # 117 line-km: acquisition 80, standby a tenth of it, processing 2.50; the rest is fixed
    by_hand = (12_000 + 9_360 + 936 + 292.5 + 9_000 + 8_000 + 4_000) * 1.10
    assert expected_cost_usd(request, fixed_rates(), spacing_m=100.0) == pytest.approx(by_hand)
    result = estimate(request, fixed_rates(), np.random.default_rng(0))
    assert result.total_usd.p10 == pytest.approx(by_hand)
    assert result.total_usd.p90 == pytest.approx(by_hand)
    assert result.usd_per_line_km.p50 == pytest.approx(by_hand / 117)
    assert not result.spacing_was_optimised
    assert result.line_km == pytest.approx(117.0)


def test_more_methods_add_their_surcharge() -> None:
    plain = CostRequest(area_km2=10.0)
    both = CostRequest(
        area_km2=10.0, methods=(Method.MAGNETOMETRY, Method.GRADIOMETRY, Method.RADIOMETRICS)
    )
    more = expected_cost_usd(both, fixed_rates(), spacing_m=100.0)
    less = expected_cost_usd(plain, fixed_rates(), spacing_m=100.0)
    assert more - less == pytest.approx(9_360 * (0.20 + 0.10) * 1.10)


@pytest.mark.parametrize("platform", list(Platform))
def test_drawn_costs_average_to_the_closed_form(platform: Platform) -> None:
    request = CostRequest(area_km2=50.0, platform=platform, draws=200_000)
    items = sample_costs(request, load_rates(), np.random.default_rng(1), spacing_m=150.0)
    drawn = sum(float(values.mean()) for values in items.values())
    closed = expected_cost_usd(request, load_rates(), spacing_m=150.0)
    assert drawn == pytest.approx(closed, rel=0.01)


def test_the_best_spacing_of_a_strong_body_is_its_own_width() -> None:
    # Wider lines lose crossings in proportion and save less than that; closer lines only cost.
    request = CostRequest(area_km2=10.0, target=Target(length_m=200.0, susceptibility_si=1.0))
    best = optimal_spacing(request, load_rates())
    assert best.spacing_m == pytest.approx(200.0)
    assert best.probability == pytest.approx(1.0)
    assert len(best.table) == 81
    assert best.probability / best.expected_cost_usd == max(p / c for _, p, c in best.table)


def test_the_best_spacing_is_chosen_from_given_candidates() -> None:
    request = CostRequest(area_km2=10.0)
    best = optimal_spacing(request, load_rates(), spacings_m=[50.0, 100.0, 400.0])
    assert best.spacing_m in {50.0, 100.0, 400.0}
    assert [row[0] for row in best.table] == [50.0, 100.0, 400.0]


def test_blind_drilling_needs_the_holes_that_a_hand_computes() -> None:
    radius = math.sqrt(1e5 / math.pi)  # a tenth of one square kilometre
    request = CostRequest(
        area_km2=1.0, target=Target(length_m=2 * radius), hole_depth_m=100.0, follow_up_holes=2
    )
    survey = np.full(1000, 30_000.0)
    answer = compare_blind_drilling(
        request, fixed_rates(), np.random.default_rng(0), probability=0.9, survey_usd=survey
    )
    assert answer.hit_per_hole == pytest.approx(0.1)
    assert answer.holes == math.ceil(math.log(0.1) / math.log(0.9)) == 22
    np.testing.assert_allclose(answer.drilling_usd, 40_000 + 22 * 100 * 220)
    np.testing.assert_allclose(answer.survey_usd, 30_000 + 40_000 + 2 * 100 * 220)


def test_a_certain_survey_is_rivalled_at_999_in_1000() -> None:
    request = CostRequest(area_km2=1.0, target=Target(length_m=200.0), follow_up_holes=0)
    answer = compare_blind_drilling(
        request, fixed_rates(), np.random.default_rng(0), probability=1.0, survey_usd=np.zeros(10)
    )
    hit = math.pi * 100.0**2 / 1e6
    assert answer.holes == math.ceil(math.log(0.001) / math.log(1 - hit))


@pytest.mark.parametrize(
    ("probability", "area_km2", "holes"), [(0.0, 1.0, 0.0), (0.5, 0.01, 1.0), (1e-9, 1.0, 1.0)]
)
def test_hopeless_and_certain_drilling_need_no_logarithm(
    probability: float, area_km2: float, holes: float
) -> None:
    request = CostRequest(area_km2=area_km2, target=Target(length_m=200.0), follow_up_holes=0)
    survey = np.full(10, 7.0)
    answer = compare_blind_drilling(
        request, fixed_rates(), np.random.default_rng(0), probability=probability, survey_usd=survey
    )
    assert answer.holes == holes
    np.testing.assert_array_equal(answer.survey_usd, survey)


def test_the_decision_tree_is_the_one_that_a_hand_draws() -> None:
    answer = expected_value_of_information(
        prior_probability=0.1,
        discovery_value_usd=1000.0,
        drilling_usd=200.0,
        survey_usd=10.0,
        detection=0.8,
        false_alarm=0.2,
    )
    # Drilling blind loses 100: walk away. Found in 26 % of cases, there in 8 of 26.
    assert answer.without_usd == 0.0
    assert answer.with_usd == pytest.approx(0.08 * 1000 - 0.26 * 200)
    assert answer.information_usd == pytest.approx(28.0)
    assert answer.net_usd == pytest.approx(18.0)
    assert answer.perfect_usd == pytest.approx(0.1 * 800)
    assert answer.posterior_if_found == pytest.approx(8 / 26)
    assert answer.posterior_if_not == pytest.approx(2 / 74)


def test_an_answer_that_cannot_occur_has_no_posterior() -> None:
    answer = expected_value_of_information(
        prior_probability=0.5, discovery_value_usd=1.0, drilling_usd=0.1, survey_usd=0.0,
        detection=0.0, false_alarm=0.0,
    )  # fmt: skip
    assert math.isnan(answer.posterior_if_found)
    assert answer.posterior_if_not == 0.5


def test_a_chance_above_one_is_refused() -> None:
    with pytest.raises(BadParameter, match="detection"):
        expected_value_of_information(
            prior_probability=0.5, discovery_value_usd=1.0, drilling_usd=0.1, survey_usd=0.0,
            detection=1.1, false_alarm=0.0,
        )  # fmt: skip


def test_the_whole_analysis_is_repeatable_and_writes_as_json() -> None:
    request = CostRequest(
        project_type="mag_survey",  # type: ignore[arg-type]  # as it comes from JSON
        methods=["magnetometry"],  # type: ignore[arg-type]  # as it comes from JSON
        area_km2=10.0,
        prior_probability=0.1,
        discovery_value_usd=2e7,
        draws=2000,
    )
    first = estimate(request, load_rates(), np.random.default_rng(7))
    second = estimate(request, load_rates(), np.random.default_rng(7))
    assert first == second
    plain = to_dict(first)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert first.total_usd.p10 < first.total_usd.p50 < first.total_usd.p90
    assert first.spacing_was_optimised
    assert first.information is not None
    assert first.information.information_usd <= first.information.perfect_usd
    assert sum(item.mean for item in first.breakdown_usd.values()) == pytest.approx(
        first.total_usd.mean
    )
    assert "18 of 18 rates are assumptions" in first.assumptions[0]
    assert any("none is spent on barren ones" in line for line in first.assumptions)
    assert any("blind holes are laid at random" in line for line in first.assumptions)


def test_without_a_worth_no_value_of_information_is_made_up() -> None:
    request = CostRequest(area_km2=10.0, draws=1000, follow_up_holes=0)
    result = estimate(request, load_rates(), np.random.default_rng(0))
    assert result.information is None
    assert to_dict(result)["information"] is None


def test_what_json_cannot_hold_becomes_null() -> None:
    request = CostRequest(
        area_km2=10.0, prior_probability=0.0, discovery_value_usd=1.0, threshold=20.0,
        target=Target(susceptibility_si=1e-12), draws=1000,
    )  # fmt: skip
    result = estimate(request, load_rates(), np.random.default_rng(0))
    json.dumps(to_dict(result), allow_nan=False)


def test_heights_and_hole_depths_default_by_platform_and_target() -> None:
    assert CostRequest(area_km2=1.0, platform=Platform.GROUND).height_m == 2.0
    assert CostRequest(area_km2=1.0, sensor_height_m=55.0).height_m == 55.0
    assert CostRequest(area_km2=1.0).hole_m == 250.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"area_km2": 0.0}, "area_km2"),
        ({"area_km2": math.nan}, "area_km2"),
        ({"area_km2": 1.0, "platform": "balloon"}, "balloon"),
        ({"area_km2": 1.0, "methods": ("radiometrics",)}, "magnetometry"),
        ({"area_km2": 1.0, "project_type": "seismic"}, "seismic"),
        ({"area_km2": 1.0, "line_spacing_m": 0.0}, "line_spacing_m"),
        ({"area_km2": 1.0, "prior_probability": 0.5}, "go together"),
        ({"area_km2": 1.0, "draws": 10}, "draws"),
    ],
)
def test_impossible_requests_are_refused_with_the_field(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(BadParameter) as caught:
        CostRequest(**options)  # type: ignore[arg-type]  # wrong on purpose
    assert words in str(caught.value)
