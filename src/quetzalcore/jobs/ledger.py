"""The seams through which everything durable about jobs is read and written.

Four small protocols over one database. Every call is one transaction; every write of a master
carries the epoch of its leadership, and one with an older epoch raises ``StaleEpoch``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from quetzalcore.errors import Permanent, QuetzalError, Retryable, UserMistake
from quetzalcore.jobs.model import (
    Artifact,
    Event,
    EventType,
    Failure,
    Job,
    JobPage,
    JobRequest,
    JobState,
    Node,
    Resources,
    Usage,
)

__all__ = [
    "MOST_ATTEMPTS",
    "Admission",
    "Conflict",
    "DeadAttempt",
    "Forgotten",
    "JobCounts",
    "JobFilter",
    "JobLedger",
    "Leadership",
    "LedgerFull",
    "LedgerRefused",
    "LedgerUnavailable",
    "NodeBook",
    "NotFound",
    "QuotaExceeded",
    "Report",
    "ReportKind",
    "StaleEpoch",
    "TenantLoad",
    "Waiting",
    "too_many_attempts",
]


MOST_ATTEMPTS = 100
"""Of one job, however often it is run again: they are read with it."""


class NotFound(UserMistake):
    """There is no such thing, or it belongs to another tenant."""

    code = "not_found"
    title = "Not found"


class Conflict(UserMistake):
    """The thing is in a state that does not allow this, or an idempotency key was used for something else."""

    code = "conflict"
    title = "Not possible now"


def too_many_attempts(job_id: str) -> Conflict:
    """Refuse to run a job again that was run so often."""
    return Conflict(
        f"job {job_id} was tried {MOST_ATTEMPTS} times", hint="submit the work as a new job"
    )


class QuotaExceeded(UserMistake):
    """The tenant has used what it may use."""

    code = "quota_exceeded"
    title = "Quota exceeded"


class StaleEpoch(QuetzalError):
    """Another master leads; this one must stand by."""

    code = "stale_epoch"
    title = "No longer the leader"


class LedgerUnavailable(Retryable):
    """The database cannot be reached; nothing was written."""

    code = "ledger_unavailable"
    title = "The ledger cannot be reached"


class LedgerFull(LedgerUnavailable):
    """The database has no room for what was to be written; nothing of it was."""

    code = "ledger_full"
    title = "The ledger is full"


class LedgerRefused(Permanent):
    """The database will never take what was to be written; nothing of it was."""

    code = "ledger_refused"
    title = "The ledger cannot keep this"


class ReportKind:
    """What an agent can report of an attempt."""

    STARTED = "started"
    ALIVE = "alive"
    PROGRESS = "progress"
    LOG = "log"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"  # the master's own word: the node runs it no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One thing that an agent says of an attempt; only a live attempt's reports change anything.

    ``kind`` is one of ``ReportKind``. ``data`` is the body of a progress or log event;
    ``lease_until`` goes with ``alive`` and ``started``; the rest with the three endings.
    """

    attempt_id: str
    job_id: str
    kind: str
    at: dt.datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    lease_until: dt.datetime | None = None
    result: Mapping[str, Any] | None = None
    artifacts: tuple[Artifact, ...] = ()
    failure: Failure | None = None
    used: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The decision to start a queued job on a node."""

    job_id: str
    attempt_id: str
    node: str
    resources: Resources
    lease_until: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What admission needs to know of a queued job; light, so that thousands can be read at once."""

    job_id: str
    tenant: str
    priority: int
    resources: Resources
    submitted_at: dt.datetime
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantLoad:
    """What a tenant holds at the moment."""

    tenant: str
    queued: int = 0
    running: int = 0
    cpus: float = 0.0
    artifact_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadAttempt:
    """An attempt that ended without success: nothing refers to what it stored, or ever will."""

    attempt_id: str
    job_id: str
    tenant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What became of old jobs: how many were deleted, and the keys of files to be deleted now."""

    jobs: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCounts:
    """How many jobs there are in each state, and since when the first of the queue waits."""

    by_state: Mapping[JobState, int]
    oldest_queued_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs a list shows; empty means any."""

    tenant: str = ""
    user: str = ""
    kind: str = ""
    states: tuple[JobState, ...] = ()
    cursor: str = ""
    limit: int = 50


