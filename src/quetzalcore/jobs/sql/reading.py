"""Questions to the ledger; each is a few statements that use an index."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, select, union_all

from quetzalcore.jobs.ledger import JobCounts, JobFilter, NotFound, TenantLoad, Waiting
from quetzalcore.jobs.model import (
    Artifact,
    Attempt,
    AttemptState,
    Event,
    EventType,
    Job,
    JobPage,
    JobState,
    Resources,
)
from quetzalcore.jobs.sql.documents import failure_from, progress_from, request_from, usage_from
from quetzalcore.jobs.sql.tables import LIVE, QUEUED, attempts, events, files, jobs, tallies

__all__ = [
    "artifact_from",
    "artifacts_of",
    "attempt_from",
    "count_jobs",
    "job_from",
    "list_jobs",
    "live_jobs",
    "missing",
    "read_events",
    "read_job",
    "tenant_loads",
    "waiting_jobs",
]

_LISTED = tuple(column for column in jobs.c if column.name != "result")
_UNDER_WAY = (JobState.STARTING.value, JobState.RUNNING.value, JobState.CANCELLING.value)
_GREATEST = 2**31 - 1  # of the databases' integers
_STATES = frozenset(state.value for state in JobState)
_WAITING = (
    jobs.c.id,
    jobs.c.tenant,
    jobs.c.priority,
    jobs.c.cpus,
    jobs.c.memory_mib,
    jobs.c.vgpus,
    jobs.c.scratch_mib,
    jobs.c.queued_at,
    jobs.c.tries,
)
_IN_TURN = (jobs.c.priority.desc(), jobs.c.waiting_since, jobs.c.id)

# Made once: that costs several times as much as running them.
_JOB = select(jobs).where(jobs.c.id == bindparam("job"))
_ATTEMPTS = (
    select(attempts).where(attempts.c.job_id == bindparam("job")).order_by(attempts.c.number)
)
_ARTIFACTS = (
    select(files)
    .where(files.c.job_id == bindparam("job"), files.c.role == "artifact")
    .order_by(files.c.name)
)
_HEAD = select(*_WAITING).where(QUEUED).order_by(*_IN_TURN).limit(bindparam("at_most"))
_CORES = (
    select(attempts.c.tenant, func.sum(attempts.c.cpus).label("cpus"))
    .where(LIVE)
    .group_by(attempts.c.tenant)
)
_TALLIES = select(tallies).order_by(tallies.c.tenant)
_SUMS = select(tallies.c.name, func.sum(tallies.c.amount)).group_by(tallies.c.name)
_OLDEST = select(jobs.c.waiting_since).where(QUEUED).order_by(jobs.c.waiting_since).limit(1)


def read_job(connection: Connection, job_id: str, *, tenant: str = "") -> Job:
    """Give one job whole."""
    row = connection.execute(_JOB, {"job": job_id}).one_or_none()
    if row is None or tenant not in {"", row.tenant}:
        raise missing(job_id)
    tried = connection.execute(_ATTEMPTS, {"job": job_id})
    return job_from(
        row,
        attempts=tuple(attempt_from(attempt) for attempt in tried),
        artifacts=artifacts_of(connection, job_id),
        result=row.result,
    )


def missing(job_id: str) -> NotFound:
    """Say that a job is not there, in the same words whether it is another tenant's or nobody's."""
    return NotFound(f"there is no job {job_id!r}", hint="list the jobs that there are")


def artifacts_of(connection: Connection, job_id: str) -> tuple[Artifact, ...]:
    """Give what a job made."""
    return tuple(map(artifact_from, connection.execute(_ARTIFACTS, {"job": job_id})))


def list_jobs(connection: Connection, where: JobFilter) -> JobPage:
    """Give one page. Every state is a walk of its own along an index, so that rare ones cost no scan."""
    limit = max(1, min(where.limit, 1000))
    rows = connection.execute(_list_statement(where, limit + 1)).all()
    items = tuple(job_from(row) for row in rows[:limit])
    return JobPage(items=items, next_cursor=items[-1].id if len(rows) > limit else "")


def read_events(
    connection: Connection, job_id: str, *, after: int, limit: int, types: tuple[EventType, ...]
) -> tuple[Event, ...]:
    """Give a job's events after a number; a result's body is the job's."""
    query = (
        select(events)
        .where(events.c.job_id == job_id, events.c.sequence > min(after, _GREATEST))
        .order_by(events.c.sequence)
        .limit(limit)
    )
    if types:
        query = query.where(events.c.type.in_([kind.value for kind in types]))
    rows = connection.execute(query).all()
    result: dict[str, Any] = {}
    if any(row.type == EventType.RESULT.value for row in rows):
        job = connection.execute(
            select(jobs.c.result, jobs.c.cached).where(jobs.c.id == job_id)
        ).one()
        result = {"result": job.result, "cached": job.cached}
    return tuple(
        Event(
            job_id=job_id,
            sequence=row.sequence,
            at=row.at,
            type=EventType(row.type),
            data=result if row.type == EventType.RESULT.value else row.data,
        )
        for row in rows
    )


