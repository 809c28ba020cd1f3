"""Uploads as rows; the offset of a write is compared and set, so that two requests never both append."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, insert, select, update

from quetzalcore.database import Database
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import Conflict, NotFound
from quetzalcore.jobs.quota import LEAST_UPLOAD_BYTES, Quota
from quetzalcore.jobs.sql.changes import Changes
from quetzalcore.jobs.sql.database import reading, writing
from quetzalcore.jobs.sql.tables import files, tallies, uploads
from quetzalcore.jobs.uploads import Upload, check_room

__all__ = ["SqlUploads"]

_BYTES = "upload_bytes"
_KEPT = select(tallies.c.amount).where(
    tallies.c.tenant == bindparam("of_tenant"), tallies.c.name == _BYTES
)


class SqlUploads:
    """An ``UploadBook`` on the ledger's database; ``quota`` gives a tenant's limits."""

    def __init__(self, database: Database, *, quota: Callable[[str], Quota] | None = None) -> None:
        self._database = database
        self._quota = quota or (lambda _tenant: Quota())

    async def create(
        self, *, tenant: str, user: str, filename: str, declared_size: int | None, now: dt.datetime
    ) -> Upload:
        """Begin an upload."""
        upload = Upload(
            id=new_id(now),
            tenant=tenant,
            user=user,
            filename=filename,
            declared_size=declared_size,
            created_at=now,
            touched_at=now,
        )
        row = {column.name: getattr(upload, column.name) for column in uploads.c}

        def work(connection: Connection) -> None:
            promised = max(LEAST_UPLOAD_BYTES, declared_size or 0) - LEAST_UPLOAD_BYTES
            kept = _keep(connection, tenant, LEAST_UPLOAD_BYTES) + promised
            check_room(self._quota(tenant), tenant, kept=kept)
            connection.execute(insert(uploads).values(**row))

        await writing(self._database, work)
        return upload

    async def get(self, upload_id: str, *, tenant: str) -> Upload:
        """Give an upload."""
        return await reading(self._database, lambda c: _get(c, upload_id, tenant))

    async def advance(
        self, upload_id: str, *, tenant: str, offset: int, received: int, now: dt.datetime
    ) -> Upload:
        """Say how much is there now."""

        def work(connection: Connection) -> Upload:
            change = (
                update(uploads)
                .where(
                    uploads.c.id == upload_id,
                    uploads.c.tenant == tenant,
                    uploads.c.received == offset,
                    uploads.c.key == "",
                )
                .values(received=received, touched_at=now)
            )
            done = connection.execute(change).rowcount == 1
            upload = _get(connection, upload_id, tenant)
            if not done:
                raise Conflict(
                    f"upload {upload_id} is complete"
                    if upload.complete
                    else f"upload {upload_id} has {upload.received} bytes, not {offset}",
                    hint="ask for its state and go on from there",
                )
            more = max(LEAST_UPLOAD_BYTES, received) - max(LEAST_UPLOAD_BYTES, offset)
            check_room(self._quota(tenant), tenant, kept=_keep(connection, tenant, more))
            return upload

        return await writing(self._database, work)

    async def finish(
        self, upload_id: str, *, tenant: str, sha256: str, key: str, now: dt.datetime
    ) -> Upload:
        """Say where the whole file is."""

        def work(connection: Connection) -> Upload:
            connection.execute(
                update(uploads)
                .where(uploads.c.id == upload_id, uploads.c.tenant == tenant, uploads.c.key == "")
                .values(sha256=sha256, key=key, touched_at=now)
            )
            upload = _get(connection, upload_id, tenant)
            if (upload.key, upload.sha256) != (key, sha256):
                raise Conflict(f"upload {upload_id} is complete with other contents")
            return upload

        return await writing(self._database, work)

    async def abandoned(self, *, before: dt.datetime, limit: int) -> tuple[Upload, ...]:
        """Give old uploads that no job reads."""
        read_by_a_job = exists().where(files.c.key == uploads.c.key)
        query = (
            select(uploads)
            .where(uploads.c.touched_at < before, ~read_by_a_job)
            .order_by(uploads.c.touched_at)
            .limit(limit)
        )
        return await reading(
            self._database, lambda c: tuple(_upload(row) for row in c.execute(query))
        )

    async def delete(self, upload_id: str) -> None:
        """Forget an upload."""
        gone = delete(uploads).where(uploads.c.id == upload_id)

        def work(connection: Connection) -> None:
            row = connection.execute(gone.returning(uploads.c.tenant, uploads.c.received)).first()
            if row is not None:
                _keep(connection, row.tenant, -max(LEAST_UPLOAD_BYTES, row.received))

        await writing(self._database, work)


def _keep(connection: Connection, tenant: str, more: int) -> int:
    """Change the running sum of what a tenant's uploads take; give it. An error later on undoes this."""
    changes = Changes(connection)
    changes.tally(tenant, _BYTES, more)
    changes.write()
    return connection.scalar(_KEPT, {"of_tenant": tenant}) or 0


def _get(connection: Connection, upload_id: str, tenant: str) -> Upload:
    row = connection.execute(
        select(uploads).where(uploads.c.id == upload_id, uploads.c.tenant == tenant)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no upload {upload_id!r}", hint="begin a new one")
    return _upload(row)


def _upload(row: Row[Any]) -> Upload:
    return Upload(**row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it
