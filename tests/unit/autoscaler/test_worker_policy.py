"""When workers come and go, trigger by trigger, and what is said of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from quetzalcore.autoscaler.model import (
    Demand,
    Hold,
    Member,
    MemberState,
    Metrics,
    ScaleDown,
    ScaleUp,
    ScalingState,
    Shape,
)
from quetzalcore.autoscaler.policies import worker_policy
from quetzalcore.autoscaler.policy import advance, decide
from quetzalcore.jobs.model import Resources

NOW = dt.datetime(2026, 3, 4, 12, 0, tzinfo=dt.UTC)
SMALL = Shape(name="small", cpus=8, memory_mib=16384, vgpus=1, scratch_mib=50_000, hourly_price=0.4)
LARGE = Shape(
    name="large", cpus=32, memory_mib=65536, vgpus=4, scratch_mib=200_000, hourly_price=1.6
)
SHAPES = (SMALL, LARGE)
CORE = Resources(cpus=8.0, memory_mib=2048)
POLICY = worker_policy()
FRESH = ScalingState()


def after(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def worker(name: str, **values: object) -> Member:
    given = {"state": MemberState.READY, "shape": SMALL, "busy": 1, **values}
    return Member(id=name, **given)  # type: ignore[arg-type]


def workers(count: int, **values: object) -> tuple[Member, ...]:
    return tuple(worker(f"w{number}", **values) for number in range(count))


def waiting(count: int, resources: Resources = CORE, **values: object) -> dict[str, object]:
    """Give a queue of like jobs."""
    demand = Demand(resources=resources, count=count, spot=bool(values.get("spot")))
    return {"queue_depth": count, "demands": (demand,)}


def seen(members: tuple[Member, ...], **values: object) -> Metrics:
    return Metrics(**{"members": members, "shapes": SHAPES, **values})  # type: ignore[arg-type]


def test_a_long_queue_adds_what_the_backlog_needs() -> None:
    decision = decide(seen(workers(1), **waiting(48)), POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    assert decision.count == 5
    assert decision.reason == "48 jobs wait, more than 10 for 1 worker: 5 are added"


def test_ten_waiting_jobs_are_not_yet_too_many() -> None:
    decision = decide(seen(workers(1), **waiting(10)), POLICY, FRESH, NOW)
    assert isinstance(decision, Hold)
    assert "10 jobs wait" in decision.reason


def test_small_jobs_that_share_a_machine_ask_for_fewer() -> None:
    tiny = Resources(cpus=0.25, memory_mib=128)
    decision = decide(seen(workers(1), **waiting(40, tiny)), POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    assert decision.count == 2  # 32 run at once on 8 cores


def test_workers_on_their_way_count_for_the_backlog() -> None:
    metrics = seen((worker("a"), *workers(5, state=MemberState.STARTING, busy=0)), **waiting(48))
    decision = decide(metrics, POLICY, FRESH, NOW)
    assert isinstance(decision, Hold)
    assert "5 workers are starting or free" in decision.reason


def test_draining_workers_count_for_nothing() -> None:
    metrics = seen((worker("a"), *workers(9, state=MemberState.DRAINING)), **waiting(48))
    decision = decide(metrics, POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    assert decision.count == 5


def test_the_most_limits_a_growth_and_the_reason_says_so() -> None:
    decision = decide(seen(workers(8), **waiting(480)), POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    assert decision.reason.endswith("2 of 48 wanted are added")
    full = decide(seen(workers(10), **waiting(480)), POLICY, FRESH, NOW)
    assert isinstance(full, Hold)
    assert full.reason.endswith("but 10 workers is the most")


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        ({"cpu_percent": 91.0}, "3 jobs wait and CPU is at 91 %, above 80 %: 1 is added"),
        ({"memory_percent": 86.0}, "3 jobs wait and memory is at 86 %, above 85 %: 1 is added"),
    ],
)
def test_a_busy_set_grows_while_something_waits(measured: dict[str, float], words: str) -> None:
    decision = decide(seen(workers(2), **measured, **waiting(3)), POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    assert decision.reason == words


@pytest.mark.parametrize("measured", [{"cpu_percent": 100.0}, {"memory_percent": 100.0}])
def test_a_busy_worker_with_an_empty_queue_is_no_shortage(measured: dict[str, float]) -> None:
    assert isinstance(decide(seen(workers(2), **measured), POLICY, FRESH, NOW), Hold)


def test_a_job_that_fits_no_worker_gets_the_cheapest_shape_that_fits() -> None:
    job = Resources(cpus=16, memory_mib=4096)
    decision = decide(seen(workers(3, busy=0), **waiting(1, job)), POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    assert [(launch.shape.name, launch.count) for launch in decision.launches] == [("large", 1)]
    assert "1 waiting job fits no worker (16 cores, 4096 MiB)" in decision.reason


def test_a_job_that_no_shape_fits_is_said_and_adds_nothing() -> None:
    job = Resources(cpus=64, memory_mib=4096)
    decision = decide(seen(workers(3), **waiting(1, job)), POLICY, FRESH, NOW)
    assert isinstance(decision, Hold)
    assert decision.reason.endswith("but no shape fits them")


def test_a_job_of_default_size_fits_a_small_host() -> None:
    host = Shape(name="host", cpus=2, memory_mib=4096)
    metrics = seen((worker("a", shape=host),), **waiting(1, Resources(cpus=4, memory_mib=8192)))
    assert isinstance(decide(metrics, POLICY, FRESH, NOW), Hold)


def test_a_full_shape_is_passed_over_for_the_next() -> None:
    shapes = (replace(SMALL, room=2), LARGE)
    decision = decide(seen(workers(1), **waiting(48)), POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    short = replace(seen(workers(1), **waiting(48)), shapes=shapes)
    decision = decide(short, POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    given = {launch.shape.name: launch.count for launch in decision.launches}
    assert given == {"small": 2, "large": 3}


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ((replace(SMALL, room=0), replace(LARGE, room=0)), "the provider is full"),
        ((), "no shape is offered by the provider"),
    ],
)
def test_without_a_machine_to_be_had_the_reason_is_plain(
    shapes: tuple[Shape, ...], words: str
) -> None:
    metrics = replace(seen(workers(1), **waiting(48)), shapes=shapes)
    decision = decide(metrics, POLICY, FRESH, NOW)
    assert isinstance(decision, Hold)
    assert decision.reason.endswith(words)


def test_spot_machines_are_asked_for_only_where_all_that_could_land_there_allows_it() -> None:
    spot = replace(SMALL, name="small-spot", spot=True, hourly_price=0.1)
    policy = worker_policy(use_spot=True)
    harmless = Demand(resources=CORE, count=30, spot=True)
    other = Demand(resources=CORE, count=5)
    metrics = seen(workers(1), queue_depth=30, demands=(harmless,))
    metrics = replace(metrics, shapes=(*SHAPES, spot))

    def names(metrics: Metrics, policy=policy) -> set[str]:
        decision = decide(metrics, policy, FRESH, NOW)
        assert isinstance(decision, ScaleUp)
        return {launch.shape.name for launch in decision.launches}

    assert names(metrics) == {"small-spot"}
    assert names(metrics, POLICY) == {"small"}
    assert names(replace(metrics, queue_depth=35, demands=(harmless, other))) == {"small"}


def test_the_default_shape_goes_before_a_cheaper_one() -> None:
    policy = worker_policy(default_shape="large")
    decision = decide(seen(workers(1), **waiting(48)), policy, FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    assert decision.launches[0].shape is LARGE


def test_long_idle_workers_go_down_to_the_least_the_dearest_first() -> None:
    idle = (
        worker("cheap", busy=0, idle_s=900),
        worker("dear", busy=0, idle_s=301, shape=LARGE),
        worker("new", busy=0, idle_s=10),
        worker("busy"),
    )
    decision = decide(seen(idle), POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleDown)
    assert decision.members == ("dear", "cheap")
    assert "2 workers have idled 300 s or longer: 2 are removed" in decision.reason
    one = decide(seen(idle), worker_policy(least=3), FRESH, NOW)
    assert isinstance(one, ScaleDown)
    assert one.members == ("dear",)


def test_idle_workers_stay_while_something_waits_for_them() -> None:
    idle = workers(5, busy=0, idle_s=900)
    assert isinstance(decide(seen(idle, **waiting(3)), POLICY, FRESH, NOW), Hold)


def test_idle_workers_go_where_what_waits_fits_none_of_them() -> None:
    policy = worker_policy(most=5)
    job = Resources(cpus=16, memory_mib=4096)
    decision = decide(seen(workers(5, busy=0, idle_s=900), **waiting(1, job)), policy, FRESH, NOW)
    assert isinstance(decision, ScaleDown)
    assert "nothing waits that they could run" in decision.reason


def test_low_cpu_lets_idle_workers_go_before_their_time_and_never_busy_ones() -> None:
    members = (*workers(2), *(worker(f"i{n}", busy=0, idle_s=5) for n in range(6)))
    decision = decide(seen(members, cpu_percent=15.0), POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleDown)
    assert decision.count == 6  # 8 workers at 15 % are two at 60 %
    assert all(name.startswith("i") for name in decision.members)
    assert "CPU is at 15 %, below 20 %" in decision.reason
    assert isinstance(decide(seen(workers(8), cpu_percent=1.0), POLICY, FRESH, NOW), Hold)


def test_what_the_provider_did_not_make_is_never_removed() -> None:
    members = workers(5, busy=0, idle_s=900, removable=False)
    assert isinstance(decide(seen(members), POLICY, FRESH, NOW), Hold)
    over = decide(seen(members), worker_policy(most=3), FRESH, NOW)
    assert isinstance(over, Hold)
    assert "none of them may be removed" in over.reason


def test_a_growth_waits_for_its_cooldown_and_says_until_when() -> None:
    state = advance(FRESH, decide(seen(workers(1), **waiting(48)), POLICY, FRESH, NOW), NOW)
    metrics = seen(workers(6), **waiting(48))
    decision = decide(metrics, POLICY, state, after(120))
    assert isinstance(decision, Hold)
    assert decision.until == after(300)
    assert decision.wanted == 10
    assert "the set grew 120 s ago; not before 12:05:00 UTC" in decision.reason
    assert isinstance(decide(metrics, POLICY, state, after(300)), ScaleUp)


def test_a_shrinking_waits_for_the_cooldown_of_a_growth() -> None:
    state = ScalingState(last_up_at=NOW)
    metrics = seen(workers(5, busy=0, idle_s=900))
    held = decide(metrics, POLICY, state, after(599))
    assert isinstance(held, Hold)
    assert held.until == after(600)
    assert isinstance(decide(metrics, POLICY, state, after(600)), ScaleDown)


def test_a_lost_minimum_is_repaired_at_once_and_begins_no_cooldown() -> None:
    state = ScalingState(last_up_at=NOW, last_down_at=NOW)
    decision = decide(seen(workers(1)), worker_policy(least=3), state, after(1))
    assert isinstance(decision, ScaleUp)
    assert decision.reason == "there is 1 worker, below the least, 3: 2 are added"
    assert advance(state, decision, after(1)) == state


def test_above_the_most_the_starting_go_first_then_the_idle_then_the_least_busy() -> None:
    members = (
        worker("busiest", busy=9),
        worker("busy", busy=2),
        worker("idle", busy=0),
        worker("starting", busy=0, state=MemberState.STARTING),
    )
    decision = decide(seen(members), worker_policy(most=1), ScalingState(last_up_at=NOW), NOW)
    assert isinstance(decision, ScaleDown)
    assert decision.members == ("starting", "idle", "busy")
    assert decision.reason == "there are 4 workers, above the most, 1: 3 are removed"


def test_from_none_a_waiting_job_brings_the_first_worker() -> None:
    decision = decide(seen((), **waiting(1)), worker_policy(least=0), FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    assert decision.count == 1
    blind = decide(seen((), queue_depth=1), worker_policy(least=0), FRESH, NOW)
    assert isinstance(blind, ScaleUp)
    assert blind.reason == "1 job waits and there is no worker: 1 is added"


def test_a_forecast_counts_where_it_is_wanted() -> None:
    metrics = seen(workers(2), expected_depth=38.7, **waiting(3))
    assert isinstance(decide(metrics, POLICY, FRESH, NOW), Hold)
    decision = decide(metrics, worker_policy(use_forecast=True), FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    assert decision.count == 4
    assert "38 are expected before a next growth would help" in decision.reason


def test_workers_that_are_soon_needed_stay() -> None:
    metrics = seen(workers(4, busy=0, idle_s=900), expected_depth=5.0)
    assert isinstance(decide(metrics, POLICY, FRESH, NOW), ScaleDown)
    assert isinstance(decide(metrics, worker_policy(use_forecast=True), FRESH, NOW), Hold)


def test_a_set_that_forecasts_nothing_goes_by_what_waits() -> None:
    policy = worker_policy(use_forecast=True)
    assert isinstance(decide(seen(workers(1), **waiting(48)), policy, FRESH, NOW), ScaleUp)


def test_a_vgpu_is_named_where_none_fits() -> None:
    job = Resources(cpus=1.0, memory_mib=512, vgpus=2)
    decision = decide(seen(workers(1), **waiting(1, job)), POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    assert "(1 cores, 512 MiB and 2 vGPUs)" in decision.reason


def test_an_empty_demand_asks_for_nothing() -> None:
    metrics = seen(
        workers(1),
        queue_depth=20,
        demands=(
            Demand(resources=CORE, count=20),
            Demand(resources=Resources(cpus=64), count=0),
        ),
    )
    decision = decide(metrics, POLICY, FRESH, NOW)
    assert isinstance(decision, ScaleUp)
    assert decision.count == 2


def test_idle_workers_stay_while_what_waits_is_not_known_in_full() -> None:
    metrics = seen(workers(3, busy=0, idle_s=900), queue_depth=4)
    assert isinstance(decide(metrics, POLICY, FRESH, NOW), Hold)
