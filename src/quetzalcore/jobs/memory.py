"""The ledger in memory, in the plainest way: for tests, and to compare the real ones with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from quetzalcore.database.announcements import Announcements
from quetzalcore.jobs.failures import NODE_LOST
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import (
    MOST_ATTEMPTS,
    Admission,
    Conflict,
    DeadAttempt,
    Forgotten,
    JobCounts,
    JobFilter,
    NotFound,
    QuotaExceeded,
    Report,
    ReportKind,
    TenantLoad,
    Waiting,
    too_many_attempts,
)
from quetzalcore.jobs.memory_books import MemoryLeadership
from quetzalcore.jobs.memory_entry import Entry, begin, follow, news_of, requeue
from quetzalcore.jobs.model import (
    AttemptState,
    Event,
    EventType,
    Failure,
    Job,
    JobPage,
    JobRequest,
    JobState,
    Progress,
)
from quetzalcore.jobs.quota import Quota
from quetzalcore.jobs.reports import event_of
from quetzalcore.jobs.requests import digest_of
from quetzalcore.jobs.state import (
    Action,
    Admitted,
    BeginAttempt,
    CancelRequested,
    DoubleMemory,
    EndAttempt,
    EndJob,
    Lost,
    MarkStarted,
    Refuse,
    Rejected,
    RenewLease,
    Requeue,
    RetryRequested,
    Submitted,
    handle,
)
from quetzalcore.jobs.state import Event as Stimulus

__all__ = ["MemoryLedger"]

_UNDER_WAY = (JobState.STARTING, JobState.RUNNING, JobState.CANCELLING)


class MemoryLedger:
    """A ``JobLedger``."""

    def __init__(self, leadership: MemoryLeadership, *, quota: Quota | None = None) -> None:
        self._leadership = leadership
        self._quota = quota or Quota()
        self._entries: dict[str, Entry] = {}
        self._dropped: dict[str, int] = {}
        self._unswept: dict[str, tuple[dt.datetime, DeadAttempt]] = {}
        self._announcements = Announcements()

    async def submit(self, request: JobRequest, *, now: dt.datetime) -> tuple[Job, bool]:
        """Add a job."""
        digest = digest_of(request)
        if request.idempotency_key:
            for entry in self._of(request.tenant):
                if entry.job.request.idempotency_key == request.idempotency_key:
                    if entry.digest != digest:
                        raise Conflict("the idempotency key was used for another request")
                    return entry.job, False
        earlier = self._answer(request)
        if earlier is None:
            self._check_quota(request.tenant)
        life = handle(
            None, Submitted(max_attempts=request.max_attempts, reused=earlier is not None)
        ).to
        job = Job(id=new_id(now), request=request, state=life.state, submitted_at=now)
        entry = Entry(job=job, life=life, queued_at=now, asks=request.resources, digest=digest)
        entry.tell(EventType.STATE, {"state": "queued"}, now)
        if earlier is not None:
            entry.job = replace(
                job,
                finished_at=now,
                cached=True,
                result=earlier.result,
                artifacts=earlier.artifacts,
            )
            entry.tell(EventType.RESULT, {"result": earlier.result, "cached": True}, now)
            entry.tell(EventType.STATE, {"state": "succeeded", "cached": True}, now)
        self._entries[job.id] = entry
        self._announcements.announce()
        return entry.job, True

    async def get(self, job_id: str, *, tenant: str = "") -> Job:
        """Give a job whole."""
        return self._entry(job_id, tenant).job

    async def list(self, where: JobFilter) -> JobPage:
        """Give one page of jobs."""
        found = [
            replace(entry.job, attempts=(), artifacts=(), result=None)
            for job_id, entry in sorted(self._entries.items(), reverse=True)
            if where.tenant in {"", entry.job.request.tenant}
            and where.user in {"", entry.job.request.user}
            and where.kind in {"", entry.job.request.kind}
            and (not where.states or entry.job.state in where.states)
            and (not where.cursor or job_id < where.cursor)
        ]
        items = tuple(found[: where.limit])
        return JobPage(items=items, next_cursor=items[-1].id if len(found) > where.limit else "")

    async def cancel(self, job_id: str, *, tenant: str = "", now: dt.datetime) -> Job:
        """Ask for a job's end."""
        entry = self._entry(job_id, tenant)
        self._apply(entry, CancelRequested(), at=now)
        return entry.job

    async def retry(
        self, job_id: str, *, tenant: str = "", stage: str = "", now: dt.datetime
    ) -> Job:
        """Put a job back in the queue."""
        entry = self._entry(job_id, tenant)
        if len(entry.job.attempts) >= MOST_ATTEMPTS:
            raise too_many_attempts(job_id)
        wanted = RetryRequested(stage=stage)
        for action in handle(entry.life, wanted).actions:
            if isinstance(action, Refuse):
                raise Conflict(f"job {job_id} cannot be run again", hint=action.reason)
        self._check_quota(entry.job.request.tenant)
        self._apply(entry, wanted, at=now)
        return entry.job

    async def events(
        self, job_id: str, *, after: int = 0, limit: int = 500, types: tuple[EventType, ...] = ()
    ) -> tuple[Event, ...]:
        """Give what happened to a job."""
        entry = self._entries.get(job_id)
        told = [] if entry is None else entry.events
        return tuple(
            event for event in told if event.sequence > after and (not types or event.type in types)
        )[:limit]

    async def waiting(self, *, limit: int) -> tuple[Waiting, ...]:
        """Give the queue's head, then the first of every other tenant."""
        queue = sorted(
            (
                Waiting(
                    job_id=entry.job.id,
                    tenant=entry.job.request.tenant,
                    priority=entry.job.request.priority,
                    resources=entry.asks,
                    submitted_at=entry.queued_at,
                    attempts=entry.life.tries,
                )
                for entry in self._entries.values()
                if entry.job.state is JobState.QUEUED
            ),
            key=lambda waiting: (-waiting.priority, waiting.submitted_at, waiting.job_id),
        )
        head, rest = queue[:limit], queue[limit:]
        seen = {waiting.tenant for waiting in head}
        first = {waiting.tenant: waiting for waiting in reversed(rest)}
        others = [w for w in rest if w.tenant not in seen and first[w.tenant] is w]
        return tuple(head + others)

    async def loads(self) -> tuple[TenantLoad, ...]:
        """Give what each tenant holds."""
        tenants = sorted({entry.job.request.tenant for entry in self._entries.values()})
        return tuple(self._load(tenant) for tenant in tenants)

    async def counts(self) -> JobCounts:
        """Give the number of jobs by state."""
        states = [entry.job.state for entry in self._entries.values()]
        queued = [e.queued_at for e in self._entries.values() if e.job.state is JobState.QUEUED]
        return JobCounts(
            by_state={state: states.count(state) for state in JobState},
            oldest_queued_at=min(queued, default=None),
        )

    async def live(self) -> tuple[Job, ...]:
        """Give the jobs that have a live attempt."""
        return tuple(
            replace(entry.job, attempts=(entry.attempt,), artifacts=(), result=None)
            for _, entry in sorted(self._entries.items())
            if entry.attempt is not None
        )

    async def admit(
        self, admissions: Sequence[Admission], *, epoch: int, now: dt.datetime
    ) -> tuple[Job, ...]:
        """Begin attempts."""
        self._leadership.check(epoch)
        begun = []
        for admission in admissions:
            entry = self._entries.get(admission.job_id)
            if entry is None or entry.job.state is not JobState.QUEUED:
                continue
            self._apply(entry, Admitted(attempt_id=admission.attempt_id), at=now, with_=admission)
            begun.append(
                replace(entry.job, attempts=entry.job.attempts[-1:], artifacts=(), result=None)
            )
        return tuple(begun)

    async def reject(self, job_id: str, failure: Failure, *, epoch: int, now: dt.datetime) -> None:
        """Fail a queued job."""
        self._leadership.check(epoch)
        self._apply(self._entry(job_id), Rejected(failure=failure), at=now)

    async def record(self, reports: Sequence[Report], *, epoch: int) -> tuple[str, ...]:
        """Write what agents said."""
        self._leadership.check(epoch)
        fenced: dict[str, None] = {}
        for report in reports:
            entry = self._entries.get(report.job_id)
            if entry is None or entry.life.live_attempt != report.attempt_id:
                fenced[report.attempt_id] = None
            elif report.kind == ReportKind.PROGRESS:
                entry.job = replace(entry.job, progress=Progress(**report.data))
                entry.tell(EventType.PROGRESS, dict(report.data), report.at)
            elif report.kind == ReportKind.LOG:
                entry.tell(EventType.LOG, dict(report.data), report.at)
            else:
                self._apply(entry, event_of(report), at=report.at, with_=report)
        self._announcements.announce()
        return tuple(fenced)

    async def expire(self, *, epoch: int, now: dt.datetime) -> tuple[str, ...]:
        """End attempts whose lease has run out."""
        self._leadership.check(epoch)
        lost = [
            (entry, entry.attempt.id)
            for entry in self._entries.values()
            if entry.attempt is not None and entry.attempt.lease_until <= now
        ]
        for entry, attempt_id in lost:
            self._apply(entry, Lost(attempt_id=attempt_id, failure=NODE_LOST), at=now)
        return tuple(attempt_id for _, attempt_id in lost)

    async def forget(self, *, before: dt.datetime, limit: int, epoch: int) -> Forgotten:
        """Delete old jobs; give the keys to be deleted."""
        self._leadership.check(epoch)
        self._dropped = {key: given for key, given in self._dropped.items() if given != epoch}
        old = sorted(
            (
                (entry.job.finished_at, job_id)
                for job_id, entry in self._entries.items()
                if entry.job.finished_at is not None and entry.job.finished_at < before
            )
        )
        gone = [self._entries.pop(job_id) for _, job_id in old[:limit]]
        self._drop({key for entry in gone for key in self._droppable(entry.job)})
        self._dropped = dict.fromkeys(self._dropped, epoch)
        return Forgotten(jobs=len(gone), keys=tuple(sorted(self._dropped)))

    async def unswept(self, *, before: dt.datetime, limit: int) -> tuple[DeadAttempt, ...]:
        """Give attempts that ended without success."""
        old = sorted((at, attempt_id) for attempt_id, (at, _) in self._unswept.items())
        return tuple(self._unswept[attempt_id][1] for at, attempt_id in old if at < before)[:limit]

    async def swept(self, attempt_ids: Sequence[str], *, epoch: int) -> None:
        """Forget dead attempts."""
        self._leadership.check(epoch)
        for attempt_id in attempt_ids:
            self._unswept.pop(attempt_id, None)

    async def changed(self, *, timeout_s: float, seen: int | None = None) -> int:
        """Wait for a write."""
        return await self._announcements.wait(timeout_s=timeout_s, seen=seen)

    def refers_to(self, key: str) -> bool:
        """Say whether a job reads or made a stored file."""
        return any(
            key in {file.key for file in entry.job.request.inputs}
            or key in {artifact.key for artifact in entry.job.artifacts}
            for entry in self._entries.values()
        )

    def _apply(
        self,
        entry: Entry,
        event: Stimulus,
        *,
        at: dt.datetime,
        with_: Admission | Report | None = None,
    ) -> None:
        before = entry.life.state
        transition = handle(entry.life, event)
        entry.life = transition.to
        entry.job = replace(entry.job, state=transition.to.state)
        for action in transition.actions:
            self._act(entry, action, at, with_)
        if entry.life.state is not before:
            entry.tell(EventType.STATE, news_of(transition), at)
        self._announcements.announce()

    def _act(
        self, entry: Entry, action: Action, at: dt.datetime, with_: Admission | Report | None
    ) -> None:
        match action:
            case BeginAttempt() if isinstance(with_, Admission):
                begin(entry, with_, at)
            case MarkStarted() | RenewLease() | EndAttempt():
                self._note_death(entry, action, at)
                follow(entry, action, at, with_ if isinstance(with_, Report) else None)
            case DoubleMemory():
                entry.asks = replace(entry.asks, memory_mib=2 * entry.asks.memory_mib)
            case Requeue():
                requeue(entry, action, at)
            case EndJob():
                self._end(entry, action, at, with_ if isinstance(with_, Report) else None)

    def _note_death(self, entry: Entry, action: Action, at: dt.datetime) -> None:
        if isinstance(action, EndAttempt) and action.state is not AttemptState.SUCCEEDED:
            self._unswept[action.attempt_id] = (
                at,
                DeadAttempt(
                    attempt_id=action.attempt_id,
                    job_id=entry.job.id,
                    tenant=entry.job.request.tenant,
                ),
            )

    def _end(self, entry: Entry, action: EndJob, at: dt.datetime, report: Report | None) -> None:
        entry.job = replace(entry.job, finished_at=at, failure=action.failure)
        if action.state is JobState.SUCCEEDED and report is not None:
            earlier = {artifact.key for artifact in entry.job.artifacts}
            entry.job = replace(
                entry.job,
                result=dict(report.result or {}),
                artifacts=tuple(sorted(report.artifacts, key=lambda artifact: artifact.name)),
            )
            self._drop(earlier)
            entry.tell(EventType.RESULT, {"result": entry.job.result, "cached": False}, at)

    def _drop(self, keys: set[str]) -> None:
        self._dropped |= {key: 0 for key in keys if not self.refers_to(key)}

    def _droppable(self, job: Job) -> set[str]:
        made = {artifact.key for artifact in job.artifacts}
        ours = f"tenants/{job.request.tenant}/jobs/"
        return made | {file.key for file in job.request.inputs if file.key.startswith(ours)}

    def _entry(self, job_id: str, tenant: str = "") -> Entry:
        entry = self._entries.get(job_id)
        if entry is None or tenant not in {"", entry.job.request.tenant}:
            raise NotFound(f"there is no job {job_id!r}")
        return entry

    def _of(self, tenant: str) -> tuple[Entry, ...]:
        return tuple(e for e in self._entries.values() if e.job.request.tenant == tenant)

    def _load(self, tenant: str) -> TenantLoad:
        entries = self._of(tenant)
        stored = {a.key: a.size for entry in entries for a in entry.job.artifacts}
        return TenantLoad(
            tenant=tenant,
            queued=sum(entry.job.state is JobState.QUEUED for entry in entries),
            running=sum(entry.job.state in _UNDER_WAY for entry in entries),
            cpus=sum(entry.attempt.asked.cpus for entry in entries if entry.attempt),
            artifact_bytes=sum(stored.values()),
        )

    def _answer(self, request: JobRequest) -> Job | None:
        if not request.reuse_key:
            return None
        same = [
            entry.job
            for entry in self._of(request.tenant)
            if entry.job.request.reuse_key == request.reuse_key
            and entry.job.state is JobState.SUCCEEDED
        ]
        return max(same, key=lambda job: job.finished_at or job.submitted_at, default=None)

    def _check_quota(self, tenant: str) -> None:
        load = self._load(tenant)
        if self._quota.max_queued is not None and load.queued >= self._quota.max_queued:
            raise QuotaExceeded(f"{load.queued} jobs of {tenant} wait already")
        room = self._quota.max_artifact_bytes
        if room is not None and load.artifact_bytes >= room:
            raise QuotaExceeded(f"the products of {tenant} take {load.artifact_bytes} bytes")
