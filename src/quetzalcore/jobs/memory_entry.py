"""One job of the ledger in memory, and what the state machine's actions change of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any

from quetzalcore.jobs.ledger import (
    Admission,
    Report,
)
from quetzalcore.jobs.model import (
    Attempt,
    AttemptState,
    Event,
    EventType,
    Job,
    Resources,
)
from quetzalcore.jobs.state import (
    EndAttempt,
    EndJob,
    Lifecycle,
    MarkStarted,
    RenewLease,
    Requeue,
    Transition,
)

__all__ = ["Entry", "begin", "follow", "news_of", "requeue"]


@dataclass
class Entry:
    """A job with what the ledger keeps beside it."""

    job: Job
    life: Lifecycle
    queued_at: dt.datetime
    asks: Resources
    digest: str
    events: list[Event] = field(default_factory=list)

    def tell(self, kind: EventType, data: dict[str, Any], at: dt.datetime) -> None:
        """Add an event to its story."""
        number = self.events[-1].sequence + 1 if self.events else 1
        self.events.append(Event(job_id=self.job.id, sequence=number, at=at, type=kind, data=data))

    @property
    def attempt(self) -> Attempt | None:
        """The live attempt."""
        return next((a for a in self.job.attempts if a.finished_at is None), None)


def begin(entry: Entry, admission: Admission, at: dt.datetime) -> None:
    """Add the attempt that was admitted."""
    attempt = Attempt(
        id=admission.attempt_id,
        job_id=entry.job.id,
        number=len(entry.job.attempts) + 1,
        node=admission.node,
        state=AttemptState.STARTING,
        started_at=at,
        lease_until=admission.lease_until,
        asked=admission.resources,
    )
    entry.job = replace(entry.job, attempts=(*entry.job.attempts, attempt))


def follow(
    entry: Entry,
    action: MarkStarted | RenewLease | EndAttempt,
    at: dt.datetime,
    report: Report | None,
) -> None:
    """Change the last attempt."""
    attempt = entry.job.attempts[-1]
    if report is not None and report.lease_until is not None:
        attempt = replace(attempt, lease_until=report.lease_until)
    if isinstance(action, MarkStarted):
        attempt = replace(attempt, state=AttemptState.RUNNING)
        entry.job = replace(entry.job, started_at=entry.job.started_at or at)
    elif isinstance(action, EndAttempt):
        attempt = replace(
            attempt,
            state=action.state,
            finished_at=at,
            failure=action.failure,
            used=None if report is None else report.used,
        )
    entry.job = replace(entry.job, attempts=(*entry.job.attempts[:-1], attempt))


def requeue(entry: Entry, action: Requeue, at: dt.datetime) -> None:
    """Let it wait again."""
    entry.job = replace(entry.job, started_at=None, progress=None)
    if action.afresh:
        entry.queued_at = at
        entry.job = replace(
            entry.job,
            finished_at=None,
            failure=None,
            result=None,
            cached=False,
            from_stage=action.stage,
        )


def news_of(transition: Transition) -> dict[str, Any]:
    """Say what watchers are told of a transition."""
    news: dict[str, Any] = {"state": transition.to.state.value}
    if transition.to.live_attempt:
        news["attempt"] = transition.to.live_attempt
    for action in transition.actions:
        if isinstance(action, EndAttempt | EndJob) and action.failure is not None:
            news["error"] = {"code": action.failure.code}
    return news
