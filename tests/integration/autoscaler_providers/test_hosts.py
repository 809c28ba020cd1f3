"""Given hosts behind a real SSH server: what the contract does not say."""

from __future__ import annotations

import json
import os
import signal

import pytest
from tests.integration.autoscaler_providers.grounds.ground import START
from tests.servers.redis import free_port

from quetzalcore.autoscaler.host_scripts import HostView, launch_input, read_view
from quetzalcore.autoscaler.marks import Mark
from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import (
    LaunchFailed,
    LaunchOrder,
    MachineState,
    NoCapacity,
    ProviderUnreachable,
)
from quetzalcore.autoscaler.providers.hosts import host_sizes
from quetzalcore.jobs.ledger import StaleEpoch
from quetzalcore.ssh import RemoteResult

SHAPE = Shape(name="host-4x8", cpus=4.0, memory_mib=8192)


def test_the_worker_knows_who_it_is_and_nobody_else_its_key(hosts_ground) -> None:
    async def story() -> None:
        provider = hosts_ground.provider()
        order = await hosts_ground.order(provider)
        await provider.launch(order)
        (pid,) = hosts_ground.workers()
        raw = hosts_ground.environment(pid)
        assert raw["QUETZAL_NODE_ID"] == order.name
        assert raw["QUETZAL_JOIN_KEY"] == "qz_test"
        (kept,) = [path for place in hosts_ground.places() for path in place.glob("worker.env")]
        assert kept.stat().st_mode & 0o777 == 0o600

    hosts_ground.play(story)


def test_a_worker_that_died_is_seen_and_its_host_freed(hosts_ground) -> None:
    async def story() -> None:
        provider = hosts_ground.provider()
        await provider.launch(await hosts_ground.order(provider))
        (pid,) = hosts_ground.workers()
        os.kill(pid, signal.SIGKILL)
        (machine,) = await hosts_ground.settled(provider, 1)
        assert machine.state is MachineState.PENDING
        await provider.terminate(machine.id, epoch=5)
        assert await provider.list() == ()

    hosts_ground.play(story)


def test_a_worker_that_does_not_want_to_end_is_killed(hosts_ground) -> None:
    stubborn = f"trap '' TERM; sleep {hosts_ground.nap}; :"

    async def story() -> None:
        provider = hosts_ground.keep(hosts_ground.build(command=("sh", "-c", stubborn), stop_s=0.3))
        made = await provider.launch(await hosts_ground.order(provider))
        await provider.terminate(made.id, epoch=5)
        assert await provider.list() == ()
        assert await hosts_ground.traces() == set()

    hosts_ground.play(story)


def test_a_host_that_does_not_answer_is_left_out(hosts_ground) -> None:
    async def story() -> None:
        hosts = tuple(hosts_ground.server.hosts)
        silent = hosts_ground.keep(hosts_ground.build(hosts=(*hosts[:1], "127.0.0.99")))
        made = await silent.launch(await hosts_ground.order(silent))
        assert [one.id for one in await silent.list()] == [made.id]
        with pytest.raises(ProviderUnreachable, match=r"does not answer: 127\.0\.0\.99"):
            await silent.terminate("may-be-there", epoch=5)
        with pytest.raises(NoCapacity, match=r"none of 2 hosts is free .*\(1 answer, 1 are taken"):
            await silent.launch(await hosts_ground.order(silent))
        await silent.terminate(made.id, epoch=5)

    hosts_ground.play(story)


def test_a_host_with_an_unknown_key_is_not_trusted(hosts_ground, tmp_path) -> None:
    async def story() -> None:
        provider = hosts_ground.keep(hosts_ground.build(known_hosts_file=tmp_path / "none"))
        with pytest.raises(ProviderUnreachable, match="none of 3 hosts answers"):
            await provider.list()

    hosts_ground.play(story)


def test_a_size_that_no_host_has_is_no_capacity(hosts_ground) -> None:
    async def story() -> None:
        provider = hosts_ground.provider()
        huge = Shape(name="huge", cpus=100_000.0, memory_mib=512)
        with pytest.raises(NoCapacity, match="100000 cores"):
            await provider.launch(LaunchOrder(name="order-huge", shape=huge, epoch=5))

    hosts_ground.play(story)


