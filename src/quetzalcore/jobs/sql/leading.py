"""Who leads, and the check that whoever writes still does."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Connection, select, update

from quetzalcore.jobs.ledger import StaleEpoch
from quetzalcore.jobs.sql.statements import upsert
from quetzalcore.jobs.sql.tables import leadership

__all__ = ["acquire", "check_epoch", "release"]

_MASTER = "master"
_EPOCH = select(leadership.c.epoch).where(leadership.c.role == _MASTER).with_for_update(read=True)
_NOBODY = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def check_epoch(connection: Connection, epoch: int) -> None:
    """Raise ``StaleEpoch`` unless this epoch leads; no other can begin before the transaction ends."""
    current = connection.scalar(_EPOCH)
    if current != epoch:
        raise StaleEpoch(
            f"epoch {epoch} does not lead, the ledger knows epoch {current or 0}",
            hint="stand by and acquire the leadership again",
        )


def acquire(connection: Connection, holder: str, *, lease_s: float, now: dt.datetime) -> int | None:
    """Take or renew the lease; a new holder gets a higher epoch."""
    connection.execute(
        upsert(connection.dialect.name, leadership).on_conflict_do_nothing(),
        {"role": _MASTER, "holder": "", "epoch": 0, "lease_until": _NOBODY},
    )
    row = connection.execute(
        select(leadership).where(leadership.c.role == _MASTER).with_for_update()
    ).one()
    mine = row.holder == holder
    if not mine and row.holder and row.lease_until > now:
        return None
    epoch: int = row.epoch if mine else row.epoch + 1
    connection.execute(
        update(leadership)
        .where(leadership.c.role == _MASTER)
        .values(holder=holder, epoch=epoch, lease_until=now + dt.timedelta(seconds=lease_s))
    )
    return epoch


def release(connection: Connection, holder: str) -> None:
    """Let go of the lease; the epoch stays, so that the next is higher."""
    connection.execute(
        update(leadership)
        .where(leadership.c.role == _MASTER, leadership.c.holder == holder)
        .values(holder="", lease_until=_NOBODY)
    )
