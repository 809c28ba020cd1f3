"""Adding a job: idempotency, quotas, and results that are there already."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select

from quetzalcore.errors import BadParameter
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import Conflict, QuotaExceeded
from quetzalcore.jobs.model import Artifact, EventType, Job, JobRequest, JobState
from quetzalcore.jobs.quota import Quota
from quetzalcore.jobs.requests import digest_of
from quetzalcore.jobs.sql.changes import ARTIFACT, BYTES, INPUT, Changes
from quetzalcore.jobs.sql.documents import request_document
from quetzalcore.jobs.sql.reading import artifacts_of, read_job
from quetzalcore.jobs.sql.statements import upsert
from quetzalcore.jobs.sql.tables import KEYED, REUSABLE, jobs, tallies
from quetzalcore.jobs.state import Submitted, handle

__all__ = ["check_queue", "submit"]

_ADD_JOB = insert(jobs)
_TALLY = select(tallies.c.amount).where(
    tallies.c.tenant == bindparam("of_tenant"), tallies.c.name == bindparam("of_name")
)
_GREATEST = 2**30  # memory may be doubled and must still be one of the databases' integers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What an earlier job has found."""

    result: Mapping[str, Any] | None = None
    artifacts: tuple[Artifact, ...] = field(default=())


def submit(
    connection: Connection, request: JobRequest, *, quota: Quota, now: dt.datetime
) -> tuple[Job, bool]:
    """Add a job, or give the one that this idempotency key has added."""
    _check_size(request)
    digest = digest_of(request) if request.idempotency_key else ""
    if request.idempotency_key:
        earlier = _same_key(connection, request)
        if earlier is not None:
            return _given_before(connection, earlier, request, digest)
    answer = _answer(connection, request)
    if answer is None:
        _check_bytes(connection, request.tenant, quota)
    job_id = new_id(now)
    row = _row(job_id, request, digest, answer, now)
    if request.idempotency_key:
        unless_there = upsert(connection.dialect.name, jobs).on_conflict_do_nothing()
        if connection.execute(unless_there, row).rowcount == 0:
            earlier = _same_key(connection, request)  # another process was faster by a hair
            if earlier is None:  # pragma: no cover -- and forgotten since
                raise Conflict("the job under this idempotency key is being forgotten")
            return _given_before(connection, earlier, request, digest)
    else:
        connection.execute(_ADD_JOB, row)
    _write_around(connection, job_id, request, answer, now)
    if answer is None:
        check_queue(connection, request.tenant, quota)
    return _job(job_id, request, answer, now), True


def check_queue(connection: Connection, tenant: str, quota: Quota) -> None:
    """Refuse if the tenant now has more in the queue than it may; the transaction is undone by the error."""
    if quota.max_queued is None:
        return
    queued = _tally(connection, tenant, JobState.QUEUED.value)
    if queued > quota.max_queued:
        raise QuotaExceeded(
            f"{quota.max_queued} jobs of {tenant} wait already",
            hint="wait until some have run, or cancel some",
        )


def _check_size(request: JobRequest) -> None:
    asked = request.resources
    for name, number in (
        ("priority", request.priority),
        ("memory_mib", asked.memory_mib),
        ("vgpus", asked.vgpus),
        ("scratch_mib", asked.scratch_mib),
        ("max_attempts", request.max_attempts),
    ):
        if abs(number) > _GREATEST:
            raise BadParameter(f"{name} is {number}", hint=f"stay within {_GREATEST}")


def _check_bytes(connection: Connection, tenant: str, quota: Quota) -> None:
    if quota.max_artifact_bytes is None:
        return
    kept = _tally(connection, tenant, BYTES)
    if kept >= quota.max_artifact_bytes:
        raise QuotaExceeded(
            f"the products of {tenant} take {kept} bytes and may take {quota.max_artifact_bytes}",
            hint="wait until old jobs are forgotten, or ask the operator for more room",
        )


def _tally(connection: Connection, tenant: str, name: str) -> int:
    return connection.scalar(_TALLY, {"of_tenant": tenant, "of_name": name}) or 0


