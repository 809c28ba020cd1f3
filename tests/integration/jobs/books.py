"""The ledger's books on each backend, opened for one scenario and closed after it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from quetzalcore.database import open_database
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import (
    Admission,
    JobLedger,
    Leadership,
    NodeBook,
    Report,
    ReportKind,
)
from quetzalcore.jobs.memory import MemoryLedger
from quetzalcore.jobs.memory_books import MemoryLeadership, MemoryNodeBook, MemoryUploads
from quetzalcore.jobs.memory_scaling import MemoryInstanceBook, MemoryScalingBook
from quetzalcore.jobs.model import Artifact, Failure, Job, JobRequest, Remedy, Resources, Usage
from quetzalcore.jobs.quota import Quota
from quetzalcore.jobs.scaling import InstanceBook, ScalingBook
from quetzalcore.jobs.sql import (
    SqlInstanceBook,
    SqlLeadership,
    SqlNodeBook,
    SqlScalingBook,
    SqlUploads,
    open_ledger,
)
from quetzalcore.jobs.uploads import UploadBook

__all__ = [
    "NOW",
    "USED",
    "Books",
    "Play",
    "ask",
    "failed",
    "later",
    "made",
    "open_books",
    "play_on",
    "said",
]

T = TypeVar("T")

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


def later(seconds: float) -> dt.datetime:
    """Give a moment after the scenario's beginning."""
    return NOW + dt.timedelta(seconds=seconds)


def ask(tenant: str = "acme", **changes: Any) -> JobRequest:  # noqa: ANN401 -- fields of a JobRequest
    """Give a request for a small job."""
    fields: dict[str, Any] = {
        "user": "ada",
        "kind": "noop",
        "kind_version": "1",
        "run": "quetzalcore.workloads.noop:run",
        **changes,
    }
    return JobRequest(tenant=tenant, **fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Everything that is kept, with the epoch of a master that leads, and what such a master does."""

    ledger: JobLedger
    leadership: Leadership
    nodes: NodeBook
    uploads: UploadBook
    instances: InstanceBook
    scaling: ScalingBook
    epoch: int

    async def submit(self, tenant: str = "acme", *, at: float = 0.0, **changes: Any) -> Job:  # noqa: ANN401 -- fields of a JobRequest
        """Submit a small job."""
        job, _ = await self.ledger.submit(ask(tenant, **changes), now=later(at))
        return job

    async def admit(self, *job_ids: str, at: float = 0.0, lease_s: float = 30.0) -> list[Job]:
        """Admit jobs to a node; give those whose attempt has begun."""
        admissions = [
            Admission(
                job_id=job_id,
                attempt_id=new_id(later(at)),
                node="n1",
                resources=Resources(),
                lease_until=later(at + lease_s),
            )
            for job_id in job_ids
        ]
        return list(await self.ledger.admit(admissions, epoch=self.epoch, now=later(at)))

    async def report(
        self,
        job: Job,
        kind: str,
        *,
        at: float = 1.0,
        **fields: Any,  # noqa: ANN401 -- fields of a Report
    ) -> tuple[str, ...]:
        """Report of a job's last attempt."""
        return await self.ledger.record([said(job, kind, at=at, **fields)], epoch=self.epoch)

    async def run(self, job: Job, *, at: float = 0.0, **fields: Any) -> Job:  # noqa: ANN401 -- fields of a Report
        """Let a queued job succeed."""
        (begun,) = await self.admit(job.id, at=at)
        await self.ledger.record(
            [
                said(begun, ReportKind.STARTED, at=at),
                said(begun, ReportKind.SUCCEEDED, at=at, **fields),
            ],
            epoch=self.epoch,
        )
        return await self.ledger.get(job.id)


def said(job: Job, kind: str, *, at: float = 1.0, **fields: Any) -> Report:  # noqa: ANN401 -- fields of a Report
    """Give a report of a job's last attempt."""
    return Report(attempt_id=job.attempts[-1].id, job_id=job.id, kind=kind, at=later(at), **fields)


def failed(code: str = "node_lost", remedy: Remedy = Remedy.RETRY) -> Failure:
    """Give a failure."""
    return Failure(code=code, title="It failed", detail="why", hint="do this", remedy=remedy)


def made(job: Job, name: str = "a.tif", size: int = 10) -> Artifact:
    """Give an artifact of a job's last attempt, under the key that the platform gives it."""
    attempt = job.attempts[-1].id if job.attempts else "x"
    key = f"tenants/{job.request.tenant}/jobs/{job.id}/{attempt}/{name}"
    return Artifact(name=name, key=key, size=size, sha256="0" * 64, media_type="image/tiff")


USED = Usage(cpu_s=1.5, wall_s=2.0, peak_memory_mib=100.0, runtime="oci", vgpu={"flops": 1})

Play = Callable[..., Any]


@asynccontextmanager
async def open_books(url: str, *, quota: Quota | None = None) -> AsyncIterator[Books]:
    """Open the books of a backend; ``memory`` or a database URL."""
    if url == "memory":
        leading = MemoryLeadership()
        kept = MemoryLedger(leading, quota=quota)
        epoch = await leading.acquire("m1", lease_s=1e6, now=NOW)
        yield Books(
            ledger=kept,
            leadership=leading,
            nodes=MemoryNodeBook(leading),
            uploads=MemoryUploads(kept.refers_to, quota=quota),
            instances=MemoryInstanceBook(),
            scaling=MemoryScalingBook(leading),
            epoch=epoch or 0,
        )
        return
    database = await open_database(url)
    try:
        ledger = await open_ledger(database, quota=quota)
        leadership = SqlLeadership(database)
        yield Books(
            ledger=ledger,
            leadership=leadership,
            nodes=SqlNodeBook(database),
            uploads=SqlUploads(database, quota=ledger.quota),
            instances=SqlInstanceBook(database),
            scaling=SqlScalingBook(database),
            epoch=await leadership.acquire("m1", lease_s=1e6, now=NOW) or 0,
        )
    finally:
        await database.close()


def play_on(
    url: str, scenario: Callable[[Books], Awaitable[T]], *, quota: Quota | None = None
) -> T:
    """Play a scenario on freshly opened books."""

    async def main() -> T:
        async with open_books(url, quota=quota) as books:
            return await scenario(books)

    return asyncio.run(main())
