"""What every provider promises: the fake, this host, containers, Kubernetes, clouds and given hosts alike."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from quetzalcore.autoscaler.provider import LaunchFailed, MachineState, NoCapacity
from quetzalcore.errors import Retryable
from quetzalcore.jobs.ledger import StaleEpoch


def test_the_same_order_given_twice_makes_one_machine(ground) -> None:
    async def story() -> None:
        provider = ground.provider()
        order = await ground.order(provider)
        await asyncio.gather(provider.launch(order), provider.launch(order))
        (machine,) = await ground.settled(provider, 1)
        again = await ground.provider().launch(order)
        assert again.id == machine.id
        assert len(await ground.settled(provider, 1)) == 1
        assert len(await ground.traces()) == 1

    ground.play(story)


def test_what_was_made_is_found_and_removed_after_a_restart(ground) -> None:
    async def story() -> None:
        before = ground.provider()
        order = await ground.order(before)
        await before.launch(order)
        (made,) = await ground.settled(before, 1)

        after = ground.provider()
        (found,) = await ground.settled(after, 1)
        assert (found.id, found.launched_at) == (made.id, made.launched_at)
        assert replace(found.shape, room=None) == replace(order.shape, room=None)
        await after.terminate(found.id, epoch=6)
        assert await ground.settled(before, 0) == ()
        assert await ground.traces() == set()

    ground.play(story)


def test_a_launched_machine_is_listed_at_once(ground) -> None:
    async def story() -> None:
        provider = ground.provider()
        order = await ground.order(provider)
        made = await provider.launch(order)
        (listed,) = await provider.list()
        assert made.state in {MachineState.PENDING, MachineState.RUNNING}
        assert listed.launched_at == made.launched_at
        assert listed.shape.name == order.shape.name

    ground.play(story)


def test_terminating_twice_and_what_never_was_is_no_error(ground) -> None:
    async def story() -> None:
        provider = ground.provider()
        await provider.launch(await ground.order(provider))
        (machine,) = await ground.settled(provider, 1)
        await asyncio.gather(
            provider.terminate(machine.id, epoch=5), provider.terminate(machine.id, epoch=5)
        )
        await provider.terminate(machine.id, epoch=5)
        await provider.terminate("never-was", epoch=5)
        assert await ground.settled(provider, 0) == ()
        assert await ground.traces() == set()

    ground.play(story)


def test_a_machine_that_is_just_asked_for_can_be_terminated(ground) -> None:
    async def story() -> None:
        provider = ground.provider()
        made = await provider.launch(await ground.order(provider))
        await provider.terminate(made.id, epoch=5)
        assert await ground.settled(provider, 0) == ()
        assert await ground.traces() == set()

    ground.play(story)


def test_no_room_is_told_as_such_and_leaves_nothing(ground) -> None:
    async def story() -> None:
        provider = await ground.fill()
        order = await ground.order(provider)
        before = await provider.list()
        with pytest.raises(NoCapacity) as refusal:
            await provider.launch(order)
        assert refusal.value.hint
        assert await provider.list() == before
        assert await ground.traces() == set()

    ground.play(story)


def test_a_launch_that_fails_half_way_leaves_nothing(ground) -> None:
    async def story() -> None:
        provider = ground.keep(ground.build_broken())
        order = await ground.order(provider)
        with pytest.raises(LaunchFailed):
            await provider.launch(order)
        assert await ground.settled(provider, 0) == ()
        assert await ground.traces() == set()

    ground.play(story)


def test_an_older_leader_neither_launches_nor_terminates(ground) -> None:
    async def story() -> None:
        new, old = ground.provider(), ground.provider()
        await new.launch(await ground.order(new, epoch=8))
        (machine,) = await ground.settled(new, 1)
        with pytest.raises(StaleEpoch):
            await old.launch(await ground.order(old, epoch=7))
        with pytest.raises(StaleEpoch):
            await old.terminate(machine.id, epoch=7)
        assert [one.id for one in await ground.settled(old, 1)] == [machine.id]
        assert len(await ground.traces()) == 1

    ground.play(story)


def test_a_leader_is_refused_after_a_later_one_has_only_terminated(ground) -> None:
    async def story() -> None:
        provider = ground.provider()
        await provider.launch(await ground.order(provider, epoch=5))
        (machine,) = await ground.settled(provider, 1)
        await provider.terminate(machine.id, epoch=6)
        with pytest.raises(StaleEpoch):
            await provider.launch(await ground.order(provider, epoch=5))
        assert await ground.settled(provider, 0) == ()

    ground.play(story)


def test_machines_of_others_are_neither_listed_nor_terminated(ground) -> None:
    async def story() -> None:
        foreign = await ground.add_foreign()
        provider = ground.provider()
        assert await provider.list() == ()
        await provider.terminate(foreign, epoch=5)
        await provider.launch(await ground.order(provider))
        (machine,) = await ground.settled(provider, 1)
        await provider.terminate(machine.id, epoch=5)
        assert await ground.settled(provider, 0) == ()
        assert foreign in await ground.foreign()

    ground.play(story)


def test_different_orders_at_once_make_as_many_machines(ground) -> None:
    async def story() -> None:
        provider = ground.provider()
        orders = [await ground.order(provider) for _ in range(3)]
        await asyncio.gather(*(provider.launch(order) for order in orders))
        machines = await ground.settled(provider, 3)
        assert len({machine.id for machine in machines}) == 3
        first, *others = machines
        await provider.terminate(first.id, epoch=5)
        left = await ground.settled(provider, 2)
        assert {machine.id for machine in left} == {machine.id for machine in others}

    ground.play(story)


def test_sizes_come_cheapest_first_under_names_of_their_own(ground) -> None:
    async def story() -> None:
        shapes = await ground.provider().shapes()
        assert shapes
        assert len({shape.name for shape in shapes}) == len(shapes)
        prices = [(shape.hourly_price, shape.cpus) for shape in shapes]
        assert prices == sorted(prices)

    ground.play(story)


def test_whoever_cannot_be_reached_may_be_asked_again(ground) -> None:
    provider = ground.build_unreachable()
    if provider is None:
        return  # nobody to reach: the fake and this host

    async def story() -> None:
        ground.keep(provider)
        with pytest.raises(Retryable):
            await provider.list()
        with pytest.raises(Retryable):
            await provider.terminate("anything", epoch=5)

    ground.play(story)
