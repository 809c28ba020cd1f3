from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import threading
from dataclasses import replace

import psutil
import pytest
from tests.servers.platform import eventually

from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import LaunchOrder, MachineState, NoCapacity
from quetzalcore.autoscaler.providers.supervised import SupervisedProvider
from quetzalcore.cli import supervising
from quetzalcore.cli.host_files import HostFiles
from quetzalcore.errors import BadParameter
from quetzalcore.jobs.ledger import StaleEpoch
from quetzalcore.ops.supervisor.control import (
    ReopenLogsRequest,
    RestartRequest,
    ScaleRequest,
)
from quetzalcore.ops.supervisor.control_client import NoSupervisor, SupervisorClient


def test_everything_runs_and_everything_ends(tiny) -> None:
    tiny.start()
    status = tiny.status()
    assert [(one["name"], one["state"]) for one in status["processes"]] == [
        ("master", "ready"), ("gateway-1", "ready"), ("gateway-2", "ready"),
    ]  # fmt: skip
    note = json.loads((tiny.run / "platform.json").read_text())
    assert (note["url"], note["pid"]) == (status["url"], tiny.process.pid)
    first, second = status["instances"]
    assert tiny.who(first["url"]) == f"gateway {first['id']}"
    assert tiny.who(second["url"]) == f"gateway {second['id']}"
    assert tiny.who(status["master_url"]) == "master "
    assert tiny.who(status["url"]).startswith("gateway i")
    assert stat.S_IMODE((tiny.run / "supervisor.sock").stat().st_mode) == 0o600
    assert len(tiny.alive()) == 4
    assert tiny.end() == 0
    assert tiny.alive() == []
    assert not (tiny.run / "platform.json").exists()
    assert f"gateway {first['id']} ends by {signal.SIGINT.value}" in tiny.said("gateway-1")


def test_the_supervisor_is_light(tiny) -> None:
    tiny.start()
    assert psutil.Process(tiny.process.pid).memory_info().rss < 40 * 2**20


def test_a_killed_instance_is_started_again_and_nobody_is_refused_meanwhile(tiny) -> None:
    tiny.start(replace(tiny.plan, instances=1))
    before = tiny.process_of("gateway-1")
    os.kill(before["pid"], signal.SIGKILL)
    assert tiny.who(before["url"]).startswith("gateway i1-")  # waits in the socket's queue
    after = tiny.process_of("gateway-1")
    assert (after["restarts"], after["url"]) == (1, before["url"])
    assert after["id"] != before["id"]


