"""What the tests of the Ray engine send and wait for."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.integration.cluster.engine_contract import EngineContract

from quetzalcore.cluster.engine import AgentLink, AgentUnreachable
from quetzalcore.cluster.engines.ray import RayEngine
from quetzalcore.cluster.messages import Assignment, Finished, Start
from quetzalcore.jobs.model import Node, Resources

_NUMBERS = itertools.count(1)
PATIENCE_S = 60.0


def assignment(*, sleep_s: float = 0.0, lease_s: float = 60.0, **params: Any) -> Assignment:  # noqa: ANN401 -- a job's own
    """Make a small attempt with ids of its own."""
    number = next(_NUMBERS)
    return Assignment(
        attempt_id=f"attempt-{number}",
        job_id=f"job-{number}",
        tenant="acme",
        kind="noop",
        run="quetzalcore.workloads.noop:run",
        params={"sleep_s": sleep_s, "echo": "", **params},
        resources=Resources(cpus=0.1, memory_mib=64, scratch_mib=16),
        tier="bare",
        wall_s=60.0,
        trust="owner",
        lease_s=lease_s,
    )


@asynccontextmanager
async def started(engine: RayEngine) -> AsyncIterator[RayEngine]:
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


async def nodes_when(
    engine: RayEngine, wanted: Callable[[tuple[Node, ...]], bool]
) -> tuple[Node, ...]:
    """Look at the nodes until they are as wanted."""
    async with asyncio.timeout(PATIENCE_S):
        while not wanted(nodes := await engine.nodes()):  # noqa: ASYNC110 -- Ray tells nobody
            await asyncio.sleep(0.2)
    return nodes


def names(nodes: tuple[Node, ...]) -> set[str]:
    return {node.id for node in nodes}


async def forget(link: AgentLink) -> None:
    """Acknowledge what earlier tests left with an agent that they share."""
    after = 0
    while events := (await link.events(after=after, wait_s=0.0)).events:
        after = events[-1].sequence


async def run(link: AgentLink, *assignments: Assignment) -> dict[str, Finished]:
    """Start attempts and wait for their ends."""
    await link.command(Start(epoch=next(EngineContract.epochs), assignments=assignments))
    return await endings(link, {a.attempt_id for a in assignments})


async def endings(link: AgentLink, attempts: set[str]) -> dict[str, Finished]:
    """Read events until these attempts have ended; links may fail meanwhile."""
    ended: dict[str, Finished] = {}
    after = 0
    async with asyncio.timeout(PATIENCE_S):
        while attempts - set(ended):
            try:
                batch = await link.events(after=after, wait_s=1.0)
            except AgentUnreachable:
                await asyncio.sleep(0.2)
                continue
            for event in batch.events:
                after = event.sequence
                if isinstance(event, Finished):
                    ended[event.attempt_id] = event
    return ended