def _same_key(connection: Connection, request: JobRequest) -> Row[Any, Any] | None:
    return connection.execute(
        select(jobs.c.id, jobs.c.request_digest).where(
            KEYED,
            jobs.c.tenant == request.tenant,
            jobs.c.idempotency_key == request.idempotency_key,
        )
    ).one_or_none()


def _given_before(
    connection: Connection, earlier: Row[Any, Any], request: JobRequest, digest: str
) -> tuple[Job, bool]:
    if earlier.request_digest != digest:
        raise Conflict(
            f"the idempotency key {request.idempotency_key!r} was used for another request",
            hint="use a new key for new work",
        )
    return read_job(connection, earlier.id), False


def _answer(connection: Connection, request: JobRequest) -> _Answer | None:
    """Find the newest result of the same work; its row is kept from being forgotten meanwhile."""
    if not request.reuse_key:
        return None
    row = connection.execute(
        select(jobs.c.id, jobs.c.result)
        .where(
            jobs.c.tenant == request.tenant,
            jobs.c.reuse_key == request.reuse_key,
            REUSABLE,
        )
        .order_by(jobs.c.finished_at.desc())
        .limit(1)
        .with_for_update(read=True)
    ).one_or_none()
    if row is None:
        return None
    return _Answer(result=row.result, artifacts=artifacts_of(connection, row.id))


def _row(
    job_id: str, request: JobRequest, digest: str, answer: _Answer | None, now: dt.datetime
) -> dict[str, Any]:
    life = handle(None, Submitted(max_attempts=request.max_attempts, reused=answer is not None)).to
    return {
        "id": job_id,
        "tenant": request.tenant,
        "user": request.user,
        "kind": request.kind,
        "state": life.state.value,
        "priority": request.priority,
        "cpus": request.resources.cpus,
        "memory_mib": request.resources.memory_mib,
        "vgpus": request.resources.vgpus,
        "scratch_mib": request.resources.scratch_mib,
        "submitted_at": now,
        "queued_at": now,
        "waiting_since": now if answer is None else None,
        "finished_at": None if answer is None else now,
        "max_attempts": request.max_attempts,
        "tries": 0,
        "attempt_count": 0,
        "live_attempt": "",
        "memory_doubled": False,
        "from_stage": "",
        "cached": answer is not None,
        "last_event": 1 if answer is None else 3,
        "progress_events": 0,
        "log_events": 0,
        "idempotency_key": request.idempotency_key,
        "request_digest": digest,
        "reuse_key": request.reuse_key,
        "request": request_document(request),
        "result": None if answer is None else answer.result,
    }


def _write_around(
    connection: Connection,
    job_id: str,
    request: JobRequest,
    answer: _Answer | None,
    now: dt.datetime,
) -> None:
    changes = Changes(connection)
    changes.add_event(job_id, 1, EventType.STATE, {"state": JobState.QUEUED.value}, at=now)
    if answer is None:
        changes.tally(request.tenant, JobState.QUEUED.value, 1)
    else:
        done = {"state": JobState.SUCCEEDED.value, "cached": True}
        changes.add_event(job_id, 2, EventType.RESULT, {}, at=now)
        changes.add_event(job_id, 3, EventType.STATE, done, at=now)
        changes.tally(request.tenant, JobState.SUCCEEDED.value, 1)
        for artifact in answer.artifacts:
            changes.add_file(job_id, ARTIFACT, artifact)
    for file in request.inputs:
        changes.add_file(
            job_id,
            INPUT,
            Artifact(name=file.name, key=file.key, size=file.size, sha256=file.sha256),
        )
    changes.write()


def _job(job_id: str, request: JobRequest, answer: _Answer | None, now: dt.datetime) -> Job:
    if answer is None:
        return Job(id=job_id, request=request, state=JobState.QUEUED, submitted_at=now)
    return Job(
        id=job_id,
        request=request,
        state=JobState.SUCCEEDED,
        submitted_at=now,
        finished_at=now,
        result=answer.result,
        cached=True,
        artifacts=answer.artifacts,
    )
