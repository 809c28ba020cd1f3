"""The lease of the one master that leads."""

from __future__ import annotations

import datetime as dt

from quetzalcore.database import Database
from quetzalcore.jobs.sql import leading
from quetzalcore.jobs.sql.database import writing

__all__ = ["SqlLeadership"]


class SqlLeadership:
    """A ``Leadership`` on the ledger's database; a holder's name must be one process's own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def acquire(self, holder: str, *, lease_s: float, now: dt.datetime) -> int | None:
        """Take or renew the lease."""
        return await writing(
            self._database, lambda c: leading.acquire(c, holder, lease_s=lease_s, now=now)
        )

    async def release(self, holder: str) -> None:
        """Give the lease back."""
        await writing(self._database, lambda c: leading.release(c, holder), announce=True)