def test_an_order_whose_host_fell_silent_goes_nowhere_else(hosts_ground, monkeypatch) -> None:
    async def story() -> None:
        provider = hosts_ground.provider()
        order = await hosts_ground.order(provider)
        run = provider._run

        async def cut(host, command, *, stdin=b"", timeout_s=30.0) -> RemoteResult:
            result = await run(host, command, stdin=stdin, timeout_s=timeout_s)
            if stdin:
                raise ProviderUnreachable(f"{host} fell silent", hint="wait")
            return result

        monkeypatch.setattr(provider, "_run", cut)
        with pytest.raises(ProviderUnreachable, match="fell silent"):
            await provider.launch(order)
        monkeypatch.setattr(provider, "_run", run)
        look = provider._look_at

        async def deaf(host) -> HostView | None:
            return None if host == next(iter(hosts_ground.server.hosts)) else await look(host)

        monkeypatch.setattr(provider, "_look_at", deaf)
        with pytest.raises(ProviderUnreachable, match="may run on"):
            await provider.launch(order)
        monkeypatch.setattr(provider, "_look_at", look)
        assert (await provider.launch(order)).id == order.name
        assert len(hosts_ground.workers()) == 1

    hosts_ground.play(story)


def test_the_host_itself_refuses_who_did_not_look_in_time(hosts_ground, monkeypatch) -> None:
    """Between our look and our launch another leader took the first host, and then all of them."""

    async def story() -> None:
        first, *others = hosts_ground.places()
        provider = hosts_ground.provider()
        views = await provider._look()

        async def look_of_then() -> object:
            return views

        monkeypatch.setattr(provider, "_look", look_of_then)
        hosts_ground.occupy(first, "faster")
        made = await provider.launch(await hosts_ground.order(provider, epoch=5))
        assert made.address == list(hosts_ground.server.hosts)[1]
        for place in others:
            place.mkdir(exist_ok=True)
            (place / "epoch").write_text("9\n")
        with pytest.raises(StaleEpoch, match=r"epoch 5 is over on 127\.0\.0\.3: epoch 9 leads"):
            await provider.launch(await hosts_ground.order(provider, epoch=5))
        assert len(hosts_ground.workers()) == 1

    hosts_ground.play(story)


def test_a_launch_tells_what_the_host_said(hosts_ground) -> None:
    async def story() -> None:
        provider = hosts_ground.keep(hosts_ground.build_broken())
        with pytest.raises(LaunchFailed, match="/nothing/here"):
            await provider.launch(await hosts_ground.order(provider))

    hosts_ground.play(story)


def test_what_a_host_says_is_read() -> None:
    mark = Mark(cluster="quetzal", order="w-1", epoch=7, launched_at=START, shape=SHAPE)
    line = launch_input(mark, "").decode().splitlines()[1]
    said = f"cpus 4\nmemory_kib 10485760\nepoch 7\nalive 1\nmark {line}\n".encode()
    assert read_view("h", said, cluster="quetzal") == HostView(
        host="h", shape=SHAPE, epoch=7, taken=True, alive=True, mark=mark
    )
    other = read_view("h", said, cluster="another")
    assert (other.taken, other.mark) == (True, None)


@pytest.mark.parametrize("mark", ["{", "[]", json.dumps({"role": "worker"})])
def test_a_mark_that_is_no_mark_keeps_the_host_taken(mark) -> None:
    view = read_view("h", f"cpus 4\nmark {mark}\n".encode(), cluster="quetzal")
    assert (view.taken, view.mark) == (True, None)


def test_sizes_are_counted_by_what_is_free() -> None:
    small = Shape(name="s", cpus=2.0, memory_mib=4096)
    views = [
        HostView(host="a", shape=SHAPE),
        HostView(host="b", shape=SHAPE, taken=True),
        HostView(host="c", shape=small, taken=True),
    ]
    assert [(shape.name, shape.room) for shape in host_sizes(views)] == [("s", 0), ("host-4x8", 1)]


def test_a_port_where_nobody_listens_is_told(hosts_ground) -> None:
    async def story() -> None:
        provider = hosts_ground.keep(hosts_ground.build(port=free_port()))
        with pytest.raises(ProviderUnreachable, match="none of 3 hosts answers"):
            await provider.shapes()

    hosts_ground.play(story)
