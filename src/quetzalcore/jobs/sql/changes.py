"""The one way by which jobs change: hold rows, apply events, write everything in few statements."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, bindparam, delete, insert, select, update

from quetzalcore.jobs.model import (
    Artifact,
    AttemptState,
    EventType,
    Failure,
    JobState,
    Resources,
    Usage,
)
from quetzalcore.jobs.sql.documents import failure_document, usage_document
from quetzalcore.jobs.sql.statements import chunks, upsert
from quetzalcore.jobs.sql.tables import attempts, dropped, events, files, jobs, tallies, unswept
from quetzalcore.jobs.state import (
    Action,
    BeginAttempt,
    DoubleMemory,
    EndAttempt,
    EndJob,
    Event,
    Lifecycle,
    MarkStarted,
    RenewLease,
    Requeue,
    Transition,
    handle,
)

__all__ = ["ARTIFACT", "BYTES", "INPUT", "LOGS_KEPT", "PROGRESS_KEPT", "Changes", "Details", "Held"]

INPUT = "input"
ARTIFACT = "artifact"
BYTES = "artifact_bytes"
PROGRESS_KEPT = 100  # progress events of a job: between this and twice this many are kept
LOGS_KEPT = 5_000

_LIGHT = (
    jobs.c.id,
    jobs.c.tenant,
    jobs.c.state,
    jobs.c.tries,
    jobs.c.max_attempts,
    jobs.c.live_attempt,
    jobs.c.memory_doubled,
    jobs.c.memory_mib,
    jobs.c.attempt_count,
    jobs.c.last_event,
    jobs.c.progress_events,
    jobs.c.log_events,
    jobs.c.started_at,
    jobs.c.queued_at,
    jobs.c.reuse_key,
)
_ADD_EVENTS, _ADD_ATTEMPTS, _ADD_FILES = insert(events), insert(attempts), insert(files)
_ADD_UNSWEPT = insert(unswept)
_LIFE = ("state", "tries", "live_attempt", "memory_doubled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What goes with an event and does not decide anything."""

    node: str = ""
    asked: Resources = field(default_factory=Resources)
    lease_until: dt.datetime | None = None
    used: Usage | None = None
    result: Mapping[str, Any] | None = None
    artifacts: tuple[Artifact, ...] = ()


@dataclass(slots=True)
class Held:
    """A job whose row this transaction holds, with what it is about to change."""

    row: Row[Any]
    life: Lifecycle
    last_event: int
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.row.id)

    def value(self, name: str) -> Any:  # noqa: ANN401 -- any column's
        """Give a column as it will be written."""
        return self.fields[name] if name in self.fields else getattr(self.row, name)


