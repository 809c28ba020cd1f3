"""Watching a job's events from one poll, whatever numbers watchers give."""

from __future__ import annotations

import asyncio

from tests.servers.gateway import MemoryPlatform
from tests.servers.gateway import now as clock

from quetzalcore.gateway.watching import Watcher
from quetzalcore.jobs.model import JobRequest

FAR_AHEAD = 2**40
PATIENCE_S = 20.0  # far more than hearing of a change takes


def test_who_asks_for_events_that_never_come_holds_up_no_other_watcher() -> None:
    async def scenario() -> None:
        platform = await MemoryPlatform.build()
        request = JobRequest(tenant="acme", user="ada", kind="noop", kind_version="1", run="m:f")
        job, _ = await platform.ledger.submit(request, now=clock())
        watcher = Watcher(platform.ledger)
        with watcher.subscribe(job.id, after=FAR_AHEAD):
            waiting = asyncio.create_task(watcher.until_done(job.id, timeout_s=60))
            await asyncio.sleep(0)
            await platform.succeed(job.id, await platform.begin(job.id), {})
            async with asyncio.timeout(PATIENCE_S):
                await waiting
        await watcher.close()

    asyncio.run(scenario())


def test_who_comes_later_and_knows_less_is_told_everything_once() -> None:
    async def scenario() -> list[int]:
        platform = await MemoryPlatform.build()
        request = JobRequest(tenant="acme", user="ada", kind="noop", kind_version="1", run="m:f")
        job, _ = await platform.ledger.submit(request, now=clock())
        watcher = Watcher(platform.ledger)
        told: list[int] = []
        with watcher.subscribe(job.id, after=3), watcher.subscribe(job.id, after=0) as late:
            await platform.succeed(job.id, await platform.begin(job.id), {})
            last = (await platform.ledger.events(job.id))[-1].sequence
            async with asyncio.timeout(PATIENCE_S):
                while not told or told[-1] < last:
                    told += [event.sequence for event in await late.batch(timeout_s=PATIENCE_S)]
        await watcher.close()
        return told

    told = asyncio.run(scenario())
    assert told == list(range(1, told[-1] + 1))
