"""Scaling decisions, and what holds for each scaled set."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from quetzalcore.database import Database
from quetzalcore.jobs.scaling import ScalingRecord, Standing, Wish
from quetzalcore.jobs.sql.database import reading, writing
from quetzalcore.jobs.sql.leading import check_epoch
from quetzalcore.jobs.sql.statements import upsert
from quetzalcore.jobs.sql.tables import scaling_decisions, scaling_standings

__all__ = ["SqlScalingBook"]

_KEPT = 5000


class SqlScalingBook:
    """A ``ScalingBook`` on the ledger's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, records: Sequence[ScalingRecord], *, epoch: int) -> None:
        """Write decisions."""
        rows = [{"target": r.target, "at": r.at, "record": _document(r)} for r in records]
        if rows:
            await writing(self._database, lambda c: _record(c, rows, epoch=epoch))

    async def history(self, *, target: str = "", limit: int = 50) -> tuple[ScalingRecord, ...]:
        """Give decisions, newest first."""
        question = (
            select(scaling_decisions).order_by(scaling_decisions.c.sequence.desc()).limit(limit)
        )
        if target:
            question = question.where(scaling_decisions.c.target == target)
        return await reading(
            self._database, lambda c: tuple(_entry(row) for row in c.execute(question))
        )

    async def standing(self, target: str) -> Standing:
        """Give what holds for a set."""
        return await reading(self._database, lambda c: _standing(c, target))

    async def wish(self, target: str, wish: Wish) -> None:
        """Write what an operator asks for, and wake the leader."""
        said = {"count": wish.count, "at": wish.at.isoformat(), "by": wish.by}
        await writing(self._database, lambda c: _set(c, target, wish=said), announce=True)

    async def change(self, target: str, changes: Mapping[str, Any]) -> None:
        """Merge changes into a set's live policy, and wake the leader."""

        def work(connection: Connection) -> None:
            _set(connection, target)  # locks the row, so that two operators' changes both stay
            merged = {**_standing(connection, target).changes, **changes}
            kept = {name: value for name, value in merged.items() if value is not None}
            _set(connection, target, changes=kept)

        await writing(self._database, work, announce=True)

    async def show(self, target: str, view: Mapping[str, Any], *, epoch: int) -> None:
        """Write the leader's view of a set."""

        def work(connection: Connection) -> None:
            check_epoch(connection, epoch)
            _set(connection, target, view=dict(view))

        await writing(self._database, work)


def _record(connection: Connection, rows: Sequence[Mapping[str, Any]], *, epoch: int) -> None:
    check_epoch(connection, epoch)
    connection.execute(insert(scaling_decisions), rows)
    newest = connection.scalar(select(func.max(scaling_decisions.c.sequence))) or 0
    connection.execute(
        delete(scaling_decisions).where(scaling_decisions.c.sequence <= newest - _KEPT)
    )


def _set(connection: Connection, target: str, **values: Any) -> None:  # noqa: ANN401 -- columns of the table
    connection.execute(
        upsert(connection.dialect.name, scaling_standings).on_conflict_do_nothing(),
        {"target": target, "wish": None, "changes": {}, "view": {}},
    )
    mine = scaling_standings.c.target == target
    connection.execute(
        update(scaling_standings).where(mine).values(**(values or {"target": target}))
    )


def _standing(connection: Connection, target: str) -> Standing:
    question = select(scaling_standings).where(scaling_standings.c.target == target)
    row = connection.execute(question).one_or_none()
    if row is None:
        return Standing(target=target)
    said = row.wish
    wish = said and Wish(
        count=said["count"], at=dt.datetime.fromisoformat(said["at"]), by=said["by"]
    )
    return Standing(target=target, wish=wish, changes=row.changes, view=row.view)


def _document(record: ScalingRecord) -> dict[str, Any]:
    document = asdict(record)
    del document["at"], document["target"]
    return document


def _entry(row: Row[Any]) -> ScalingRecord:
    return ScalingRecord(at=row.at, target=row.target, **row.record)