class Changes:
    """What one transaction is about to write; nothing is written before ``write``."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.held: dict[str, Held] = {}
        self._attempts: dict[str, dict[str, Any]] = defaultdict(dict)
        self._new_attempts: list[dict[str, Any]] = []
        self._dead_attempts: list[dict[str, Any]] = []
        self._events: list[dict[str, Any]] = []
        self._files: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._refiled: list[str] = []
        self._tallies: Counter[tuple[str, str]] = Counter()

    def hold(self, job_ids: Iterable[str], *, whole: bool = False) -> dict[str, Held]:
        """Lock jobs, in the order of their ids so that two transactions never wait for each other."""
        for some in chunks(sorted(set(job_ids) - self.held.keys())):
            places = 1 << (len(some) - 1).bit_length()  # few sizes, so that statements are kept
            named = {f"id_{place}": some[min(place, len(some) - 1)] for place in range(places)}
            for row in self.connection.execute(_held_statement(places, whole=whole), named):
                life = Lifecycle(
                    state=JobState(row.state),
                    tries=row.tries,
                    max_attempts=row.max_attempts,
                    live_attempt=row.live_attempt,
                    memory_doubled=bool(row.memory_doubled),
                )
                self.held[row.id] = Held(row=row, life=life, last_event=row.last_event)
        return self.held

    def apply(
        self, job: Held, event: Event, *, at: dt.datetime, details: Details | None = None
    ) -> Transition:
        """Let the state machine decide, and note what it decided."""
        before = job.life
        transition = handle(before, event)
        job.life = transition.to
        for action in transition.actions:
            self._act(job, action, at, details or Details())
        job.fields |= {
            name: getattr(job.life, name)
            for name in _LIFE
            if getattr(job.life, name) != getattr(before, name)
        }
        if job.life.state is not before.state:
            waits = job.life.state is JobState.QUEUED
            job.fields["waiting_since"] = job.value("queued_at") if waits else None
            self.tally(job.row.tenant, before.state.value, -1)
            self.tally(job.row.tenant, job.life.state.value, 1)
            self.tell(job, EventType.STATE, _news(transition), at=at)
        return transition

    def tell(self, job: Held, kind: EventType, data: Mapping[str, Any], *, at: dt.datetime) -> None:
        """Add an event to a job's story; a progress replaces the one just before it."""
        last = self._events[-1] if self._events else None
        if (
            kind is EventType.PROGRESS
            and last is not None
            and (last["job_id"], last["type"]) == (job.id, kind.value)
        ):
            last |= {"at": at, "data": data}
            return
        job.last_event += 1
        job.fields["last_event"] = job.last_event
        self.add_event(job.id, job.last_event, kind, data, at=at)

    def add_event(
        self,
        job_id: str,
        sequence: int,
        kind: EventType,
        data: Mapping[str, Any],
        *,
        at: dt.datetime,
    ) -> None:
        """Add an event under a number that the caller has made sure of."""
        self._events.append(
            {"job_id": job_id, "sequence": sequence, "at": at, "type": kind.value, "data": data}
        )

    def tally(self, tenant: str, name: str, amount: int) -> None:
        """Change one of the running sums."""
        self._tallies[tenant, name] += amount

    def add_file(self, job_id: str, role: str, file: Artifact) -> None:
        """Let a job refer to a stored file."""
        self._files[job_id, role, file.name] = {
            "job_id": job_id,
            "role": role,
            "name": file.name,
            "key": file.key,
            "size": file.size,
            "sha256": file.sha256,
            "media_type": file.media_type,
        }

    def write(self) -> None:
        """Write everything: each kind of change is one statement, however many jobs there are."""
        if self._events:
            self.connection.execute(_ADD_EVENTS, self._events)
            self._trim_progress()
        if self._refiled:
            self._drop_earlier_artifacts()
        if self._new_attempts:
            self.connection.execute(_ADD_ATTEMPTS, self._new_attempts)
        _update(self.connection, attempts, self._attempts)
        _update(self.connection, jobs, {job.id: job.fields for job in self.held.values()})
        if self._dead_attempts:
            self.connection.execute(_ADD_UNSWEPT, self._dead_attempts)
        if self._files:
            self.connection.execute(_ADD_FILES, list(self._files.values()))
        self._write_tallies()

    def _act(self, job: Held, action: Action, at: dt.datetime, details: Details) -> None:
        match action:
            case BeginAttempt():
                self._begin(job, action.attempt_id, at, details)
            case MarkStarted():
                if job.value("started_at") is None:
                    job.fields["started_at"] = at
                self._attempts[action.attempt_id]["state"] = AttemptState.RUNNING.value
                self._renew(action.attempt_id, details)
            case RenewLease():
                self._renew(action.attempt_id, details)
            case EndAttempt():
                self._end_attempt(job, action, at, details)
            case DoubleMemory() | Requeue():
                _wait_again(job, action, at)
            case EndJob():
                self._end(job, action, at, details)

    def _begin(self, job: Held, attempt_id: str, at: dt.datetime, details: Details) -> None:
        number = job.value("attempt_count") + 1
        job.fields["attempt_count"] = number
        self._new_attempts.append(
            {
                "id": attempt_id,
                "job_id": job.id,
                "tenant": job.row.tenant,
                "number": number,
                "node": details.node,
                "state": AttemptState.STARTING.value,
                "started_at": at,
                "lease_until": details.lease_until or at,
                "finished_at": None,
                "cpus": details.asked.cpus,
                "memory_mib": details.asked.memory_mib,
                "vgpus": details.asked.vgpus,
                "scratch_mib": details.asked.scratch_mib,
            }
        )

    def _renew(self, attempt_id: str, details: Details) -> None:
        if details.lease_until is not None:
            self._attempts[attempt_id]["lease_until"] = details.lease_until

    def _end_attempt(
        self, job: Held, action: EndAttempt, at: dt.datetime, details: Details
    ) -> None:
        self._attempts[action.attempt_id] |= {
            "state": action.state.value,
            "finished_at": at,
            "used": usage_document(details.used),
            "failure": failure_document(action.failure),
        }
        if action.state is not AttemptState.SUCCEEDED:
            self._dead_attempts.append(
                {
                    "attempt_id": action.attempt_id,
                    "job_id": job.id,
                    "tenant": job.row.tenant,
                    "ended_at": at,
                }
            )

    def _end(self, job: Held, action: EndJob, at: dt.datetime, details: Details) -> None:
        job.fields |= {"finished_at": at, "failure": failure_document(action.failure)}
        if action.state is not JobState.SUCCEEDED:
            return
        job.fields["result"] = {} if details.result is None else details.result
        self.tell(job, EventType.RESULT, {}, at=at)  # its body is read from the job
        # A result that was taken from a cache brought another job's files.
        if job.value("attempt_count") > 1 or job.row.reuse_key:
            self._refiled.append(job.id)
        for artifact in details.artifacts:
            self.add_file(job.id, ARTIFACT, artifact)
        self.tally(job.row.tenant, BYTES, sum(artifact.size for artifact in details.artifacts))

    def _trim_progress(self) -> None:
        """Forget old progress where much has been told; logs are capped where they are told."""
        told = Counter(e["job_id"] for e in self._events if e["type"] == EventType.PROGRESS.value)
        for job_id, amount in told.items():
            job = self.held[job_id]
            kept = job.value("progress_events") + amount
            if kept > 2 * PROGRESS_KEPT:
                kept = PROGRESS_KEPT
                _delete_old_progress(self.connection, job_id)
            job.fields["progress_events"] = kept

    def _drop_earlier_artifacts(self) -> None:
        """Let go of what an earlier success of the same jobs had made."""
        for some in chunks(self._refiled):
            of_these = (files.c.job_id.in_(some), files.c.role == ARTIFACT)
            rows = self.connection.execute(
                select(files.c.key, files.c.size, files.c.job_id).where(*of_these)
            ).all()
            self.connection.execute(delete(files).where(*of_these))
            self.drop({row.key: (self.held[row.job_id].row.tenant, row.size) for row in rows})

    def drop(self, candidates: Mapping[str, tuple[str, int]]) -> None:
        """Note stored files (key: tenant, size) as droppable, unless something still refers to them."""
        new_keys = {file["key"] for file in self._files.values()}
        for some in chunks(sorted(candidates)):
            used = set(self.connection.scalars(select(files.c.key).where(files.c.key.in_(some))))
            free = [key for key in some if key not in used and key not in new_keys]
            for key in free:
                tenant, size = candidates[key]
                self.tally(tenant, BYTES, -size)
            if free:
                statement = upsert(self.connection.dialect.name, dropped).on_conflict_do_nothing()
                self.connection.execute(statement, [{"key": key, "given_epoch": 0} for key in free])

    def _write_tallies(self) -> None:
        rows = [
            {"tenant": tenant, "name": name, "amount": amount}
            for (tenant, name), amount in sorted(self._tallies.items())
            if amount
        ]
        if not rows:
            return
        self.connection.execute(_tally_statement(self.connection.dialect.name), rows)


