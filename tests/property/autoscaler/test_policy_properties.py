"""What the policy promises for any set, any load and any history."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from quetzalcore.autoscaler.fitting import fits
from quetzalcore.autoscaler.model import (
    Bounds,
    Decision,
    Demand,
    Hold,
    Member,
    MemberState,
    Metrics,
    Policy,
    ScaleDown,
    ScaleUp,
    ScalingState,
    Shape,
    Target,
)
from quetzalcore.autoscaler.policies import instance_policy, worker_policy
from quetzalcore.autoscaler.policy import advance, bounds_now, decide, wished
from quetzalcore.autoscaler.schedules import parse_schedule
from quetzalcore.cluster.fitting import lacking, wanted
from quetzalcore.jobs.model import Node, Resources
from quetzalcore.jobs.scaling import Wish

NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)

percents = st.one_of(st.sampled_from([None, 1.0, 15.0, 35.0, 85.0, 100.0]), st.floats(0, 100))
response_times_s = st.one_of(st.sampled_from([None, 0.1, 1.9, 3.1]), st.floats(0, 1000))
shapes = st.builds(
    Shape,
    name=st.sampled_from(["a", "b", "c"]),
    cpus=st.sampled_from([2.0, 8.0, 16.0, 32.0]),
    memory_mib=st.sampled_from([2048, 16384, 65536]),
    vgpus=st.sampled_from([0, 0, 1, 4]),
    scratch_mib=st.sampled_from([0, 50_000]),
    hourly_price=st.sampled_from([0.0, 0.1, 1.0]),
    spot=st.booleans(),
    room=st.sampled_from([None, None, 0, 1, 7]),
)
sizes = st.builds(
    Resources,
    cpus=st.sampled_from([0.25, 1.0, 4.0, 8.0, 16.0, 64.0]),
    memory_mib=st.sampled_from([128, 8192, 16384, 65536]),
    vgpus=st.sampled_from([0, 0, 0, 1, 2]),
    scratch_mib=st.sampled_from([0, 1024, 10_000]),
)


@st.composite
def members(draw: st.DrawFn) -> tuple[Member, ...]:
    found = []
    for number in range(draw(st.integers(0, 12))):
        state = draw(st.sampled_from([MemberState.READY] * 4 + list(MemberState)))
        busy = draw(st.integers(0, 3)) if state is not MemberState.STARTING else 0
        found.append(
            Member(
                id=f"m{number:02}",
                state=state,
                shape=draw(shapes),
                busy=busy,
                idle_s=0.0 if busy else draw(st.sampled_from([0.0, 299.0, 300.0, 9000.0])),
                removable=draw(st.sampled_from([True, True, True, False])),
            )
        )
    return tuple(found)


demands = st.builds(Demand, resources=sizes, count=st.integers(0, 60), spot=st.booleans())


@st.composite
def measures(draw: st.DrawFn) -> Metrics:
    empty = draw(st.booleans())
    waiting = () if empty else tuple(draw(st.lists(demands, max_size=4)))
    untold = 0 if empty else draw(st.sampled_from([0, 0, 0, 5, 90]))
    return Metrics(
        members=draw(members()),
        shapes=tuple(draw(st.lists(shapes, max_size=3, unique_by=lambda s: s.name))),
        queue_depth=sum(d.count for d in waiting) + untold,
        demands=waiting,
        cpu_percent=draw(percents),
        memory_percent=draw(percents),
        p95_s=draw(response_times_s),
        mean_s=draw(response_times_s),
        rate_per_s=draw(st.one_of(st.none(), st.just(0.0), st.floats(0, 1e4))),
        expected_depth=draw(st.one_of(st.none(), st.floats(0, 500))),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    least = draw(st.integers(0, 6))
    build = draw(st.sampled_from([worker_policy, instance_policy]))
    whose = "workers" if build is worker_policy else "instances"
    line = f"{whose} mon 00:05-00:10 3-{draw(st.integers(3, 9))}"
    return build(
        least=least,
        most=least + draw(st.integers(0, 10)),
        use_forecast=draw(st.booleans()),
        use_spot=draw(st.booleans()),
        default_shape=draw(st.sampled_from(["", "a"])),
        schedules=draw(st.sampled_from([(), (parse_schedule(line)[1],)])),
    )


def live(metrics: Metrics) -> list[Member]:
    return [m for m in metrics.members if m.state is not MemberState.DRAINING]


states = st.builds(
    ScalingState,
    last_up_at=st.one_of(st.none(), st.just(NOW), st.just(NOW - dt.timedelta(seconds=400))),
    last_down_at=st.one_of(st.none(), st.just(NOW), st.just(NOW - dt.timedelta(seconds=400))),
    manual_count=st.one_of(st.none(), st.integers(0, 30)),
    manual_at=st.just(NOW),
    manual_until=st.one_of(st.none(), st.just(NOW), st.just(NOW + dt.timedelta(seconds=60))),
)


@settings(max_examples=120, deadline=None)
@given(measures(), policies(), states)
def test_any_decision_stays_within_bounds_and_says_why(metrics, policy, state) -> None:
    decision = decide(metrics, policy, state, NOW)
    assert decision == decide(metrics, policy, state, NOW)
    assert any(character.isdigit() for character in decision.reason)
    bounds, count = bounds_now(policy, NOW), len(live(metrics))
    if isinstance(decision, ScaleUp):
        assert decision.count >= 1
        assert count + decision.count <= bounds.most
        offered = {shape.name: shape for shape in metrics.shapes}
        for launch in decision.launches:
            room = offered[launch.shape.name].room
            assert launch.shape == offered[launch.shape.name]
            assert room is None or launch.count <= room
            if launch.shape.spot:
                there = [d for d in metrics.demands if fits(d.resources, launch.shape)]
                assert policy.use_spot
                assert all(d.spot for d in there)
    elif isinstance(decision, ScaleDown):
        assert decision.count >= 1
        assert len(set(decision.members)) == decision.count
        assert count - decision.count >= bounds.least
        chosen = [m for m in live(metrics) if m.id in decision.members]
        assert len(chosen) == decision.count
        assert all(m.removable for m in chosen)


@settings(max_examples=120, deadline=None)
@given(measures(), policies())
def test_need_alone_never_takes_a_worker_that_runs_a_job(metrics, policy) -> None:
    """A calm set, so that there is something to take."""
    metrics = replace(metrics, queue_depth=0, demands=(), mean_s=0.1, p95_s=0.1)
    members = tuple(m for m in metrics.members if m.state is not MemberState.STARTING)
    calm = replace(metrics, members=members, cpu_percent=min(9.0, metrics.cpu_percent or 9.0))
    free = replace(policy, bounds=Bounds(least=0, most=20), schedules=(), use_forecast=False)
    decision = decide(calm, free, ScalingState(), NOW)
    busy = {m.id for m in live(calm) if m.busy}
    if isinstance(decision, ScaleDown) and policy.target is Target.WORKERS:
        assert not busy & set(decision.members)
    forced = decide(metrics, policy, ScalingState(), NOW)
    if isinstance(forced, ScaleDown) and forced.forced:  # even then an idle one goes first
        left = {m.id for m in live(metrics) if m.removable} - set(forced.members)
        assert not busy & set(forced.members) or left <= busy


@settings(max_examples=80, deadline=None)
@given(measures(), policies(), st.integers(0, 200))
def test_a_deeper_queue_never_adds_fewer(metrics, policy, more) -> None:
    deeper = replace(metrics, queue_depth=metrics.queue_depth + more)
    before = decide(metrics, policy, ScalingState(), NOW)
    after = decide(deeper, policy, ScalingState(), NOW)
    assert change(after) >= min(change(before), 0)
    if metrics.queue_depth and metrics.demands:
        assert change(after) >= change(before)


def change(decision: Decision) -> int:
    if isinstance(decision, Hold):
        return 0
    return decision.count if isinstance(decision, ScaleUp) else -decision.count


@settings(max_examples=40, deadline=None)
@given(
    policies(),
    st.lists(st.tuples(measures(), st.integers(1, 400)), min_size=2, max_size=25),
    st.one_of(st.none(), st.integers(0, 24)),
)
def test_no_history_makes_a_set_reverse_within_a_cooldown(policy, history, wish_at) -> None:
    state, now = ScalingState(), NOW
    changes: list[tuple[dt.datetime, Decision]] = []
    for step, (metrics, pause_s) in enumerate(history):
        if step == wish_at:
            state = wished(state, policy, Wish(count=4, at=now, by="ana"))
        decision = decide(metrics, policy, state, now)
        by_hand = state.manual_until is not None and now < state.manual_until
        if not isinstance(decision, Hold) and not decision.forced:
            if not by_hand:
                check_pause(changes, decision, now, policy)
            changes.append((now, decision))
        state = advance(state, decision, now)
        now += dt.timedelta(seconds=pause_s)


def check_pause(
    changes: list[tuple[dt.datetime, Decision]],
    decision: Decision,
    now: dt.datetime,
    policy: Policy,
) -> None:
    up = isinstance(decision, ScaleUp)
    cooldown_s = policy.up_cooldown_s if up else policy.down_cooldown_s
    for at, _earlier in changes:
        assert (now - at).total_seconds() >= cooldown_s


@settings(max_examples=25, deadline=None)
@given(
    cores=st.floats(0.0, 20.0),
    seconds_per_core=st.one_of(st.floats(0.4, 1.2), st.floats(0.01, 5.0)),
    begins=st.integers(2, 40),
    up=st.sampled_from([50.0, 80.0, 95.0]),
    tracked=st.booleans(),
)
@example(
    cores=2.0, seconds_per_core=0.8, begins=20, up=80.0, tracked=False
)  # calm, yet three are too slow
def test_under_constant_load_instances_come_to_rest(
    cores, seconds_per_core, begins, up, tracked
) -> None:
    """Requests keep so many cores busy; the fuller the instances, the slower the answers."""
    policy = instance_policy(cpu_up=up, most=40)
    if not tracked:
        policy = replace(policy, target_cpu=None, target_response_s=None)
    state, now, count = ScalingState(), NOW, begins
    changes = []
    for _ in range(80):
        used = min(1.0, cores / count)
        mean_s = seconds_per_core / max(0.01, 1.0 - used)
        decision = decide(
            Metrics(
                members=tuple(
                    Member(id=f"i{n}", state=MemberState.READY, shape=ONE_CORE)
                    for n in range(count)
                ),
                shapes=(ONE_CORE,),
                cpu_percent=100.0 * used,
                mean_s=mean_s,
                p95_s=3.0 * mean_s,
                rate_per_s=10.0 * cores,
            ),
            policy,
            state,
            now,
        )
        state, count = advance(state, decision, now), count + change(decision)
        changes.append(change(decision))
        now += dt.timedelta(seconds=700)
    assert not any(changes[-20:])
    assert sum(a * b < 0 for a, b in zip(moves(changes), moves(changes)[1:], strict=False)) <= 1


ONE_CORE = Shape(name="instance", cpus=1, memory_mib=512)


def moves(changes: list[int]) -> list[int]:
    return [c for c in changes if c]


@settings(max_examples=25, deadline=None)
@given(
    per_s=st.floats(0.001, 2.0),
    duration_s=st.floats(1.0, 300.0),
    begins=st.integers(1, 20),
)
def test_under_constant_load_workers_come_to_rest(per_s, duration_s, begins) -> None:
    """Jobs of one core arrive evenly at workers of eight and fill them one after another."""
    policy = worker_policy(most=20)
    shape = Shape(name="eight", cpus=8, memory_mib=16384)
    job = Resources(cpus=1.0, memory_mib=512)
    state, now, count, queue = ScalingState(), NOW, begins, 0.0
    idle_s = [0.0] * begins
    changes = []
    step_s = 100.0
    for _ in range(250):
        capacity = count * 8 * step_s / duration_s
        work = queue + per_s * step_s
        served = min(work, capacity)
        queue = work - served
        slots = served * duration_s / step_s
        needed = math.ceil(slots / 8 - 1e-9)
        idle_s = [0.0 if n < needed else idle_s[n] + step_s for n in range(count)]
        waits = int(queue)
        metrics = Metrics(
            members=tuple(
                Member(
                    id=f"w{n:02}",
                    state=MemberState.READY,
                    shape=shape,
                    busy=int(n < needed),
                    idle_s=idle_s[n],
                )
                for n in range(count)
            ),
            shapes=(shape,),
            queue_depth=waits,
            demands=(Demand(resources=job, count=waits),) if waits else (),
            cpu_percent=100.0 * slots / (8 * count),
        )
        decision = decide(metrics, policy, state, now)
        state = advance(state, decision, now)
        count += change(decision)
        idle_s = (idle_s + [0.0] * count)[:count]
        changes.append(change(decision))
        now += dt.timedelta(seconds=step_s)
    assert not any(changes[-100:])
    assert sum(a * b < 0 for a, b in zip(moves(changes), moves(changes)[1:], strict=False)) <= 2


@settings(max_examples=80, deadline=None)
@given(sizes, shapes)
def test_fitting_means_what_admission_means_by_it(resources, shape) -> None:
    total = Resources(
        cpus=shape.cpus,
        memory_mib=shape.memory_mib,
        vgpus=shape.vgpus,
        scratch_mib=shape.scratch_mib,
    )
    node = Node(id="n", address="", total=total, free=total, trust="tenant")
    assert fits(resources, shape) == (lacking(wanted(resources, walls=True), node, total) == 0.0)