def waiting_jobs(connection: Connection, *, limit: int) -> tuple[Waiting, ...]:
    """Give the queue's head, then the first of every tenant that is not in it."""
    head = connection.execute(_HEAD, {"at_most": limit}).all()
    if len(head) < limit:
        return tuple(_waiting_from(row) for row in head)
    first = (
        select(jobs.c.id)
        .where(QUEUED, jobs.c.tenant == tallies.c.tenant)
        .order_by(*_IN_TURN)
        .limit(1)
        .scalar_subquery()
        .correlate(tallies)
    )
    others = connection.execute(
        select(*_WAITING)
        .select_from(tallies.join(jobs, jobs.c.id == first))
        .where(
            tallies.c.name == JobState.QUEUED.value,
            tallies.c.amount > 0,
            tallies.c.tenant.not_in({row.tenant for row in head}),
        )
        .order_by(*_IN_TURN)
    )
    return tuple(_waiting_from(row) for row in (*head, *others))


def tenant_loads(connection: Connection) -> tuple[TenantLoad, ...]:
    """Give what each tenant holds, from the running sums and the few live attempts."""
    cores = {row.tenant: row.cpus for row in connection.execute(_CORES)}
    sums: dict[str, dict[str, int]] = {}
    for row in connection.execute(_TALLIES):
        sums.setdefault(row.tenant, {})[row.name] = row.amount
    return tuple(
        TenantLoad(
            tenant=tenant,
            queued=of.get(JobState.QUEUED.value, 0),
            running=sum(of.get(state, 0) for state in _UNDER_WAY),
            cpus=float(cores.get(tenant) or 0.0),
            artifact_bytes=of.get("artifact_bytes", 0),
        )
        for tenant, of in sums.items()
    )


def count_jobs(connection: Connection) -> JobCounts:
    """Give the number of jobs by state, from the running sums."""
    by_state = dict.fromkeys(JobState, 0)
    for name, amount in connection.execute(_SUMS):
        if name in _STATES:
            by_state[JobState(name)] = int(amount)
    oldest = connection.scalar(_OLDEST)
    return JobCounts(by_state=by_state, oldest_queued_at=oldest)


def live_jobs(connection: Connection) -> tuple[Job, ...]:
    """Give every job that has a live attempt, with that attempt."""
    tried = connection.execute(select(attempts).where(LIVE)).all()
    by_job = {attempt.job_id: attempt for attempt in tried}
    rows = connection.execute(
        select(*_LISTED)
        .where(jobs.c.id.in_(select(attempts.c.job_id).where(LIVE)))
        .order_by(jobs.c.id)
    )
    return tuple(
        job_from(row, attempts=(attempt_from(by_job[row.id]),)) for row in rows if row.id in by_job
    )


def job_from(
    row: Row[Any],
    *,
    attempts: tuple[Attempt, ...] = (),
    artifacts: tuple[Artifact, ...] = (),
    result: Any = None,  # noqa: ANN401 -- a JSON document
    state: JobState | None = None,
) -> Job:
    """Give the job of a row."""
    return Job(
        id=row.id,
        request=request_from(row),
        state=state or JobState(row.state),
        submitted_at=row.submitted_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        progress=progress_from(row.progress),
        attempts=attempts,
        result=result,
        failure=failure_from(row.failure),
        cached=row.cached,
        artifacts=artifacts,
        from_stage=row.from_stage,
    )


def attempt_from(row: Row[Any]) -> Attempt:
    """Give the attempt of a row."""
    return Attempt(
        id=row.id,
        job_id=row.job_id,
        number=row.number,
        node=row.node,
        state=AttemptState(row.state),
        started_at=row.started_at,
        lease_until=row.lease_until,
        finished_at=row.finished_at,
        asked=_resources_from(row),
        used=usage_from(row.used),
        failure=failure_from(row.failure),
    )


def artifact_from(row: Row[Any]) -> Artifact:
    """Give the artifact of a row."""
    return Artifact(
        name=row.name,
        key=row.key,
        size=row.size,
        sha256=row.sha256,
        media_type=row.media_type,
    )


def _resources_from(row: Any) -> Resources:  # noqa: ANN401 -- a row of jobs or attempts
    return Resources(
        cpus=row.cpus, memory_mib=row.memory_mib, vgpus=row.vgpus, scratch_mib=row.scratch_mib
    )


def _waiting_from(row: Any) -> Waiting:  # noqa: ANN401 -- a row with the columns of ``_WAITING``
    return Waiting(
        job_id=row.id,
        tenant=row.tenant,
        priority=row.priority,
        resources=_resources_from(row),
        submitted_at=row.queued_at,
        attempts=row.tries,
    )


@lru_cache(maxsize=64)  # the master asks the same again and again; a client's pages differ
def _list_statement(where: JobFilter, limit: int) -> Select[Any]:
    wanted = _wanted_ids(where, limit).subquery()
    return (
        select(*_LISTED)
        .where(jobs.c.id.in_(select(wanted.c.id)))
        .order_by(jobs.c.id.desc())
        .limit(limit)
    )


def _wanted_ids(where: JobFilter, limit: int) -> Any:  # noqa: ANN401 -- a Select or a CompoundSelect
    conditions = [
        column == value
        for column, value in (
            (jobs.c.tenant, where.tenant),
            (jobs.c.user, where.user),
            (jobs.c.kind, where.kind),
        )
        if value
    ]
    after = [jobs.c.id < where.cursor] if where.cursor else []
    if not conditions and not where.states:
        return _walk(after, limit)
    states = where.states or tuple(JobState)
    walks = [
        _walk([*conditions, *after, jobs.c.state == state.value], limit).subquery()
        for state in states
    ]
    return union_all(*(select(walk.c.id) for walk in walks))


def _walk(conditions: list[Any], limit: int) -> Select[tuple[str]]:
    return select(jobs.c.id).where(*conditions).order_by(jobs.c.id.desc()).limit(limit)
