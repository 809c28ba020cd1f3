"""What is kept no longer is deleted, and nothing else."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

from quetzalcore.cluster.janitor import Janitor, JanitorConfig
from quetzalcore.jobs.ledger import Admission, Report, ReportKind
from quetzalcore.jobs.memory import MemoryLedger
from quetzalcore.jobs.memory_books import MemoryLeadership, MemoryUploads
from quetzalcore.jobs.model import Artifact, JobRequest, Resources
from quetzalcore.jobs.stores import MemoryStore

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


async def _bytes() -> AsyncIterator[bytes]:
    yield b"x"


async def _finished_job(ledger: MemoryLedger, store: MemoryStore, now: dt.datetime) -> str:
    request = JobRequest(tenant="t", user="u", kind="k", kind_version="1", run="x:y")
    job, _ = await ledger.submit(request, now=now)
    attempt, key = f"a{now}", f"tenants/t/jobs/{job.id}/a/out"
    await ledger.admit(
        [
            Admission(
                job_id=job.id, attempt_id=attempt, node="n", resources=Resources(), lease_until=now
            )
        ],
        epoch=1,
        now=now,
    )
    await store.put(key, _bytes())
    await ledger.record(
        [
            Report(
                attempt_id=attempt,
                job_id=job.id,
                kind=ReportKind.SUCCEEDED,
                at=now,
                result={},
                artifacts=(Artifact(name="out", key=key, size=1, sha256="0" * 64),),
            )
        ],
        epoch=1,
    )
    return key


def test_old_jobs_and_unused_uploads_go_and_young_ones_stay() -> None:
    async def scenario() -> None:
        leadership = MemoryLeadership()
        await leadership.acquire("me", lease_s=10**9, now=START)
        ledger, store = MemoryLedger(leadership), MemoryStore()
        uploads = MemoryUploads(lambda _key: False)
        old = await _finished_job(ledger, store, START)
        young = await _finished_job(ledger, store, START + dt.timedelta(days=80))
        for key, day in (("old", 0), ("young", 99)):
            await store.put(f"tenants/t/uploads/{key}", _bytes())
            at = START + dt.timedelta(days=day)
            upload = await uploads.create(
                tenant="t", user="u", filename="f", declared_size=1, now=at
            )
            await uploads.advance(upload.id, tenant="t", offset=0, received=1, now=at)
            await uploads.finish(
                upload.id, tenant="t", sha256="0", key=f"tenants/t/uploads/{key}", now=at
            )
        janitor = Janitor(
            ledger,
            store,
            JanitorConfig(),
            clock=lambda: START + dt.timedelta(days=100),
            uploads=uploads,
        )
        await janitor.clean(1)
        left = {file.key async for file in store.list("tenants")}
        assert left == {young, "tenants/t/uploads/young"}
        assert old not in left

    asyncio.run(scenario())
