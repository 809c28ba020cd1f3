"""What every engine promises; a module per engine gives ``open_engine`` and inherits the tests.

::

    class TestRayEngine(EngineContract):
        @pytest.fixture
        def opened(self): return an async context manager function that yields a started engine

Tasks are of the kind ``noop``; jobs must run (trust ``owner``) on the engine's first node.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pytest

from quetzalcore.cluster.engine import AgentLink, AgentUnreachable, Engine
from quetzalcore.cluster.messages import (
    AgentEvent,
    Assignment,
    Finished,
    Renew,
    Start,
    Started,
    Stop,
)
from quetzalcore.jobs.ledger import StaleEpoch
from quetzalcore.jobs.model import Resources

Opened = Callable[[], AbstractAsyncContextManager[Engine]]
_PATIENCE_S = 30.0


def noop(attempt: str, *, sleep_s: float = 0.0, lease_s: float = 60.0) -> Assignment:
    """Describe an attempt that does nothing, for a while."""
    return Assignment(
        attempt_id=attempt,
        job_id=f"job-{attempt}",
        tenant="tenant",
        kind="noop",
        run="quetzalcore.workloads.noop:run",
        params={"sleep_s": sleep_s, "echo": attempt},
        resources=Resources(cpus=0.25, memory_mib=128, scratch_mib=16),
        tier="bare",
        wall_s=60,
        trust="owner",
        lease_s=lease_s,
    )


async def follow(link: AgentLink) -> AsyncIterator[AgentEvent]:
    """Give events as a master reads them: acknowledged once the next are asked for."""
    after = 0
    while True:
        batch = await link.events(after=after, wait_s=_PATIENCE_S)
        assert batch.events, "nothing happened"
        for event in batch.events:
            yield event
        after = batch.events[-1].sequence


async def endings(link: AgentLink, count: int) -> dict[str, Finished]:
    """Wait until so many attempts have ended."""
    ended: dict[str, Finished] = {}
    async for event in follow(link):
        if isinstance(event, Finished):
            assert event.attempt_id not in ended, "an attempt ended twice"
            ended[event.attempt_id] = event
            if len(ended) == count:
                return ended
    raise AssertionError


class EngineContract:
    """Run by every engine's test module against its own ``opened`` fixture."""

    epochs: ClassVar = itertools.count(1000)  # a shared cluster's agents remember the newest

    @pytest.fixture
    def opened(self) -> Opened:
        """Give what opens a started engine."""
        raise NotImplementedError

    def run(self, opened: Opened, scenario) -> None:
        """Run a scenario of an engine, a node's id, the link to it and an epoch."""

        async def inside() -> None:
            async with opened() as engine:
                node = (await engine.nodes())[0]
                await scenario(engine, node.id, engine.agent(node.id), next(self.epochs))

        asyncio.run(inside())

    def test_nodes_say_what_they_have(self, opened) -> None:
        async def scenario(engine, node_id, _link, _epoch) -> None:
            for node in await engine.nodes():
                assert node.total.cpus > 0
                assert node.total.memory_mib > 0
                assert node.trust in {"owner", "tenant"}
                assert node.runtime
                assert node.ready
            assert node_id in {node.id for node in await engine.nodes()}

        self.run(opened, scenario)

    def test_an_unknown_node_is_unreachable(self, opened) -> None:
        async def scenario(engine, _node_id, _link, epoch) -> None:
            with pytest.raises(AgentUnreachable):
                await engine.agent("nowhere").command(Renew(epoch=epoch, leases_s={}))

        self.run(opened, scenario)

    def test_an_attempt_started_twice_runs_once(self, opened) -> None:
        async def scenario(_engine, _node_id, link, epoch) -> None:
            order = Start(epoch=epoch, assignments=(noop(f"once-{epoch}"),))
            await link.command(order)
            await link.command(order)
            starts = 0
            async for event in follow(link):
                starts += isinstance(event, Started)
                if isinstance(event, Finished):
                    assert event.ending == "succeeded", event
                    assert event.result == {"echo": f"once-{epoch}"}
                    break
            assert starts == 1

        self.run(opened, scenario)

    def test_many_attempts_end_once_each(self, opened) -> None:
        async def scenario(_engine, _node_id, link, epoch) -> None:
            names = [f"many-{epoch}-{number}" for number in range(10)]
            await link.command(Start(epoch=epoch, assignments=tuple(noop(name) for name in names)))
            ended = await endings(link, 10)
            assert {name: event.result for name, event in ended.items()} == {
                name: {"echo": name} for name in names
            }

        self.run(opened, scenario)

    def test_events_are_given_again_until_they_are_acknowledged(self, opened) -> None:
        async def scenario(_engine, _node_id, link, epoch) -> None:
            await link.command(Start(epoch=epoch, assignments=(noop(f"again-{epoch}"),)))
            ended = (await endings(link, 1)).popitem()[1]
            again = await link.events(after=ended.sequence - 1, wait_s=5)
            assert [event.sequence for event in again.events] == [ended.sequence]
            answer = await link.command(Renew(epoch=epoch, leases_s={}))
            assert f"again-{epoch}" in answer.attempts
            none = await link.events(after=ended.sequence, wait_s=0.0)
            assert none.events == ()
            answer = await link.command(Renew(epoch=epoch, leases_s={}))
            assert f"again-{epoch}" not in answer.attempts

        self.run(opened, scenario)

    def test_a_stopped_attempt_ends_cancelled(self, opened) -> None:
        async def scenario(_engine, _node_id, link, epoch) -> None:
            name = f"stopped-{epoch}"
            await link.command(Start(epoch=epoch, assignments=(noop(name, sleep_s=60),)))
            async for event in follow(link):
                if isinstance(event, Started):
                    break
            await link.command(Stop(epoch=epoch, attempt_ids=(name,)))
            assert (await endings(link, 1))[name].ending == "cancelled"

        self.run(opened, scenario)

    def test_an_attempt_that_is_not_renewed_is_killed(self, opened) -> None:
        async def scenario(_engine, _node_id, link, epoch) -> None:
            name = f"left-{epoch}"
            await link.command(
                Start(epoch=epoch, assignments=(noop(name, sleep_s=60, lease_s=1.5),))
            )
            ended = (await endings(link, 1))[name]
            assert ended.failure is not None
            assert ended.failure.code == "lease_expired"

        self.run(opened, scenario)

    def test_a_renewed_attempt_lives_on(self, opened) -> None:
        async def scenario(_engine, _node_id, link, epoch) -> None:
            name = f"kept-{epoch}"
            await link.command(
                Start(epoch=epoch, assignments=(noop(name, sleep_s=1.5, lease_s=1.0),))
            )
            await link.command(Renew(epoch=epoch, leases_s={name: 30.0}))
            assert (await endings(link, 1))[name].ending == "succeeded"

        self.run(opened, scenario)

    def test_an_older_epoch_is_refused(self, opened) -> None:
        async def scenario(_engine, _node_id, link, epoch) -> None:
            await link.command(Renew(epoch=epoch, leases_s={}))
            with pytest.raises(StaleEpoch):
                await link.command(Start(epoch=epoch - 1, assignments=(noop("stale"),)))

        self.run(opened, scenario)

    def test_what_runs_survives_a_master_and_is_found_by_the_next(self, opened) -> None:
        async def scenario(engine, node_id, link, epoch) -> None:
            name = f"adopted-{epoch}"
            await link.command(Start(epoch=epoch, assignments=(noop(name, sleep_s=1.0),)))
            await engine.close()
            await engine.start()
            later = engine.agent(node_id)
            answer = await later.command(Renew(epoch=next(self.epochs), leases_s={}))
            assert name in answer.attempts
            assert (await endings(later, 1))[name].ending == "succeeded"

        self.run(opened, scenario)
