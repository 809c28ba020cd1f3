"""Defaults, settings and live changes of a policy; windows of the week."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from quetzalcore.autoscaler.fitting import ALWAYS_FITS
from quetzalcore.autoscaler.model import Bounds, Policy, Target
from quetzalcore.autoscaler.policies import (
    from_settings,
    instance_policy,
    told,
    with_changes,
    worker_policy,
)
from quetzalcore.autoscaler.policy import bounds_now
from quetzalcore.autoscaler.schedules import bounds_at, parse_schedule, schedules_of
from quetzalcore.cluster.fitting import DEFAULT_VM
from quetzalcore.errors import BadParameter
from quetzalcore.settings import Settings

WORKDAY = "workers mon-fri 07:00-19:00 Africa/Gaborone 4-20"
ZONE = ZoneInfo("Africa/Gaborone")


def test_the_settings_defaults_are_the_documented_ones() -> None:
    assert from_settings(Settings(), Target.WORKERS) == worker_policy()
    assert from_settings(Settings(), Target.INSTANCES) == instance_policy()


def test_settings_reach_the_policy() -> None:
    settings = Settings(
        scaling_max_workers=50,
        scaling_queue_up=3,
        scaling_idle_s=60,
        scaling_scale_up_cooldown=10,
        scaling_schedules=(WORKDAY,),
        scaling_target_response_time=1.0,
    )
    policy = from_settings(settings, Target.WORKERS)
    assert (policy.bounds.most, policy.queue_up, policy.idle_down_s) == (50, 3, 60)
    assert policy.up_cooldown_s == 10
    assert len(policy.schedules) == 1
    instances = from_settings(settings, Target.INSTANCES)
    assert not instances.schedules
    assert instances.p95_up_s == 1.5


def test_a_least_above_the_most_is_refused() -> None:
    settings = Settings(scaling_min_workers=5, scaling_max_workers=4)
    with pytest.raises(BadParameter, match="the least, 5, is above the most, 4"):
        from_settings(settings, Target.WORKERS)


def test_live_changes_are_laid_over() -> None:
    changes = {"most": 30, "queue_up": 5, "use_forecast": True, "schedules": [WORKDAY]}
    policy = with_changes(worker_policy(), changes)
    assert policy.bounds == Bounds(least=1, most=30)
    assert policy.queue_up == 5
    assert policy.use_forecast
    assert policy.schedules[0].bounds == Bounds(least=4, most=20)
    assert with_changes(policy, {"memory_up": None}).memory_up is None
    assert with_changes(policy, {}) == policy


def test_a_policy_tells_its_figures_as_changes_name_them() -> None:
    for policy in (worker_policy(least=2), instance_policy(target_cpu=60.0)):
        assert (
            with_changes(Policy(target=policy.target, bounds=policy.bounds), told(policy)) == policy
        )


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"mots": 3}, "mots"),
        ({"most": -1}, "most"),
        ({"least": 40}, "least"),
        ({"up_cooldown_s": float("nan")}, "up_cooldown_s"),
        ({"cpu_up": 300}, "cpu_up"),
        ({"cpu_down": 90}, "cpu_down"),
        ({"queue_up": "many"}, "queue_up"),
        ({"jobs_per_worker": 0}, "jobs_per_worker"),
        ({"schedules": ["workers always"]}, "schedules"),
    ],
)
def test_a_wrong_change_is_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(BadParameter, match=named):
        with_changes(worker_policy(), changes)


def at(day: int, hour: int, minute: int = 0) -> dt.datetime:
    """Give a moment in Gaborone; day 0 is a Monday."""
    return dt.datetime(2026, 3, 2 + day, hour, minute, tzinfo=ZONE).astimezone(dt.UTC)


@pytest.mark.parametrize(
    ("line", "moment", "holds"),
    [
        (WORKDAY, at(0, 7), True),
        (WORKDAY, at(0, 6, 59), False),
        (WORKDAY, at(4, 18, 59), True),
        (WORKDAY, at(4, 19), False),
        (WORKDAY, at(5, 12), False),
        ("workers fri 22:00-06:00 Africa/Gaborone 0-1", at(4, 23), True),
        ("workers fri 22:00-06:00 Africa/Gaborone 0-1", at(5, 5), True),
        ("workers fri 22:00-06:00 Africa/Gaborone 0-1", at(4, 5), False),
        ("workers sun 22:00-06:00 Africa/Gaborone 0-1", at(0, 5), True),  # into Monday
        ("workers sat-mon 00:00-24:00 Africa/Gaborone 0-1", at(6, 12), True),
        ("workers sat+mon 00:00-24:00 Africa/Gaborone 0-1", at(6, 12), False),
        ("workers daily 10:00-24:00 0-1", dt.datetime(2026, 3, 2, 23, tzinfo=dt.UTC), True),
        ("workers daily 10:00-24:00 0-1", dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC), False),
    ],
)
def test_a_window_holds_when_it_says(line: str, moment: dt.datetime, *, holds: bool) -> None:
    target, schedule = parse_schedule(line)
    assert target is Target.WORKERS
    usual = Bounds(least=7, most=7)
    assert (bounds_at(usual, (schedule,), moment) != usual) is holds


def test_of_overlapping_windows_the_last_listed_wins() -> None:
    lines = (
        WORKDAY,
        "workers wed 10:00-12:00 Africa/Gaborone 9-9",
        "instances daily 00:00-24:00 3-3",
    )
    policy = worker_policy(schedules=schedules_of(lines, Target.WORKERS))
    assert bounds_now(policy, at(2, 11)).least == 9
    assert bounds_now(policy, at(2, 13)).least == 4
    assert bounds_now(policy, at(6, 13)).least == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("workers mon-fri", "2 parts"),
        ("robots mon 07:00-19:00 UTC 1-2", "no set 'robots'"),
        ("workers mon-fry 07:00-19:00 UTC 1-2", "'mon-fry' are no days"),
        ("workers mon 7-19 UTC 1-2", "'7' is no time of day"),
        ("workers mon 07:00-24:30 UTC 1-2", "'24:30' is no time of day"),
        ("workers mon 07:00-19:00 Africa/Atlantis 1-2", "no timezone 'Africa/Atlantis'"),
        ("workers mon 07:00-19:00 ../etc 1-2", "no timezone"),
        ("workers mon 07:00-19:00 UTC many", "'many' are no bounds"),
        ("workers mon 07:00-19:00 UTC 5-2", "the least, 5, is above the most, 2"),
    ],
)
def test_a_line_that_cannot_be_read_says_which_part(line: str, words: str) -> None:
    with pytest.raises(BadParameter, match=words) as refused:
        parse_schedule(line)
    assert "mon-fri 07:00-19:00" in refused.value.hint


def test_what_fits_every_node_is_what_admission_scales_down() -> None:
    assert ALWAYS_FITS == DEFAULT_VM
