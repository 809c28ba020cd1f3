"""The scaling loop on fakes: what it launches, drains and writes down, and what survives a new leader."""

from __future__ import annotations

import pytest
from tests.unit.autoscaler_loop.world import World, run

from quetzalcore.autoscaler.control import Autoscaler, NobodyLeads
from quetzalcore.autoscaler.model import Hold, ScaleDown, ScaleUp, Target
from quetzalcore.autoscaler.policies import worker_policy
from quetzalcore.errors import BadParameter
from quetzalcore.jobs.ledger import StaleEpoch
from quetzalcore.jobs.model import Resources


def test_a_backlog_brings_workers_and_the_reason_is_written_down() -> None:
    async def scenario() -> None:
        world = World()
        loop = await world.lead()
        await world.submit(50)
        assert isinstance(await loop.tick(), ScaleUp)
        assert len(world.cloud.machines) == 5
        (record,) = await world.book.history()
        assert (record.action, record.count, record.done, record.before) == ("up", 5, 5, 1)
        assert "50 jobs" in record.reason
        assert record.metrics["queue_depth"] == 50
        await world.look_at_nodes()
        assert isinstance(await loop.tick(), Hold)
        view = (await world.book.standing("workers")).view
        assert (view["count"], view["ready"], view["bounds"]) == (6, 6, {"least": 1, "most": 10})
        assert view["next_allowed"]["up"] is not None

    run(scenario())


def test_what_could_come_is_offered_so_that_nothing_that_fits_it_is_rejected() -> None:
    async def scenario() -> None:
        world = World()
        await (await world.lead()).tick()
        assert {shape.cpus for shape in world.offered} == {2.0, 8.0}
        assert all(shape.scratch_mib > 10**6 for shape in world.offered)

    run(scenario())


def test_idle_workers_drain_finish_and_go_and_the_first_stays() -> None:
    async def scenario() -> None:
        world = World()
        policy = worker_policy(idle_down_s=60.0, up_cooldown_s=5.0, down_cooldown_s=5.0)
        loop = await world.lead(policy)
        await world.submit(20)
        await loop.tick()
        assert len(world.cloud.machines) == 2
        for job in await world.ledger.waiting(limit=50):
            await world.ledger.cancel(job.job_id, now=world.now)
        await world.look_at_nodes()
        busy = min(world.cloud.machines)
        world.running[busy] = 1
        world.pass_time(10)
        await loop.tick()
        world.pass_time(61)
        assert isinstance(await loop.tick(), ScaleDown)
        await world.look_at_nodes()
        assert len(world.draining) == 1
        assert busy not in world.draining
        world.pass_time(2)
        await loop.tick()
        assert list(world.cloud.machines) == [busy]

    run(scenario())


def test_a_leaving_worker_is_not_removed_before_it_has_finished_or_had_its_time() -> None:
    async def scenario() -> None:
        world = World()
        loop = await world.lead(worker_policy(down_cooldown_s=0.0), drain_s=100.0)
        await world.submit(11)
        await loop.tick()
        await world.look_at_nodes()
        for name in world.cloud.machines:
            world.running[name] = 1
        await Autoscaler(world.book, world.clock, by="ada").scale(Target.WORKERS, "set", 1)
        assert isinstance(await loop.tick(), ScaleDown)
        await world.look_at_nodes()
        world.pass_time(99)
        await loop.tick()
        assert len(world.cloud.machines) == 2
        first, second = sorted(world.cloud.machines)
        world.running[first] = 0
        await loop.tick()
        assert list(world.cloud.machines) == [second]
        world.pass_time(2)
        await loop.tick()
        assert not world.cloud.machines

    run(scenario())


def test_a_new_leader_goes_on_where_the_last_one_stopped() -> None:
    async def scenario() -> None:
        world = World()
        policy = worker_policy(down_cooldown_s=0.0)
        loop = await world.lead(policy)
        await world.submit(11)
        await loop.tick()
        await world.look_at_nodes()
        for name in world.cloud.machines:
            world.running[name] = 1
        await Autoscaler(world.book, world.clock).scale_down(2)
        await loop.tick()
        successor = await world.lead(policy)
        world.pass_time(11)
        with pytest.raises(StaleEpoch):
            await loop.tick()
        world.running.clear()
        await world.look_at_nodes()
        decision = await successor.tick()
        assert isinstance(decision, Hold)
        assert not world.cloud.machines
        assert "1 worker was asked for" in decision.reason

    run(scenario())


