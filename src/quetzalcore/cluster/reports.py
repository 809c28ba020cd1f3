"""What agents' events mean for the ledger: a pure translation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

from quetzalcore.cluster.book import Book, Held
from quetzalcore.cluster.messages import (
    AgentEvent,
    Finished,
    LogLine,
    Produced,
    Progressed,
    Started,
)
from quetzalcore.cluster.orders import artifact_key
from quetzalcore.jobs.ledger import Report, ReportKind
from quetzalcore.jobs.model import Failure, Remedy

__all__ = ["alive", "endings", "lost", "products", "reports", "unkeepable", "unsaid"]

_ENDINGS = {
    "succeeded": ReportKind.SUCCEEDED,
    "failed": ReportKind.FAILED,
    "cancelled": ReportKind.CANCELLED,
}


def reports(
    events: Iterable[AgentEvent], book: Book, *, now: dt.datetime, lease_s: float
) -> tuple[Report, ...]:
    """Translate events of live attempts, in order; those of others say nothing any more."""
    found = (
        _report(event, held, now=now, lease_s=lease_s)
        for event in events
        if (held := book.get(event.attempt_id)) is not None
    )
    return tuple(report for report in found if report is not None)


def unsaid(events: Iterable[AgentEvent], stored: int) -> tuple[AgentEvent, ...]:
    """Leave out progress and log lines that were stored before the connection broke.

    Starts and endings may be stored twice, and are not left out: an agent's numbers could repeat
    after its host's clock was set back.
    """
    return tuple(
        event
        for event in events
        if event.sequence > stored or not isinstance(event, Progressed | LogLine)
    )


def products(events: Iterable[AgentEvent]) -> tuple[Produced, ...]:
    """Give the events that wait for a grant."""
    return tuple(event for event in events if isinstance(event, Produced))


def endings(events: Iterable[AgentEvent]) -> tuple[Finished, ...]:
    """Give the events that end attempts."""
    return tuple(event for event in events if isinstance(event, Finished))


def alive(held: Iterable[Held], *, now: dt.datetime, lease_s: float) -> tuple[Report, ...]:
    """Say of attempts that they go on."""
    until = now + dt.timedelta(seconds=lease_s)
    return tuple(
        Report(
            attempt_id=one.attempt_id,
            job_id=one.job_id,
            kind=ReportKind.ALIVE,
            at=now,
            lease_until=until,
        )
        for one in held
    )


def lost(held: Iterable[Held], *, now: dt.datetime) -> tuple[Report, ...]:
    """Say of attempts that their node runs them no more; their jobs go back to the queue."""
    return tuple(
        Report(
            attempt_id=one.attempt_id,
            job_id=one.job_id,
            kind=ReportKind.LOST,
            at=now,
            failure=Failure(
                code="node_lost",
                title="The node was lost",
                detail=f"the agent on {one.node} ended while the job ran",
                hint="the job is tried again by itself",
                remedy=Remedy.RETRY,
            ),
        )
        for one in held
    )


def unkeepable(report: Report) -> Report | None:
    """Give what is kept in place of a report that the ledger refused: the attempt's plain failure, or nothing."""
    if report.failure == _UNKEEPABLE:
        return None
    return Report(
        attempt_id=report.attempt_id,
        job_id=report.job_id,
        kind=ReportKind.FAILED,
        at=report.at,
        failure=_UNKEEPABLE,
    )


_UNKEEPABLE = Failure(
    code="unkeepable",
    title="The job's outcome cannot be kept",
    detail="what the job's node said of it cannot be written into the ledger",
    hint="report it: the master's log says more",
    remedy=Remedy.NONE,
)


def _report(event: AgentEvent, held: Held, *, now: dt.datetime, lease_s: float) -> Report | None:
    plain = Report(attempt_id=held.attempt_id, job_id=held.job_id, kind="", at=now)
    match event:
        case Started():
            until = now + dt.timedelta(seconds=lease_s)
            return replace(plain, kind=ReportKind.STARTED, lease_until=until)
        case Progressed():
            said = {"stage": event.stage, "fraction": event.fraction, "message": event.message}
            return replace(plain, kind=ReportKind.PROGRESS, data=said)
        case LogLine():
            line = {"level": event.level, "text": event.text}
            return replace(plain, kind=ReportKind.LOG, data=line)
        case Finished():
            return replace(
                plain,
                kind=_ENDINGS[event.ending],
                result=event.result,
                failure=event.failure,
                used=event.used,
                artifacts=tuple(
                    replace(artifact, key=artifact_key(held, artifact.name))
                    for artifact in event.artifacts
                ),
            )
        case Produced():
            return None