def test_a_rolling_restart_answers_every_caller(tiny) -> None:
    tiny.start()
    before = {one["id"] for one in tiny.status()["instances"]}
    urls = [one["url"] for one in tiny.status()["instances"]] + [tiny.status()["url"]]
    failures: list[Exception] = []
    done = threading.Event()

    def trickle(url: str) -> None:
        while not done.is_set():
            try:
                assert tiny.who(url).startswith("gateway i")
            except (OSError, AssertionError) as error:
                failures.append(error)

    threads = [threading.Thread(target=trickle, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    answer = tiny.ask(RestartRequest())
    assert answer["restarting"] == ["gateway-1", "gateway-2"]

    def replaced(status: dict) -> bool:
        ids = {one["id"] for one in status["instances"]}
        return not ids & before and not any(one["leaving"] for one in status["processes"])

    tiny.until(replaced, "both are replaced")
    done.set()
    for thread in threads:
        thread.join(10)
    assert failures == []
    assert len(tiny.alive()) == 4


def test_one_service_or_so_many_instances_are_restarted(tiny) -> None:
    tiny.start()
    master = tiny.process_of("master")["pid"]
    assert tiny.ask(RestartRequest(count=1))["restarting"] == ["gateway-1"]
    assert tiny.ask(RestartRequest(service="master"))["restarting"] == ["master"]
    tiny.until(
        lambda status: (
            status["ready"]
            and not status["rolling"]
            and tiny.process_of("master")["pid"] not in {master, None}
        ),
        "the master is another",
    )
    with pytest.raises(BadParameter, match="no service 'mystery'"):
        tiny.ask(RestartRequest(service="mystery"))


def test_instances_come_and_go_by_number(tiny) -> None:
    tiny.start()
    tiny.ask(ScaleRequest(instances=4))
    tiny.until(lambda status: status["ready"] and len(status["instances"]) == 4, "four serve")
    tiny.ask(ScaleRequest(instances=1))
    tiny.until(lambda status: len(status["instances"]) == 1, "one is left")
    assert len(tiny.alive()) == 3


def test_what_dies_at_once_is_told_as_failing_and_takes_nobody_with_it(tiny) -> None:
    tiny.start(wait=False, DIES="master")
    tiny.until(
        lambda status: (
            {one["name"]: one["state"] for one in status["processes"]}
            == {"master": "failing", "gateway-1": "ready", "gateway-2": "ready"}
        ),
        "the master is told as failing",
    )
    assert "master cannot be" in tiny.process_of("master")["said"]
    assert tiny.process_of("master")["restarts"] == 5
    files = HostFiles(root=tiny.run.parent)
    assert supervising.failing(files) == "master ended with 1: master cannot be"
    assert files.running() is None, "it never got as far as to serve"
    assert supervising.stop_supervisor(files), "and can be stopped all the same"
    assert tiny.process.wait(10) == 0
    tiny.process = None
    assert not supervising.stop_supervisor(files)
    assert supervising.supervised(files) is None


def test_nobody_waits_for_an_instance_that_dies_again_and_again(tiny) -> None:
    tiny.start(replace(tiny.plan, shared=False, instances=1), wait=False, DIES="gateway")
    tiny.until(
        lambda status: (
            status["processes"][1]["restarts"] >= 2
            and status["processes"][1]["pid"] is None
            and not status["processes"][1]["url"]
        ),
        "its socket is closed",
    )


def test_nothing_outlives_a_killed_supervisor_and_nothing_doubles_after_it(tiny) -> None:
    tiny.start()
    port = int(tiny.status()["url"].rsplit(":", 1)[1])
    tiny.end(signal.SIGKILL)
    eventually(lambda: not tiny.alive(), within_s=5, what="children died with it")
    with pytest.raises(NoSupervisor):
        tiny.status()
    tiny.start(replace(tiny.plan, port=port))
    assert len(tiny.alive()) == 4
    second = tiny.process
    tiny.start(wait=False)  # a second one beside it leaves
    assert tiny.process.wait(10) == 1
    tiny.process = second
    assert "another supervisor runs" in tiny.said()
    assert tiny.status()["ready"]


def test_logs_rotate_without_losing_a_line_and_are_reopened_when_moved(tiny) -> None:
    tiny.start(replace(tiny.plan, log_bytes=5_000, instances=1), LINES="3000")
    eventually(lambda: "line 2999\n" in tiny.said("gateway-1"), within_s=10, what="the last line")
    names = [tiny.logs / f"gateway-1.log{end}" for end in (".4", ".3", ".2", ".1", "")]
    lines = "".join(name.read_text() for name in names).splitlines()
    assert lines == [f"line {number}" for number in range(3000 - len(lines), 3000)]
    assert max(name.stat().st_size for name in names) <= 5_000
    moved = tiny.logs / "elsewhere"
    (tiny.logs / "platform.log").rename(moved)
    tiny.ask(ReopenLogsRequest())
    tiny.ask(ScaleRequest(instances=2))
    assert "i2-" in tiny.said()
    assert "i2-" not in moved.read_text()


def test_instances_are_a_provider_of_the_scaling_loop(tiny) -> None:
    tiny.start(replace(tiny.plan, instances=1))
    provider = SupervisedProvider(SupervisorClient(tiny.run))

    async def story() -> None:
        (shape,) = await provider.shapes()
        assert shape.room == 3
        order = LaunchOrder(name="scale-1", shape=shape, epoch=5)
        first, second = await asyncio.gather(provider.launch(order), provider.launch(order))
        assert first.id == second.id, "the same order makes one machine"
        assert first.state is MachineState.PENDING
        listed = {machine.id: machine for machine in await provider.list()}
        assert len(listed) == 2
        assert listed[first.id].launched_at == first.launched_at
        with pytest.raises(StaleEpoch):
            await provider.launch(LaunchOrder(name="scale-2", shape=shape, epoch=4))
        for name in ("scale-3", "scale-4"):
            await provider.launch(LaunchOrder(name=name, shape=shape, epoch=6))
        with pytest.raises(NoCapacity):
            await provider.launch(LaunchOrder(name="scale-5", shape=shape, epoch=6))
        with pytest.raises(StaleEpoch):
            await provider.terminate(first.id, epoch=5)
        for machine_id in (first.id, first.id, "never-was"):
            await provider.terminate(machine_id, epoch=6)
        await provider.close()

    asyncio.run(story())
    tiny.until(lambda status: len(status["instances"]) == 3, "one is gone")
    fresh = SupervisedProvider(
        SupervisorClient(tiny.run), shape=Shape(name="i", cpus=1, memory_mib=64)
    )
    assert len(asyncio.run(fresh.list())) == 3, "whoever leads next finds them"
