"""The ledger on SQL: each call is one transaction of a function next door."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from quetzalcore.database import Announce, Database, migrate
from quetzalcore.jobs.ledger import (
    MOST_ATTEMPTS,
    Admission,
    Conflict,
    DeadAttempt,
    Forgotten,
    JobCounts,
    JobFilter,
    Report,
    ReportKind,
    TenantLoad,
    Waiting,
    too_many_attempts,
)
from quetzalcore.jobs.model import Event, EventType, Failure, Job, JobPage, JobRequest
from quetzalcore.jobs.quota import Quota
from quetzalcore.jobs.sql import forgetting, reading, running, submitting
from quetzalcore.jobs.sql.changes import Changes
from quetzalcore.jobs.sql.database import reading as read_from
from quetzalcore.jobs.sql.database import writing as write_to
from quetzalcore.jobs.sql.gathering import GatheredReads
from quetzalcore.jobs.state import CancelRequested, Refuse, RetryRequested

__all__ = ["SqlLedger", "open_ledger"]

T = TypeVar("T")

_MIGRATIONS = "quetzalcore.jobs.migrations"
_VERSION_TABLE = "jobs_version"
_QUIET = {ReportKind.ALIVE}  # nobody waits for these


async def open_ledger(
    database: Database,
    *,
    quota: Quota | None = None,
    tenant_quotas: Mapping[str, Quota] | None = None,
) -> SqlLedger:
    """Bring the tables up to date and give the ledger; safe in several processes at once."""
    await migrate(database, _MIGRATIONS, _VERSION_TABLE)
    return SqlLedger(database, quota=quota, tenant_quotas=tenant_quotas)


class SqlLedger:
    """A ``JobLedger`` on a migrated database; ``tenant_quotas`` go before ``quota``."""

    def __init__(
        self,
        database: Database,
        *,
        quota: Quota | None = None,
        tenant_quotas: Mapping[str, Quota] | None = None,
    ) -> None:
        self._database = database
        self._quota = quota or Quota()
        self._tenant_quotas = dict(tenant_quotas or {})
        self._reads = GatheredReads(database)

    def quota(self, tenant: str) -> Quota:
        """Give a tenant's limits."""
        return self._tenant_quotas.get(tenant, self._quota)

    async def submit(self, request: JobRequest, *, now: dt.datetime) -> tuple[Job, bool]:
        """Add a job."""
        quota = self.quota(request.tenant)
        return await self._write(lambda c: submitting.submit(c, request, quota=quota, now=now))

    async def get(self, job_id: str, *, tenant: str = "") -> Job:
        """Give a job whole."""
        return await self._reads.get(job_id, tenant=tenant)

    async def list(self, where: JobFilter) -> JobPage:
        """Give one page of jobs."""
        return await self._read(lambda c: reading.list_jobs(c, where))

    async def cancel(self, job_id: str, *, tenant: str = "", now: dt.datetime) -> Job:
        """Ask for a job's end."""

        def work(connection: Connection) -> Job:
            changes = Changes(connection)
            held = changes.hold([job_id]).get(job_id)
            if held is None or tenant not in {"", held.row.tenant}:
                raise reading.missing(job_id)
            changes.apply(held, CancelRequested(), at=now)
            changes.write()
            return reading.read_job(connection, job_id)

        return await self._write(work)

    async def retry(
        self, job_id: str, *, tenant: str = "", stage: str = "", now: dt.datetime
    ) -> Job:
        """Put a job back in the queue."""

        def work(connection: Connection) -> Job:
            changes = Changes(connection)
            held = changes.hold([job_id]).get(job_id)
            if held is None or tenant not in {"", held.row.tenant}:
                raise reading.missing(job_id)
            if held.row.attempt_count >= MOST_ATTEMPTS:
                raise too_many_attempts(job_id)
            for action in changes.apply(held, RetryRequested(stage=stage), at=now).actions:
                if isinstance(action, Refuse):
                    raise Conflict(f"job {job_id} cannot be run again", hint=action.reason)
            changes.write()
            submitting.check_queue(connection, held.row.tenant, self.quota(held.row.tenant))
            return reading.read_job(connection, job_id)

        return await self._write(work)

    async def events(
        self, job_id: str, *, after: int = 0, limit: int = 500, types: tuple[EventType, ...] = ()
    ) -> tuple[Event, ...]:
        """Give what happened to a job."""
        return await self._read(
            lambda c: reading.read_events(c, job_id, after=after, limit=limit, types=types)
        )

    async def waiting(self, *, limit: int) -> tuple[Waiting, ...]:
        """Give the queue's head."""
        return await self._read(lambda c: reading.waiting_jobs(c, limit=limit))

    async def loads(self) -> tuple[TenantLoad, ...]:
        """Give what each tenant holds."""
        return await self._read(reading.tenant_loads)

    async def counts(self) -> JobCounts:
        """Give the number of jobs by state."""
        return await self._read(reading.count_jobs)

    async def live(self) -> tuple[Job, ...]:
        """Give the jobs that have a live attempt."""
        return await self._read(reading.live_jobs)

    async def admit(
        self, admissions: Sequence[Admission], *, epoch: int, now: dt.datetime
    ) -> tuple[Job, ...]:
        """Begin attempts."""
        return await self._write(
            lambda c: running.admit(c, admissions, epoch=epoch, now=now), announce=bool
        )

    async def reject(self, job_id: str, failure: Failure, *, epoch: int, now: dt.datetime) -> None:
        """Fail a queued job."""
        await self._write(lambda c: running.reject(c, job_id, failure, epoch=epoch, now=now))

    async def record(self, reports: Sequence[Report], *, epoch: int) -> tuple[str, ...]:
        """Write what agents said."""
        return await self._write(
            lambda c: running.record(c, reports, epoch=epoch),
            announce=any(report.kind not in _QUIET for report in reports),
        )

    async def expire(self, *, epoch: int, now: dt.datetime) -> tuple[str, ...]:
        """End attempts whose lease has run out."""
        return await self._write(lambda c: running.expire(c, epoch=epoch, now=now), announce=bool)

    async def forget(self, *, before: dt.datetime, limit: int, epoch: int) -> Forgotten:
        """Delete old jobs; give the keys to be deleted."""
        return await self._write(
            lambda c: forgetting.forget(c, before=before, limit=limit, epoch=epoch), announce=False
        )

    async def unswept(self, *, before: dt.datetime, limit: int) -> tuple[DeadAttempt, ...]:
        """Give attempts that ended without success."""
        return await self._read(lambda c: forgetting.read_unswept(c, before=before, limit=limit))

    async def swept(self, attempt_ids: Sequence[str], *, epoch: int) -> None:
        """Forget dead attempts."""
        await self._write(
            lambda c: forgetting.mark_swept(c, attempt_ids, epoch=epoch), announce=False
        )

    async def changed(self, *, timeout_s: float, seen: int | None = None) -> int:
        """Wait for a write of any process."""
        return await self._database.changed(timeout_s=timeout_s, seen=seen)

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await read_from(self._database, work)

    async def _write(self, work: Callable[[Connection], T], *, announce: Announce[T] = True) -> T:
        return await write_to(self._database, work, announce=announce)
