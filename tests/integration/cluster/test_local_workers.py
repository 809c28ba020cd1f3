"""Workers beside the first one of a host: added, adopted, ended, by any master."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest
from tests.integration.cluster.engine_contract import endings, noop

from quetzalcore.cluster.engines.local import LocalEngine
from quetzalcore.cluster.host import HostSettings
from quetzalcore.cluster.messages import Start
from quetzalcore.errors import BadParameter
from quetzalcore.jobs.model import Node

_DEADLINE_S = 20.0


def _engine(folder: Path) -> LocalEngine:
    settings = HostSettings(
        node_id="first", folder=folder, runtime="process", warm_numeric=0, warm_bare=0
    )
    return LocalEngine(settings)


async def _nodes(engine: LocalEngine, wanted: Callable[[dict[str, Node]], bool]) -> dict[str, Node]:
    give_up_at = time.monotonic() + _DEADLINE_S
    while True:
        found = {node.id: node for node in await engine.nodes()}
        if wanted(found):
            return found
        assert time.monotonic() < give_up_at, sorted(found)
        await asyncio.sleep(0.05)


def _play(folder: Path, scenario: Callable[[LocalEngine], Awaitable[None]]) -> None:
    async def main() -> None:
        engine = _engine(folder)
        await engine.start()
        try:
            await scenario(engine)
        finally:
            await engine.shut_down()
            assert engine.members() == ()

    asyncio.run(main())


def _pid(folder: Path, name: str) -> int:
    return int((folder / "more" / name / "agent.pid").read_text())


def test_an_added_worker_runs_jobs_until_it_is_removed(tmp_path) -> None:
    async def scenario(engine: LocalEngine) -> None:
        await engine.add("w1", cpus=1.0, memory_mib=512)
        again = await engine.add("w1", cpus=2.0, memory_mib=1024)
        assert (again.cpus, again.memory_mib) == (1.0, 512)
        nodes = await _nodes(engine, lambda found: "w1" in found)
        assert (nodes["w1"].total.cpus, nodes["w1"].total.memory_mib) == (1.0, 512)
        link = engine.agent("w1")
        await link.command(Start(epoch=1, assignments=(noop("a"),)))
        assert (await endings(link, 1))["a"].ending == "succeeded"
        await engine.remove("w1")
        await engine.remove("w1")
        assert {node.id for node in await engine.nodes()} == {"first"}
        assert not (tmp_path / "more" / "w1").exists()

    _play(tmp_path, scenario)


def test_the_next_master_finds_the_workers_and_what_it_removes_is_gone_for_the_other(
    tmp_path,
) -> None:
    async def scenario(engine: LocalEngine) -> None:
        await engine.add("w1", cpus=1.0, memory_mib=512)
        await _nodes(engine, lambda found: "w1" in found)
        pid = _pid(tmp_path, "w1")
        other = _engine(tmp_path)
        await other.start()
        await _nodes(other, lambda found: "w1" in found)
        assert _pid(tmp_path, "w1") == pid
        await other.remove("w1")
        await _nodes(engine, lambda found: "w1" not in found)
        assert engine.members() == ()
        await other.close()

    _play(tmp_path, scenario)


def test_a_dead_worker_is_started_again_and_holds_nobody_up(tmp_path) -> None:
    async def scenario(engine: LocalEngine) -> None:
        await engine.add("w1", cpus=1.0, memory_mib=512)
        await _nodes(engine, lambda found: "w1" in found)
        pid = _pid(tmp_path, "w1")
        os.kill(pid, signal.SIGKILL)
        await _nodes(engine, lambda found: "w1" not in found)
        await _nodes(engine, lambda found: "w1" in found)
        assert _pid(tmp_path, "w1") != pid

    _play(tmp_path, scenario)


def test_what_a_master_that_died_left_of_a_removed_worker_is_ended(tmp_path) -> None:
    async def scenario(engine: LocalEngine) -> None:
        for name in ("old", "new"):
            await engine.add(name, cpus=1.0, memory_mib=512)
            await _nodes(engine, lambda found, name=name: name in found)  # type: ignore[misc]  # bound now
            (tmp_path / "more" / name / "worker.json").unlink()
        pid = _pid(tmp_path, "old")
        os.utime(tmp_path / "more" / "old", (0, 0))
        other = _engine(tmp_path)
        await other.start()
        assert [path.name for path in (tmp_path / "more").glob("*/")] == ["new"]
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        os.utime(tmp_path / "more" / "new", (0, 0))
        await other.close()
        await engine.start()

    _play(tmp_path, scenario)


@pytest.mark.parametrize("name", ["../first", "", "A", "a" * 64])
def test_a_name_that_is_no_folders_name_is_refused(tmp_path, name) -> None:
    async def scenario() -> None:
        with pytest.raises(BadParameter):
            await _engine(tmp_path).add(name, cpus=1.0, memory_mib=512)

    asyncio.run(scenario())
