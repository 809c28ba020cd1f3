"""Workers on this host: what the contract does not say."""

from __future__ import annotations

import asyncio

import pytest
from tests.integration.autoscaler_providers.grounds.nowhere import Entry

from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import LaunchOrder, NoCapacity
from quetzalcore.autoscaler.providers.local import SLOTS_PER_CORE, HostSize, slot_shapes

SLOT = Shape(name="slot", cpus=1.0, memory_mib=512)


def _rooms(host: HostSize, *members: Entry) -> dict[str, int | None]:
    return {shape.name: shape.room for shape in slot_shapes(SLOT, host, members)}


def test_memory_is_never_shared_and_cores_four_times() -> None:
    host = HostSize(cpus=2, memory_mib=100_000)
    assert _rooms(host) == {"slot": 2 * SLOTS_PER_CORE, "slot-x2": 4, "slot-x4": 2}
    host = HostSize(cpus=64, memory_mib=2048)
    assert _rooms(host) == {"slot": 4, "slot-x2": 2, "slot-x4": 1}


def test_a_size_that_the_empty_host_does_not_hold_is_not_offered() -> None:
    assert _rooms(HostSize(cpus=8, memory_mib=1536)) == {"slot": 3, "slot-x2": 1}


def test_what_others_hold_is_no_room() -> None:
    host = HostSize(cpus=2, memory_mib=4096, first_cpus=2, first_memory_mib=1024)
    whole = Entry(node_id="w", cpus=None, memory_mib=None)
    slot = Entry(node_id="v", cpus=1.0, memory_mib=512)
    assert _rooms(host, slot) == {"slot": 5, "slot-x2": 2, "slot-x4": 1}
    assert _rooms(host, whole) == {"slot": 0, "slot-x2": 0, "slot-x4": 0}


def test_a_full_host_says_what_it_offers(local_ground) -> None:
    async def story() -> None:
        provider = await local_ground.fill()
        order = LaunchOrder(name="one-more", shape=SLOT, epoch=1)
        with pytest.raises(NoCapacity, match=r"it offers 4096 MiB and 8 slots in all"):
            await provider.launch(order)

    local_ground.play(story)


def test_a_worker_that_vanishes_while_it_is_added_is_no_success(local_ground) -> None:
    async def story() -> None:
        provider = local_ground.provider()
        order = await local_ground.order(provider)

        async def lose(name: str, *, cpus: float, memory_mib: int) -> object:
            return None

        local_ground.fleet.add = lose
        with pytest.raises(NoCapacity, match="was added and is gone"):
            await provider.launch(order)

    local_ground.play(story)


def test_a_launch_that_is_called_off_leaves_nothing(local_ground) -> None:
    async def story() -> None:
        provider = local_ground.provider()
        order = await local_ground.order(provider)
        add, begun = local_ground.fleet.add, asyncio.Event()

        async def hang(name: str, *, cpus: float, memory_mib: int) -> object:
            await add(name, cpus=cpus, memory_mib=memory_mib)
            begun.set()
            return await asyncio.Event().wait()

        local_ground.fleet.add = hang
        launch = asyncio.create_task(provider.launch(order))
        await begun.wait()
        launch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await launch
        assert await local_ground.traces() == set()

    local_ground.play(story)


def test_a_spoilt_book_is_begun_anew(local_ground) -> None:
    async def story() -> None:
        provider = local_ground.provider()
        await provider.launch(await local_ground.order(provider))
        (local_ground.folder / "provider.json").write_text("{")
        assert len(await provider.list()) == 1

    local_ground.play(story)
