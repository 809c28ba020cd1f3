"""The tables of jobs, and the indexes that keep every question quick at a million jobs."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    and_,
    text,
)

from quetzalcore.database import Document, Instant, Name

__all__ = [
    "KEYED",
    "LIVE",
    "QUEUED",
    "REUSABLE",
    "attempts",
    "dropped",
    "events",
    "files",
    "instances",
    "jobs",
    "leadership",
    "metadata",
    "nodes",
    "scaling_decisions",
    "scaling_standings",
    "tallies",
    "unswept",
    "uploads",
]

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("id", Name, primary_key=True),
    Column("tenant", Name, nullable=False),
    Column("user", Name, nullable=False),
    Column("kind", Name, nullable=False),
    Column("state", Name, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("cpus", Float, nullable=False),
    Column("memory_mib", Integer, nullable=False),
    Column("vgpus", Integer, nullable=False),
    Column("scratch_mib", Integer, nullable=False),
    Column("submitted_at", Instant, nullable=False),
    Column("queued_at", Instant, nullable=False),
    Column("waiting_since", Instant),  # queued_at while the job is queued, else null
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("max_attempts", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("live_attempt", Name, nullable=False),
    Column("memory_doubled", Boolean, nullable=False),
    Column("from_stage", Name, nullable=False),
    Column("cached", Boolean, nullable=False),
    Column("last_event", Integer, nullable=False),
    Column("progress_events", Integer, nullable=False),
    Column("log_events", Integer, nullable=False),
    Column("idempotency_key", Name, nullable=False),
    Column("request_digest", Name, nullable=False),
    Column("reuse_key", Name, nullable=False),
    Column("progress", Document),
    Column("failure", Document),
    Column("request", Document, nullable=False),
    Column("result", Document),
)

# Conditions of partial indexes. A query must use the same words, for a bound parameter hides the index.
QUEUED = jobs.c.waiting_since.is_not(
    None
)  # not by state: SQLite would take an index of states, and sort
KEYED = jobs.c.idempotency_key != text("''")
REUSABLE = and_(jobs.c.state == text("'succeeded'"), jobs.c.reuse_key != text("''"))
_ENDED = jobs.c.finished_at.is_not(None)

Index("jobs_state", jobs.c.state, jobs.c.id)
Index("jobs_tenant_state", jobs.c.tenant, jobs.c.state, jobs.c.id)
Index("jobs_tenant_kind_state", jobs.c.tenant, jobs.c.kind, jobs.c.state, jobs.c.id)
Index("jobs_tenant_user_state", jobs.c.tenant, jobs.c.user, jobs.c.state, jobs.c.id)
Index("jobs_kind_state", jobs.c.kind, jobs.c.state, jobs.c.id)
Index(
    "jobs_waiting",
    jobs.c.priority.desc(),
    jobs.c.waiting_since,
    jobs.c.id,
    sqlite_where=QUEUED,
    postgresql_where=QUEUED,
)
Index(
    "jobs_tenant_waiting",
    jobs.c.tenant,
    jobs.c.priority.desc(),
    jobs.c.waiting_since,
    jobs.c.id,
    sqlite_where=QUEUED,
    postgresql_where=QUEUED,
)
Index("jobs_waiting_since", jobs.c.waiting_since, sqlite_where=QUEUED, postgresql_where=QUEUED)
Index(
    "jobs_idempotency_key",
    jobs.c.tenant,
    jobs.c.idempotency_key,
    unique=True,
    sqlite_where=KEYED,
    postgresql_where=KEYED,
)
Index(
    "jobs_reuse_key",
    jobs.c.tenant,
    jobs.c.reuse_key,
    jobs.c.finished_at,
    sqlite_where=REUSABLE,
    postgresql_where=REUSABLE,
)
Index("jobs_finished_at", jobs.c.finished_at, sqlite_where=_ENDED, postgresql_where=_ENDED)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Name, primary_key=True),
    Column("job_id", Name, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("tenant", Name, nullable=False),
    Column("number", Integer, nullable=False),
    Column("node", Name, nullable=False),
    Column("state", Name, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("lease_until", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("cpus", Float, nullable=False),
    Column("memory_mib", Integer, nullable=False),
    Column("vgpus", Integer, nullable=False),
    Column("scratch_mib", Integer, nullable=False),
    Column("used", Document),
    Column("failure", Document),
)

LIVE = attempts.c.finished_at.is_(None)

Index("attempts_job", attempts.c.job_id, attempts.c.number)
# What makes two live attempts of a job impossible, whatever the code above it does.
Index(
    "attempts_live",
    attempts.c.job_id,
    unique=True,
    sqlite_where=LIVE,
    postgresql_where=LIVE,
)
Index("attempts_lease", attempts.c.lease_until, sqlite_where=LIVE, postgresql_where=LIVE)

events = Table(
    "events",
    metadata,
    Column("job_id", Name, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("type", Name, nullable=False),
    Column("data", Document, nullable=False),
    sqlite_with_rowid=False,
)

# What a job reads (inputs) and what it made (artifacts); several jobs may refer to one stored file.
files = Table(
    "files",
    metadata,
    Column("job_id", Name, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("role", Name, primary_key=True),
    Column("name", Name, primary_key=True),
    Column("key", Name, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Name, nullable=False),
    Column("media_type", Name, nullable=False),
)
Index("files_key", files.c.key)

# Stored files that nothing refers to any more; a leader that has asked again has deleted them.
dropped = Table(
    "dropped_files",
    metadata,
    Column("key", Name, primary_key=True),
    Column("given_epoch", Integer, nullable=False),
)

# Attempts that ended without success and may have left files; they outlive their jobs' rows.
unswept = Table(
    "unswept_attempts",
    metadata,
    Column("attempt_id", Name, primary_key=True),
    Column("job_id", Name, nullable=False),
    Column("tenant", Name, nullable=False),
    Column("ended_at", Instant, nullable=False),
)
Index("unswept_attempts_ended_at", unswept.c.ended_at)

# Running sums, kept in the transaction of every change: jobs by tenant and state, bytes by tenant.
tallies = Table(
    "tallies",
    metadata,
    Column("tenant", Name, primary_key=True),
    Column("name", Name, primary_key=True),
    Column("amount", BigInteger, nullable=False),
)

leadership = Table(
    "leadership",
    metadata,
    Column("role", Name, primary_key=True),
    Column("holder", Name, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("lease_until", Instant, nullable=False),
)

nodes = Table(
    "nodes",
    metadata,
    Column("id", Name, primary_key=True),
    Column("draining", Boolean, nullable=False),
    Column("report", Document, nullable=False),
)

# The gateway instances, by their own word.
instances = Table(
    "instances",
    metadata,
    Column("id", Name, primary_key=True),
    Column("seen_at", Instant, nullable=False),
    Column("report", Document, nullable=False),
)

scaling_decisions = Table(
    "scaling_decisions",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("target", Name, nullable=False),
    Column("at", Instant, nullable=False),
    Column("record", Document, nullable=False),
)
Index("scaling_decisions_target", scaling_decisions.c.target, scaling_decisions.c.sequence)

# What holds for each scaled set: an operator's wish, live changes of the policy, the leader's view.
scaling_standings = Table(
    "scaling_standings",
    metadata,
    Column("target", Name, primary_key=True),
    Column("wish", Document),
    Column("changes", Document, nullable=False),
    Column("view", Document, nullable=False),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Name, primary_key=True),
    Column("tenant", Name, nullable=False),
    Column("user", Name, nullable=False),
    Column("filename", Name, nullable=False),
    Column("declared_size", BigInteger),
    Column("received", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("touched_at", Instant, nullable=False),
    Column("sha256", Name, nullable=False),
    Column("key", Name, nullable=False),
)
Index("uploads_touched_at", uploads.c.touched_at)
Index("uploads_key", uploads.c.key)
