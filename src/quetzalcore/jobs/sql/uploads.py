"""Uploads as rows; the offset of a write is compared and set, so that two requests never both append."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, select, update

from quetzalcore.database import Database
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import Conflict, NotFound
from quetzalcore.jobs.sql.database import reading, writing
from quetzalcore.jobs.sql.tables import files, uploads
from quetzalcore.jobs.uploads import Upload

__all__ = ["SqlUploads"]


class SqlUploads:
    """An ``UploadBook`` on the ledger's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        await writing(self._database, lambda c: _execute(c, insert(uploads).values(**row)))
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
        await writing(
            self._database, lambda c: _execute(c, delete(uploads).where(uploads.c.id == upload_id))
        )


def _execute(connection: Connection, statement: Any) -> None:  # noqa: ANN401 -- an Insert or a Delete
    connection.execute(statement)


def _get(connection: Connection, upload_id: str, tenant: str) -> Upload:
    row = connection.execute(
        select(uploads).where(uploads.c.id == upload_id, uploads.c.tenant == tenant)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no upload {upload_id!r}", hint="begin a new one")
    return _upload(row)


def _upload(row: Row[Any]) -> Upload:
    return Upload(**row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it
