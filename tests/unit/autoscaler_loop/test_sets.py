"""What the loop sees of workers and instances: who counts, who is overdue, and what is measured over a while."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.autoscaler_loop.world import START, World, run

from quetzalcore.autoscaler.fakes import FakeCloud, FakeProvider
from quetzalcore.autoscaler.foresight import Foresight
from quetzalcore.autoscaler.instances import InstanceSet
from quetzalcore.autoscaler.model import MemberState, Shape
from quetzalcore.autoscaler.provider import LaunchOrder
from quetzalcore.autoscaler.scaled_set import NotSeenYet
from quetzalcore.autoscaler.smoothing import Smooth
from quetzalcore.autoscaler.workers import WorkerSet, demands_of
from quetzalcore.jobs.ledger import Waiting
from quetzalcore.jobs.memory_scaling import MemoryInstanceBook
from quetzalcore.jobs.model import JobState, Resources
from quetzalcore.jobs.scaling import InstanceReport

SHAPE = Shape(name="small", cpus=2.0, memory_mib=4096)


def _report(name: str, **changes: Any) -> InstanceReport:  # noqa: ANN401 -- fields of a report
    report = InstanceReport(id=name, url="", version="1", started_at=START, seen_at=START)
    return replace(report, **changes)


def _later(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def test_instances_are_those_that_are_kept_and_those_that_report() -> None:
    async def scenario() -> None:
        cloud, book = FakeCloud(), MemoryInstanceBook()
        provider = FakeProvider(cloud, now=lambda: START)
        for name in ("kept", "silent"):
            await provider.launch(LaunchOrder(name=name, shape=SHAPE, epoch=1))
        await book.report(_report("kept", cpu_percent=40.0, open_requests=3))
        await book.report(_report("leaving", draining=True))
        await book.report(_report("elsewhere", cpu_percent=20.0))
        await book.report(_report("dead", seen_at=_later(-60)))
        await book.report(_report("long dead", seen_at=_later(-300)))
        instances = InstanceSet(provider, book, ready_s=30.0)
        assert (await instances.observe(START)).metrics.cpu_percent is None
        seen = await instances.observe(_later(10))
        states = {m.id: (m.state, m.removable, m.busy) for m in seen.metrics.members}
        assert states == {
            "kept": (MemberState.READY, True, 3),
            "silent": (MemberState.STARTING, True, 0),
            "leaving": (MemberState.DRAINING, False, 0),
            "elsewhere": (MemberState.READY, False, 0),
        }
        assert seen.metrics.cpu_percent == pytest.approx(30.0)
        assert "long dead" not in {report.id for report in await book.list()}
        overdue = await InstanceSet(provider, book, ready_s=30.0).observe(_later(31))
        assert set(overdue.overdue) == {"kept", "silent"}

    run(scenario())


def test_response_times_count_by_how_many_requests_they_stand_for() -> None:
    async def scenario() -> None:
        book = MemoryInstanceBook()
        await book.report(_report("a", p95_ms=100.0, mean_ms=50.0, requests_per_s=9.0))
        await book.report(_report("b", p95_ms=1100.0, mean_ms=50.0, requests_per_s=1.0))
        await book.report(_report("idle"))
        provider = FakeProvider(FakeCloud(), now=lambda: START)
        metrics = (await InstanceSet(provider, book, ready_s=30.0).observe(START)).metrics
        assert metrics.p95_s == pytest.approx(0.2)
        assert metrics.mean_s == pytest.approx(0.05)
        assert metrics.rate_per_s == pytest.approx(10.0)

    run(scenario())


def test_nothing_is_decided_before_the_nodes_were_looked_at() -> None:
    class Blind(World):
        def occupied(self) -> Any:  # noqa: ANN401 -- None, which a World never gives
            return None

    async def scenario() -> None:
        world = Blind()
        provider = FakeProvider(world.cloud, now=world.clock)
        workers = WorkerSet(provider, world, world.ledger, world.nodes, ready_s=60.0)
        with pytest.raises(NotSeenYet):
            await workers.observe(START)

    run(scenario())


def test_what_waits_is_grouped_by_what_it_asks_for_and_scaled_to_the_queue() -> None:
    def waiting(cpus: float, attempts: int = 0) -> Waiting:
        return Waiting(
            job_id="j",
            tenant="t",
            priority=0,
            resources=Resources(cpus=cpus),
            submitted_at=START,
            attempts=attempts,
        )

    found = demands_of([waiting(1), waiting(1), waiting(4), waiting(1, attempts=1)], depth=40)
    assert {(d.resources.cpus, d.spot): d.count for d in found} == {
        (1, True): 20,
        (4, True): 10,
        (1, False): 10,
    }
    assert demands_of([], depth=0) == ()


def test_a_mean_covers_its_window_and_forgets_what_was_before() -> None:
    assert [Smooth(60.0, least_s=5.0).add(_later(at), 50.0) for at in (0, 4)] == [None, None]
    smooth = Smooth(10.0)
    assert smooth.add(START, 100.0) == 100.0
    assert smooth.add(_later(5), 50.0) == 75.0
    assert smooth.add(_later(12), 10.0) == 30.0
    assert smooth.add(_later(13), None) is None
    assert smooth.add(_later(14), 80.0) == 80.0


def test_a_queue_that_grows_is_expected_to_grow_further() -> None:
    foresight = Foresight(up_cooldown_s=300.0)

    def look(minute: int, counts: Mapping[JobState, int]) -> float:
        return foresight.expected_depth(
            counts, busy_cores=2.0, cores=2.0, now=_later(60.0 * minute)
        )

    expected = 0.0
    for minute in range(12):  # 20 come and 10 are done each minute
        counts = {JobState.QUEUED: 10 * minute, JobState.SUCCEEDED: 10 * minute}
        expected = look(minute, counts)
    assert expected > 110 + 20
    forgotten = look(12, {JobState.QUEUED: 120, JobState.SUCCEEDED: 0})
    assert forgotten >= 120
