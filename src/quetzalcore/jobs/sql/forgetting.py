"""Forgetting old jobs, and finding the stored files that nothing refers to, or ever did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, update

from quetzalcore.jobs.ledger import DeadAttempt, Forgotten
from quetzalcore.jobs.sql.changes import ARTIFACT, Changes
from quetzalcore.jobs.sql.leading import check_epoch
from quetzalcore.jobs.sql.statements import chunks
from quetzalcore.jobs.sql.tables import attempts, dropped, events, files, jobs, unswept

__all__ = ["forget", "mark_swept", "read_unswept"]


def forget(connection: Connection, *, before: dt.datetime, limit: int, epoch: int) -> Forgotten:
    """Delete jobs that ended before a time; give keys to be deleted from the store.

    A key is given again until the same leader asks once more: then it has deleted what it was given.
    """
    check_epoch(connection, epoch)
    connection.execute(delete(dropped).where(dropped.c.given_epoch == epoch))
    old = connection.execute(
        select(jobs.c.id, jobs.c.tenant, jobs.c.state)
        .where(jobs.c.finished_at < before)
        .order_by(jobs.c.finished_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    changes = Changes(connection)
    candidates: dict[str, tuple[str, int]] = {}
    for row in old:
        changes.tally(row.tenant, row.state, -1)
    tenants = {row.id: row.tenant for row in old}
    for some in chunks(sorted(tenants)):
        named = select(files.c.job_id, files.c.key, files.c.size, files.c.role).where(
            files.c.job_id.in_(some)
        )
        for file in connection.execute(named):
            tenant = tenants[file.job_id]
            # An input may be the product of a job forgotten earlier; uploads are forgotten elsewhere.
            if file.role == ARTIFACT or file.key.startswith(f"tenants/{tenant}/jobs/"):
                candidates[file.key] = (tenant, file.size)
        for table in (events, attempts, files):
            connection.execute(delete(table).where(table.c.job_id.in_(some)))
        connection.execute(delete(jobs).where(jobs.c.id.in_(some)))
    changes.drop(candidates)
    changes.write()
    keys = connection.scalars(select(dropped.c.key).order_by(dropped.c.key)).all()
    connection.execute(update(dropped).values(given_epoch=epoch))
    return Forgotten(jobs=len(old), keys=tuple(keys))


def read_unswept(
    connection: Connection, *, before: dt.datetime, limit: int
) -> tuple[DeadAttempt, ...]:
    """Give attempts that ended without success before a time, oldest first."""
    query = (
        select(unswept.c.attempt_id, unswept.c.job_id, unswept.c.tenant)
        .where(unswept.c.ended_at < before)
        .order_by(unswept.c.ended_at, unswept.c.attempt_id)
        .limit(limit)
    )
    return tuple(DeadAttempt(**row) for row in connection.execute(query).mappings())


def mark_swept(connection: Connection, attempt_ids: Sequence[str], *, epoch: int) -> None:
    """Note that nothing of dead attempts is stored any more."""
    check_epoch(connection, epoch)
    for some in chunks(attempt_ids):
        connection.execute(delete(unswept).where(unswept.c.attempt_id.in_(some)))
