"""The gateway instances, as each last said of itself."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from quetzalcore.database import Database
from quetzalcore.jobs.scaling import InstanceReport
from quetzalcore.jobs.sql.database import reading, writing
from quetzalcore.jobs.sql.statements import upsert
from quetzalcore.jobs.sql.tables import instances

__all__ = ["SqlInstanceBook"]

_KNOWN = frozenset(field.name for field in fields(InstanceReport))


class SqlInstanceBook:
    """An ``InstanceBook`` on the ledger's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def report(self, report: InstanceReport) -> None:
        """Write what an instance says of itself; nobody is woken by it."""
        row = {"id": report.id, "seen_at": report.seen_at, "report": _document(report)}

        def work(connection: Connection) -> None:
            statement = upsert(connection.dialect.name, instances)
            new = statement.excluded
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["id"], set_={"seen_at": new.seen_at, "report": new.report}
                ),
                row,
            )

        await writing(self._database, work)

    async def list(self) -> tuple[InstanceReport, ...]:
        """Give every instance that has not left."""
        question = select(instances).order_by(instances.c.id)
        return await reading(
            self._database, lambda c: tuple(_report(row) for row in c.execute(question))
        )

    async def leave(self, *instance_ids: str) -> None:
        """Forget instances."""
        gone = delete(instances).where(instances.c.id.in_(instance_ids))
        await writing(self._database, lambda c: c.execute(gone))


def _document(report: InstanceReport) -> dict[str, Any]:
    return {**asdict(report), "started_at": report.started_at.isoformat(), "seen_at": None}


def _report(row: Row[Any]) -> InstanceReport:
    said = {name: value for name, value in row.report.items() if name in _KNOWN}  # of any version
    said["started_at"] = dt.datetime.fromisoformat(said["started_at"])
    return InstanceReport(**{**said, "seen_at": row.seen_at})