def _wait_again(job: Held, action: DoubleMemory | Requeue, at: dt.datetime) -> None:
    if isinstance(action, DoubleMemory):
        job.fields["memory_mib"] = 2 * job.value("memory_mib")
        return
    job.fields |= {"started_at": None, "progress": None}
    if action.afresh:
        job.fields |= {
            "queued_at": at,
            "finished_at": None,
            "failure": None,
            "result": None,
            "cached": False,
            "from_stage": action.stage,
        }


def _news(transition: Transition) -> dict[str, Any]:
    news: dict[str, Any] = {"state": transition.to.state.value}
    if transition.to.live_attempt:
        news["attempt"] = transition.to.live_attempt
    failures: list[Failure] = [
        action.failure
        for action in transition.actions
        if isinstance(action, EndAttempt | EndJob) and action.failure is not None
    ]
    if failures:
        news["error"] = failure_document(failures[-1])
    return news


def _update(connection: Connection, table: Table, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Update rows by id; rows that change the same columns share a statement."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row_id, values in sorted(changes.items()):
        if values:
            named = {f"new_{name}": value for name, value in values.items()}
            alike[tuple(sorted(values))].append({"row_id": row_id, **named})
    for names, rows in alike.items():
        connection.execute(_update_statement(table, names), rows)


# Making a statement costs several times as much as running it: each is made once.


@cache
def _held_statement(places: int, *, whole: bool) -> Select[Any]:
    columns = tuple(jobs.c) if whole else _LIGHT
    ids = [bindparam(f"id_{place}", type_=jobs.c.id.type) for place in range(places)]
    return select(*columns).where(jobs.c.id.in_(ids)).order_by(jobs.c.id).with_for_update()


@cache
def _tally_statement(dialect: str) -> Any:  # noqa: ANN401 -- either dialect's Insert
    statement = upsert(dialect, tallies)
    return statement.on_conflict_do_update(
        index_elements=["tenant", "name"],
        set_={"amount": tallies.c.amount + statement.excluded.amount},
    )


@cache
def _update_statement(table: Table, names: tuple[str, ...]) -> Any:  # noqa: ANN401 -- SQLAlchemy's Update
    return (
        update(table)
        .where(table.c.id == bindparam("row_id"))
        .values({name: bindparam(f"new_{name}") for name in names})
    )


def _delete_old_progress(connection: Connection, job_id: str) -> None:
    progress = (events.c.job_id == job_id, events.c.type == EventType.PROGRESS.value)
    first_kept = connection.scalar(
        select(events.c.sequence)
        .where(*progress)
        .order_by(events.c.sequence.desc())
        .offset(PROGRESS_KEPT - 1)
        .limit(1)
    )
    connection.execute(delete(events).where(*progress, events.c.sequence < first_kept))
