"""The local engine keeps the engines' contract, and its agent dies and is found as promised."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cluster.engine_contract import EngineContract, Opened, follow, noop

from quetzalcore.cluster.engine import AgentLink, AgentUnreachable
from quetzalcore.cluster.engines.local import LocalEngine
from quetzalcore.cluster.engines.memory import MemoryEngine
from quetzalcore.cluster.host import HostSettings
from quetzalcore.cluster.messages import Finished, Renew, Start, Started
from quetzalcore.jobs.model import Node, Resources


def settings_of(folder: Path, **changes: Any) -> HostSettings:  # noqa: ANN401 -- any of its fields
    return HostSettings(
        node_id="here", folder=folder, runtime="process", warm_numeric=0, warm_bare=1, **changes
    )


@asynccontextmanager
async def local(
    folder: Path,
    *,
    patience_s: float = 5.0,
    **changes: Any,  # noqa: ANN401 -- any of its fields
) -> AsyncIterator[LocalEngine]:
    engine = LocalEngine(settings_of(folder, **changes), patience_s=patience_s)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.shut_down()


def agent_pid(folder: Path) -> int:
    return int((folder / "agent.pid").read_text())


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_end(*pids: int) -> None:
    deadline = time.monotonic() + 10
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, f"one of {pids} does not end"
        time.sleep(0.02)


async def hear_for_ever(link: AgentLink) -> None:
    while True:
        await link.events(after=0, wait_s=5)


class TestLocalEngine(EngineContract):
    @pytest.fixture
    def opened(self, tmp_path) -> Opened:
        return lambda: local(tmp_path / "agent")


class TestMemoryEngine(EngineContract):
    @pytest.fixture
    def opened(self, tmp_path) -> Opened:
        @asynccontextmanager
        async def memory() -> AsyncIterator[MemoryEngine]:
            total = Resources(cpus=4, memory_mib=4096, scratch_mib=1024)
            node = Node(id="m", address="", total=total, free=total, runtime="fake")
            engine = MemoryEngine((node,), tmp_path)
            await engine.start()
            yield engine
            await engine.shut_down()

        return memory


def test_it_is_up_within_a_second_or_three_on_a_busy_machine(tmp_path) -> None:
    async def scenario() -> None:
        began = time.monotonic()
        async with local(tmp_path / "agent") as engine:
            assert await engine.nodes()
            assert time.monotonic() - began < 3

    asyncio.run(scenario())


def test_only_its_user_may_open_the_socket(tmp_path) -> None:
    async def scenario() -> None:
        async with local(tmp_path / "agent"):
            mode = (tmp_path / "agent" / "agent.sock").stat().st_mode
            assert stat.S_IMODE(mode) == 0o600

    asyncio.run(scenario())


def test_a_long_folder_name_is_no_obstacle(tmp_path) -> None:
    async def scenario() -> None:
        async with local(tmp_path / ("long" * 30) / "agent") as engine:
            assert await engine.nodes()

    asyncio.run(scenario())


def test_two_masters_start_one_agent(tmp_path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "agent"
        engines = [LocalEngine(settings_of(folder)) for _ in range(3)]
        await asyncio.gather(*(engine.start() for engine in engines))
        pid = agent_pid(folder)
        for engine in engines:
            assert await engine.nodes()
        assert agent_pid(folder) == pid
        for engine in engines[1:]:
            await engine.close()
        await engines[0].shut_down()
        assert not is_alive(pid)

    asyncio.run(scenario())


def test_a_killed_agent_is_started_again_and_its_vms_are_gone(tmp_path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "agent"
        async with local(folder) as engine:
            link = engine.agent("here")
            await link.command(Start(epoch=1, assignments=(noop("a", sleep_s=60),)))
            async for event in follow(link):
                if isinstance(event, Started):
                    break
            await asyncio.sleep(0.5)
            pid = agent_pid(folder)
            children = descendants(pid)
            assert children
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(AgentUnreachable):
                await hear_for_ever(link)
            assert await engine.nodes()
            assert agent_pid(folder) != pid
            answer = await engine.agent("here").command(Renew(epoch=2, leases_s={}))
            assert answer.attempts == ()
            await asyncio.to_thread(wait_for_end, *children)

    asyncio.run(scenario())


def test_an_agent_that_does_not_answer_is_replaced(tmp_path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "agent"
        async with local(folder, patience_s=1.0) as engine:
            pid = agent_pid(folder)
            os.kill(pid, signal.SIGSTOP)
            assert await engine.nodes()
            assert agent_pid(folder) != pid
            assert not is_alive(pid)

    asyncio.run(scenario())


def test_other_settings_replace_the_agent(tmp_path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "agent"
        async with local(folder) as engine:
            pid = agent_pid(folder)
            assert (await engine.nodes())[0].total.memory_mib != 777
            await engine.close()
            async with local(folder, memory_mib=777) as changed:
                assert (await changed.nodes())[0].total.memory_mib == 777
                assert not is_alive(pid)

    asyncio.run(scenario())


def test_an_agent_that_nobody_needs_leaves_by_itself(tmp_path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "agent"
        engine = LocalEngine(settings_of(folder, silence_s=0.5))
        await engine.start()
        pid = agent_pid(folder)
        await engine.close()
        await asyncio.to_thread(wait_for_end, pid)

    asyncio.run(scenario())


def test_work_of_an_unheard_master_ends_before_the_agent_leaves(tmp_path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "agent"
        engine = LocalEngine(settings_of(folder, silence_s=0.5))
        await engine.start()
        link = engine.agent("here")
        await link.command(Start(epoch=1, assignments=(noop("a", sleep_s=60, lease_s=2.0),)))
        pid = agent_pid(folder)
        await engine.close()
        await asyncio.sleep(1)
        assert is_alive(pid), "it left while it had work under a lease"
        await engine.start()
        async for event in follow(engine.agent("here")):
            if isinstance(event, Finished):
                assert event.failure is not None
                assert event.failure.code == "lease_expired"
                break
        await engine.shut_down()

    asyncio.run(scenario())


def descendants(pid: int) -> list[int]:
    """Every process below one, as the kernel tells it."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            found += [child, *descendants(child)]
    return found
