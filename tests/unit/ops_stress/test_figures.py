"""What a record comes to."""

from __future__ import annotations

import pytest
from tests.unit.ops_stress.loads import PLAN, key, record, second, steady, tally

from quetzalcore.ops.stress.figures import figures_of
from quetzalcore.ops.stress.record import Record


def test_an_even_load_is_counted_after_the_ramp_up() -> None:
    found = figures_of(steady({"one": 120, "two": 120}), PLAN)
    assert (found.requests, found.errors, found.seconds) == (20 * 240, 0, 20.0)
    assert found.per_s == 240
    assert found.per_s_an_instance == 120
    assert found.spread == 0
    assert found.mean_ms == pytest.approx(10.0)
    assert found.p95_ms == pytest.approx(10.0, rel=0.01)


def test_what_happened_while_users_came_is_not_judged() -> None:
    slow = [second(n, {key(): tally(1, 60_000.0)}) for n in range(5)]
    fast = [second(n, {key(): tally(10, 5.0)}) for n in range(5, 25)]
    found = figures_of(record([*slow, *fast]), PLAN)
    assert found.max_ms == pytest.approx(5.0)
    assert len(found.moments) == 25


def test_an_answer_after_the_end_counts_for_times_but_not_for_the_rate() -> None:
    whole = steady({"one": 10})
    late = second(27, {key(): tally(10, 3000.0)})
    found = figures_of(record([*whole.seconds, late]), PLAN)
    assert found.requests == 210
    assert found.per_s == 10
    assert found.max_ms == pytest.approx(3000.0)


def test_errors_are_told_apart_and_are_no_throughput() -> None:
    tallies = {
        key(): tally(90, 5.0),
        key("one", 503): tally(5, 5.0),
        key("", 0, fault="ConnectionRefusedError"): tally(4, 5.0),
        key("", 599): tally(1, 5.0),
    }
    found = figures_of(record(second(n, tallies) for n in range(25)), PLAN)
    assert found.error_share == pytest.approx(0.1)
    assert found.per_s == 90
    assert found.outcomes == {
        "503 Service Unavailable": 100,
        "no answer (ConnectionRefusedError)": 80,
        "599": 20,
    }


def test_rate_limits_of_gateway_and_balancer_are_told_apart() -> None:
    tallies = {key("one", 429): tally(3, 1.0), key("", 429): tally(2, 1.0)}
    found = figures_of(record([second(6, tallies)]), PLAN)
    assert (found.limited_by_instances, found.limited_by_balancer) == (3, 2)


def test_an_instance_that_came_on_the_way_is_not_taken_for_a_lazy_one() -> None:
    early = [second(n, {key("one"): tally(100, 5.0)}) for n in range(15)]
    both = {key("one"): tally(100, 5.0), key("two"): tally(100, 5.0)}
    late = [second(n, both) for n in range(15, 25)]
    found = figures_of(record([*early, *late]), PLAN)
    assert found.spread == 0
    assert found.instances_mean == pytest.approx(1.5)
    assert found.per_s_an_instance == pytest.approx(100)


def test_an_uneven_spread_is_measured_from_the_mean() -> None:
    found = figures_of(steady({"one": 50, "two": 100, "three": 150}), PLAN)
    assert found.spread == pytest.approx(0.5)
    assert [each.per_s for each in found.instances] == [50, 150, 100]  # of one second: by name


def test_routes_are_listed_by_how_often_they_were_asked() -> None:
    tallies = {
        key(route="GET /health"): tally(1, 5.0),
        key(): tally(9, 50.0),
        key("one", 500): tally(1, 50.0),
    }
    found = figures_of(record(second(n, tallies) for n in range(25)), PLAN)
    assert [(each.route, each.requests, each.errors) for each in found.routes] == [
        ("GET /api/jobs/{job_id}", 200, 20),
        ("GET /health", 20, 0),
    ]
    assert found.routes[0].per_s == 9
    assert found.routes[0].p50_ms == pytest.approx(50, rel=0.01)


def test_a_run_that_was_cut_off_ends_with_its_last_second() -> None:
    whole = steady({"one": 10}, seconds=9)
    found = figures_of(record(whole.seconds, ended_s=None), PLAN)
    assert found.seconds == 4.0
    assert found.per_s == 10


def test_a_run_that_ended_within_its_ramp_up_measured_nothing() -> None:
    found = figures_of(steady({"one": 10}, seconds=3), PLAN)
    assert (found.requests, found.per_s, found.seconds) == (0, 0, 0)
    assert found.spread is None


def test_an_empty_record_has_figures() -> None:
    found = figures_of(Record(), PLAN)
    assert (found.requests, found.moments, found.error_share) == (0, (), 0)


def test_seconds_without_an_answer_are_moments_too() -> None:
    seen = [second(n, {key(): tally(5, 5.0)}) for n in (0, 1, 2, 6)]
    found = figures_of(record(seen, ended_s=7.0), PLAN)
    assert [moment.per_s for moment in found.moments] == [5, 5, 5, 0, 0, 0, 5]
    assert found.moments[3].p50_ms is None


def test_a_second_written_in_two_lines_is_one_second() -> None:
    parts = [second(6, {key(): tally(5, 5.0)}), second(6, {key(): tally(7, 5.0)}, users=0)]
    found = figures_of(record(parts, ended_s=7.0), PLAN)
    assert found.requests == 12
    assert found.moments[6].users == 10
    assert found.instances_mean == 1


def test_a_long_run_is_thinned_and_loses_no_request() -> None:
    plan = type(PLAN)(**{**{n: getattr(PLAN, n) for n in PLAN.__slots__}, "duration_s": 2395})
    found = figures_of(steady({"one": 3}, seconds=2400), plan)
    assert len(found.moments) == 240
    assert {moment.per_s for moment in found.moments} == {3}