def test_a_full_provider_is_told_and_asked_again_later() -> None:
    async def scenario() -> None:
        world = World()
        world.cloud.capacity = 2
        loop = await world.lead(worker_policy(up_cooldown_s=0.0))
        await world.submit(90)
        await loop.tick()
        assert len(world.cloud.machines) == 2
        await world.look_at_nodes()
        world.pass_time(2)
        held = await loop.tick()
        assert isinstance(held, Hold)
        assert "full" in held.reason

    run(scenario())


def test_a_shape_that_breaks_is_left_alone_for_a_while_and_nothing_of_it_stays() -> None:
    async def scenario() -> None:
        world = World()
        world.cloud.broken = 1
        world.cloud.shapes = world.cloud.shapes[:1]
        loop = await world.lead(worker_policy(up_cooldown_s=0.0))
        await world.submit(11)
        await loop.tick()
        records = await world.book.history()
        assert records[0].done < records[0].count
        assert "broke" in records[0].note
        assert world.cloud.parts == set(world.cloud.machines)
        for name in tuple(world.cloud.machines):
            del world.cloud.machines[name]
        assert isinstance(await loop.tick(), Hold)
        world.pass_time(16)
        assert isinstance(await loop.tick(), ScaleUp)

    run(scenario())


def test_machines_that_never_become_nodes_are_replaced() -> None:
    async def scenario() -> None:
        world = World(never_ready=True)
        loop = await world.lead(worker_policy(up_cooldown_s=0.0))
        await world.submit(11)
        await loop.tick()
        assert len(world.cloud.machines) == 2
        before = set(world.cloud.machines)
        world.pass_time(601)
        await loop.tick()
        assert [record.action for record in await world.book.history()] == ["replace", "up"]
        assert not world.cloud.machines
        world.pass_time(601)
        await loop.tick()
        assert set(world.cloud.machines).isdisjoint(before)
        assert len(world.cloud.machines) == 2

    run(scenario())


def test_live_changes_hold_at_once_and_wrong_ones_are_refused() -> None:
    async def scenario() -> None:
        world = World()
        operator = Autoscaler(world.book, world.clock, by="ada")
        with pytest.raises(NobodyLeads):
            await operator.scale_up()
        loop = await world.lead()
        await loop.tick()
        assert await operator.change(Target.WORKERS, {"most": 3}) == {"most": 3}
        with pytest.raises(BadParameter, match="least"):
            await operator.change(Target.WORKERS, {"least": 4})
        with pytest.raises(BadParameter, match="mist"):
            await operator.change(Target.WORKERS, {"mist": 4})
        await world.submit(90)
        await loop.tick()
        assert len(world.cloud.machines) == 2
        with pytest.raises(BadParameter, match="bounds, 1 to 3"):
            await operator.scale(Target.WORKERS, "set", 4)

    run(scenario())


def test_two_wishes_in_a_row_add_up() -> None:
    async def scenario() -> None:
        world = World()
        loop = await world.lead()
        await loop.tick()
        operator = Autoscaler(world.book, world.clock, by="ada")
        world.pass_time(1)
        assert await operator.scale_up(2) == 3
        assert await operator.scale_up() == 4
        assert isinstance(await loop.tick(), ScaleUp)
        assert len(world.cloud.machines) == 3
        status = await operator.status()
        assert status["history"][0]["by"] == "ada"
        assert status["targets"]["workers"]["wish"]["count"] == 4
        assert status["targets"]["instances"] is None

    run(scenario())


def test_without_automatic_scaling_only_wishes_are_done() -> None:
    async def scenario() -> None:
        world = World()
        loop = await world.lead(automatic=False)
        await world.submit(50)
        assert isinstance(await loop.tick(), Hold)
        assert not world.cloud.machines
        world.pass_time(1)
        await Autoscaler(world.book, world.clock).scale_up(1)
        assert isinstance(await loop.tick(), ScaleUp)
        assert len(world.cloud.machines) == 1

    run(scenario())


def test_a_node_that_nobody_launched_is_counted_and_never_removed() -> None:
    async def scenario() -> None:
        world = World(first=("a", "b", "c"))
        loop = await world.lead(worker_policy(idle_down_s=1.0))
        await loop.tick()
        world.pass_time(1000)
        assert isinstance(await loop.tick(), Hold)
        members = (await world.book.standing("workers")).view["members"]
        assert [member["removable"] for member in members] == [False] * 3

    run(scenario())


def test_a_job_that_fits_no_node_brings_a_machine_that_it_fits() -> None:
    async def scenario() -> None:
        world = World()
        loop = await world.lead()
        await world.submit(1, resources=Resources(cpus=6.0))
        await loop.tick()
        (machine,) = world.cloud.machines.values()
        assert machine.shape.name == "large"

    run(scenario())
