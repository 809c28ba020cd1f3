"""Whether figures meet their targets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.ops_stress.loads import PLAN, steady

from quetzalcore.ops.stress.figures import Figures, figures_of
from quetzalcore.ops.stress.verdict import Outcome, Targets, judge


def figures(**changes: Any) -> Figures:  # noqa: ANN401 -- any field
    return replace(figures_of(steady({"one": 120, "two": 130}), PLAN), **changes)


def missed(verdict) -> list[str]:
    return [each.target for each in verdict.targets if each.met is False]


def test_good_figures_meet_every_target() -> None:
    verdict = judge(figures(), Targets(), serving=2)
    assert verdict.outcome is Outcome.MET
    assert [each.met for each in verdict.targets] == [True] * 5
    assert verdict.notes == ()


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({"mean_ms": 2000.0}, "Mean response time"),
        ({"p95_ms": 5000.0}, "95th percentile"),
        ({"per_s": 200.0}, "Requests/s an instance"),
        ({"errors": 50}, "Errors"),
    ],
)
def test_a_figure_at_its_bound_misses(changes, target) -> None:
    verdict = judge(figures(**changes), Targets())
    assert verdict.outcome is Outcome.NOT_MET
    assert missed(verdict) == [target]


@pytest.mark.parametrize(("other", "met"), [(180, True), (181, False)])
def test_instances_are_within_a_fifth_of_their_mean(other, met) -> None:
    verdict = judge(figures_of(steady({"one": 120, "two": other}), PLAN), Targets())
    assert verdict.targets[-1].met is met


def test_one_instance_alone_is_not_judged_for_its_spread() -> None:
    verdict = judge(figures_of(steady({"one": 120}), PLAN), Targets(), serving=1)
    assert verdict.outcome is Outcome.MET
    assert (verdict.targets[-1].met, verdict.targets[-1].found) == (None, "one instance")


def test_an_instance_that_never_answered_is_a_bad_spread() -> None:
    verdict = judge(figures(), Targets(), serving=3)
    assert missed(verdict) == ["Spread over instances"]
    assert verdict.targets[-1].found == "2 of 3 instances answered"


@pytest.mark.parametrize("changes", [{"seconds": 9.9}, {"requests": 99}])
def test_a_short_run_is_not_judged_and_says_so(changes) -> None:
    verdict = judge(figures(**changes), Targets())
    assert verdict.outcome is Outcome.TOO_SHORT
    assert "too few" in verdict.notes[0]


def test_no_answer_at_all_is_no_success() -> None:
    nothing = figures_of(steady({}), PLAN)
    verdict = judge(nothing, Targets())
    assert verdict.outcome is Outcome.TOO_SHORT
    assert verdict.targets[-1].found == "no instance answered"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"limited_by_instances": 7}, "QUETZAL_RATE_LIMIT_EXEMPT"),
        ({"limited_by_balancer": 7}, "--exempt-file"),
        ({"cpu_percent": 97.0}, "several hosts"),
    ],
)
def test_what_disturbs_a_measurement_is_told_with_a_remedy(changes, words) -> None:
    (note,) = judge(figures(**changes), Targets()).notes
    assert words in note


def test_why_a_run_ended_early_is_told() -> None:
    (note,) = judge(figures(), Targets(), stopped="it was interrupted after 30 s").notes
    assert "interrupted after 30 s" in note


def test_times_are_told_in_the_unit_that_fits() -> None:
    verdict = judge(figures(mean_ms=12.34, p95_ms=1234.0), Targets())
    assert [each.found for each in verdict.targets[:2]] == ["12.3 ms", "1.23 s"]
