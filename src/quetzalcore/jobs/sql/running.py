"""What the master writes: attempts begin, report, end and are lost. Every function checks its epoch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, select

from quetzalcore.jobs.failures import NODE_LOST
from quetzalcore.jobs.ledger import Admission, NotFound, Report, ReportKind
from quetzalcore.jobs.model import (
    Attempt,
    AttemptState,
    EventType,
    Failure,
    Job,
)
from quetzalcore.jobs.reports import event_of
from quetzalcore.jobs.sql.changes import LOGS_KEPT, Changes, Details, Held
from quetzalcore.jobs.sql.leading import check_epoch
from quetzalcore.jobs.sql.reading import job_from
from quetzalcore.jobs.sql.tables import LIVE, attempts
from quetzalcore.jobs.state import (
    Admitted,
    BeginAttempt,
    Lost,
    Rejected,
)

__all__ = ["admit", "expire", "record", "reject"]


def admit(
    connection: Connection, admissions: Sequence[Admission], *, epoch: int, now: dt.datetime
) -> tuple[Job, ...]:
    """Begin attempts of those jobs that are still queued."""
    check_epoch(connection, epoch)
    changes = Changes(connection)
    held = changes.hold((admission.job_id for admission in admissions), whole=True)
    begun: list[tuple[Held, Admission]] = []
    for admission in admissions:
        job = held.get(admission.job_id)
        if job is None:
            continue
        transition = changes.apply(
            job,
            Admitted(attempt_id=admission.attempt_id),
            at=now,
            details=Details(
                node=admission.node, asked=admission.resources, lease_until=admission.lease_until
            ),
        )
        if any(isinstance(action, BeginAttempt) for action in transition.actions):
            begun.append((job, admission))
    changes.write()
    return tuple(_starting(job, admission, now) for job, admission in begun)


def reject(
    connection: Connection, job_id: str, failure: Failure, *, epoch: int, now: dt.datetime
) -> None:
    """Fail a queued job; one that is not queued any more is left alone."""
    check_epoch(connection, epoch)
    changes = Changes(connection)
    job = changes.hold([job_id]).get(job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id!r}")
    changes.apply(job, Rejected(failure=failure), at=now)
    changes.write()


def record(connection: Connection, reports: Sequence[Report], *, epoch: int) -> tuple[str, ...]:
    """Write what agents said, in order; give the attempts that are fenced off."""
    check_epoch(connection, epoch)
    changes = Changes(connection)
    held = changes.hold(report.job_id for report in reports)
    fenced: dict[str, None] = {}
    for report in reports:
        job = held.get(report.job_id)
        if job is None or job.life.live_attempt != report.attempt_id:
            fenced[report.attempt_id] = None
        elif report.kind in _TOLD:
            _TOLD[report.kind](changes, job, report)
        else:
            changes.apply(job, event_of(report), at=report.at, details=_details(report))
    changes.write()
    return tuple(fenced)


def expire(connection: Connection, *, epoch: int, now: dt.datetime) -> tuple[str, ...]:
    """End attempts whose lease has run out."""
    check_epoch(connection, epoch)
    late = (LIVE, attempts.c.lease_until <= now)
    suspects = connection.scalars(select(attempts.c.job_id).where(*late)).all()
    if not suspects:
        return ()
    changes = Changes(connection)
    held = changes.hold(suspects)
    # Read again under the jobs' locks: a renewal may just have been written.
    lost = [
        (row.id, held[row.job_id])
        for row in connection.execute(select(attempts.c.id, attempts.c.job_id).where(*late))
        if row.job_id in held
    ]
    for attempt_id, job in lost:
        changes.apply(job, Lost(attempt_id=attempt_id, failure=NODE_LOST), at=now)
    changes.write()
    return tuple(attempt_id for attempt_id, _ in lost)


def _details(report: Report) -> Details:
    return Details(
        lease_until=report.lease_until,
        used=report.used,
        result=report.result,
        artifacts=report.artifacts,
    )


def _tell_progress(changes: Changes, job: Held, report: Report) -> None:
    job.fields["progress"] = report.data
    changes.tell(job, EventType.PROGRESS, report.data, at=report.at)


def _tell_log(changes: Changes, job: Held, report: Report) -> None:
    told = job.value("log_events")
    if told > LOGS_KEPT:
        return
    job.fields["log_events"] = told + 1
    full = {"level": "warning", "text": f"the log is cut here, after {LOGS_KEPT} lines"}
    changes.tell(job, EventType.LOG, full if told == LOGS_KEPT else report.data, at=report.at)


_TOLD: Mapping[str, Callable[[Changes, Held, Report], None]] = {
    ReportKind.PROGRESS: _tell_progress,
    ReportKind.LOG: _tell_log,
}


def _starting(job: Held, admission: Admission, now: dt.datetime) -> Job:
    attempt = Attempt(
        id=admission.attempt_id,
        job_id=job.id,
        number=job.fields["attempt_count"],
        node=admission.node,
        state=AttemptState.STARTING,
        started_at=now,
        lease_until=admission.lease_until,
        asked=admission.resources,
    )
    return job_from(job.row, attempts=(attempt,), state=job.life.state)
