"""When gateway instances come and go: thresholds, targets, and what is remembered."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from quetzalcore.autoscaler.model import (
    Hold,
    Member,
    MemberState,
    Metrics,
    ScaleDown,
    ScaleUp,
    ScalingState,
    Shape,
)
from quetzalcore.autoscaler.policies import instance_policy
from quetzalcore.autoscaler.policy import advance, decide, wished
from quetzalcore.jobs.scaling import Wish

NOW = dt.datetime(2026, 3, 4, 12, 0, tzinfo=dt.UTC)
SHAPE = Shape(name="instance", cpus=1, memory_mib=512)
POLICY = instance_policy()
FRESH = ScalingState()


def after(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def seen(count: int, *, starting: int = 0, **values: object) -> Metrics:
    members = tuple(
        Member(
            id=f"i{number}",
            state=MemberState.STARTING if number >= count else MemberState.READY,
            shape=SHAPE,
            busy=number,
        )
        for number in range(count + starting)
    )
    return Metrics(members=members, shapes=(SHAPE,), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("measured", "added", "words"),
    [
        ({"cpu_percent": 81.0, "mean_s": 0.1}, 1, "CPU is at 81 %, above 80 %"),
        ({"cpu_percent": 100.0, "mean_s": 0.1}, 2, "the target is 70 %"),
        ({"cpu_percent": 30.0, "p95_s": 3.2}, 1, "the p95 of responses is 3.2 s, above 3 s"),
        ({"cpu_percent": 30.0, "mean_s": 3.0}, 2, "the mean response takes 3 s, the target is 2 s"),
        ({"cpu_percent": 30.0, "mean_s": 300.0}, 4, "300 s"),  # at most twice as many
    ],
)
def test_strain_adds_instances(measured: dict[str, Any], added: int, words: str) -> None:
    decision = decide(seen(4, **measured), POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    assert decision.count == added
    assert words in decision.reason


def test_a_tenth_above_the_target_is_borne() -> None:
    assert isinstance(decide(seen(4, cpu_percent=77.0, mean_s=2.2), POLICY, FRESH, NOW), Hold)


def test_instances_on_their_way_are_waited_for() -> None:
    decision = decide(seen(4, starting=2, cpu_percent=95.0), POLICY, FRESH, NOW)
    assert isinstance(decision, Hold)
    assert "2 instances starting will take it" in decision.reason


def test_calm_instances_become_fewer_the_least_busy_first() -> None:
    decision = decide(seen(6, cpu_percent=30.0, mean_s=0.2, rate_per_s=9.0), POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleDown)
    assert decision.members == ("i0", "i1", "i2")  # 6 at 30 % are 3 at 60 %
    assert decision.reason == (
        "CPU is at 30 %, below 40 %, and the mean response takes 0.2 s, below 2 s: 3 are removed"
    )


@pytest.mark.parametrize(
    "measured",
    [
        {"cpu_percent": 41.0, "mean_s": 0.2},
        {"cpu_percent": 5.0, "mean_s": 2.0},
        {"cpu_percent": 5.0, "mean_s": 0.2, "p95_s": 9.0},
        {"cpu_percent": 5.0},  # response times unknown
        {"mean_s": 0.2},
    ],
)
def test_instances_stay_unless_both_cpu_and_responses_are_low(measured: dict[str, Any]) -> None:
    policy = instance_policy(most=6)
    assert isinstance(decide(seen(6, **measured), policy, FRESH, NOW), Hold)


def test_without_a_response_threshold_cpu_alone_decides() -> None:
    policy = instance_policy(response_down_s=None, target_response_s=None)
    decision = decide(seen(6, cpu_percent=30.0), policy, FRESH, NOW)
    assert isinstance(decision, ScaleDown)
    assert decision.count == 3


def test_instances_that_nobody_asks_anything_go() -> None:
    decision = decide(seen(6, cpu_percent=1.0, rate_per_s=0.0), POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleDown)
    assert decision.count == 4


def test_a_count_that_was_too_small_stays_so_until_less_comes_in() -> None:
    strained = seen(4, cpu_percent=30.0, p95_s=5.0, mean_s=1.0, rate_per_s=100.0)
    grown = decide(strained, POLICY, FRESH, NOW)
    state = advance(FRESH, grown, NOW)
    calm: dict[str, Any] = {"cpu_percent": 24.0, "p95_s": 0.2, "mean_s": 0.1}
    same = decide(seen(5, rate_per_s=100.0, **calm), POLICY, state, after(10_000))
    assert isinstance(same, Hold)
    less = decide(seen(5, rate_per_s=70.0, **calm), POLICY, state, after(10_000))
    assert isinstance(less, ScaleDown)


def test_a_wish_wins_until_its_cooldown_ends() -> None:
    wish = Wish(count=8, at=NOW, by="ana")
    state = wished(ScalingState(last_down_at=NOW), POLICY, wish, before=3)
    decision = decide(seen(3, cpu_percent=1.0, rate_per_s=0.0), POLICY, state, after(1))
    assert isinstance(decision, ScaleUp)
    assert decision.count == 5
    assert decision.reason == "8 instances were asked for by ana at 12:00:00 UTC: 5 are added"
    state = advance(state, decision, after(1))
    calm = seen(8, cpu_percent=1.0, rate_per_s=0.0)
    held = decide(calm, POLICY, state, after(299))
    assert isinstance(held, Hold)
    assert held.until == after(300)
    assert "the policy resumes at 12:05:00 UTC" in held.reason
    waits = decide(calm, POLICY, state, after(300))
    assert isinstance(waits, Hold)  # what was asked for counts as a growth
    assert waits.until == after(601)
    assert isinstance(decide(calm, POLICY, state, after(601)), ScaleDown)


def test_a_wish_stays_within_the_bounds() -> None:
    state = wished(FRESH, POLICY, Wish(count=99, at=NOW, by="ana"), before=3)
    decision = decide(seen(3), POLICY, state, NOW)
    assert isinstance(decision, ScaleUp)
    assert decision.count == 17
    assert "within the bounds 20" in decision.reason


def test_a_wish_for_fewer_takes_busy_ones_too_since_they_drain() -> None:
    state = wished(FRESH, POLICY, Wish(count=2, at=NOW, by="ana"), before=4)
    assert state.manual_until == after(600)
    decision = decide(seen(4, cpu_percent=99.0), POLICY, state, NOW)
    assert isinstance(decision, ScaleDown)
    assert decision.members == ("i0", "i1")