class JobLedger(Protocol):
    """The only truth about jobs."""

    async def submit(self, request: JobRequest, *, now: dt.datetime) -> tuple[Job, bool]:
        """Add a job; give it and whether it is new.

        The same idempotency key of a tenant gives the job of the first call (``Conflict`` if that was
        another request). A finished job with the same ``reuse_key`` makes this one ``succeeded`` and
        ``cached`` at once. Raises ``QuotaExceeded``.
        """
        ...

    async def get(self, job_id: str, *, tenant: str = "") -> Job:
        """Give a job with its attempts and artifacts; ``NotFound`` across the tenant's wall."""
        ...

    async def list(self, where: JobFilter) -> JobPage:
        """Give one page, newest first, without results, attempts and artifacts."""
        ...

    async def cancel(self, job_id: str, *, tenant: str = "", now: dt.datetime) -> Job:
        """Ask for a job's end: queued ends at once, a live one becomes ``cancelling``. Idempotent."""
        ...

    async def retry(
        self, job_id: str, *, tenant: str = "", stage: str = "", now: dt.datetime
    ) -> Job:
        """Put a failed or cancelled job back in the queue, or a succeeded one from a stage; ``Conflict``."""
        ...

    async def events(
        self, job_id: str, *, after: int = 0, limit: int = 500, types: tuple[EventType, ...] = ()
    ) -> tuple[Event, ...]:
        """Give what happened after a sequence number, in order."""
        ...

    async def waiting(self, *, limit: int) -> tuple[Waiting, ...]:
        """Give queued jobs, highest priority first and oldest first, at least one of every tenant that waits."""
        ...

    async def loads(self) -> tuple[TenantLoad, ...]:
        """Give what each tenant holds."""
        ...

    async def admit(
        self, admissions: Sequence[Admission], *, epoch: int, now: dt.datetime
    ) -> tuple[Job, ...]:
        """Begin attempts in one transaction; jobs no longer queued are left out of the answer."""
        ...

    async def reject(self, job_id: str, failure: Failure, *, epoch: int, now: dt.datetime) -> None:
        """Fail a queued job that no node will ever fit."""
        ...

    async def record(self, reports: Sequence[Report], *, epoch: int) -> tuple[str, ...]:
        """Write reports in order, in one transaction; give the attempts that are not live any more.

        Raises ``LedgerRefused`` where one of them cannot be kept, and keeps none of them then.
        An ending of a fenced-off attempt changes nothing. A failure goes back to the queue, or ends
        the job, by its remedy; ``out_of_memory`` doubles the memory once.
        """
        ...

    async def live(self) -> tuple[Job, ...]:
        """Give every job with a live attempt, with that attempt."""
        ...

    async def expire(self, *, epoch: int, now: dt.datetime) -> tuple[str, ...]:
        """Make attempts whose lease has run out ``lost``; give their ids."""
        ...

    async def forget(self, *, before: dt.datetime, limit: int, epoch: int) -> Forgotten:
        """Delete jobs that ended before a time; say how many, and which stored files nothing refers to now."""
        ...

    async def unswept(self, *, before: dt.datetime, limit: int) -> tuple[DeadAttempt, ...]:
        """Give attempts that ended without success before a time and are not swept, oldest first.

        They are known also after their job is forgotten; a live attempt, or one that succeeded, is never given.
        """
        ...

    async def swept(self, attempt_ids: Sequence[str], *, epoch: int) -> None:
        """Say that nothing of these dead attempts is stored any more; nothing happens to others."""
        ...

    async def counts(self) -> JobCounts:
        """Give the number of jobs by state; cheap at any number of jobs."""
        ...

    async def changed(self, *, timeout_s: float, seen: int | None = None) -> int:
        """Return soon after somebody wrote to the ledger, or after the timeout.

        Gives a number; handed in as ``seen`` the next time, no write in between is missed
        (a timeout of 0 gives the number at once).
        """
        ...


class NodeBook(Protocol):
    """What is known of the worker nodes."""

    async def put(self, nodes: Sequence[Node], *, epoch: int) -> None:
        """Write the nodes that exist now; others are forgotten."""
        ...

    async def list(self) -> tuple[Node, ...]:
        """Give the nodes as last written."""
        ...

    async def drain(self, node_id: str, *, draining: bool) -> None:
        """Ask that nothing new starts on a node; ``NotFound`` if it is not there."""
        ...


class Leadership(Protocol):
    """Who leads: a lease with an epoch that only rises."""

    async def acquire(self, holder: str, *, lease_s: float, now: dt.datetime) -> int | None:
        """Take or renew the lease; give its epoch, or None while another holds it."""
        ...

    async def release(self, holder: str) -> None:
        """Give the lease back at once."""
        ...
