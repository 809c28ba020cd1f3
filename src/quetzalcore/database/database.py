"""The seam to one SQL database, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from quetzalcore.errors import Retryable

__all__ = ["Announce", "Database", "DatabaseFull", "DatabaseUnavailable"]

T = TypeVar("T")
# Whether others are to be woken: said beforehand, or found from the work's result.
Announce = bool | Callable[[T], bool]


class DatabaseUnavailable(Retryable):
    """The database cannot be reached or cannot take more; nothing was written."""

    code = "database_unavailable"
    title = "The database cannot be reached"


class DatabaseFull(DatabaseUnavailable):
    """There is no room for what was to be written; nothing of it was."""

    code = "database_full"
    title = "The database is full"


class Database(Protocol):
    """An open database. Work is a plain function of a connection, run inside one transaction.

    Work may be run more than once (after a deadlock), so it changes nothing but the database.
    """

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run work that only reads, on one snapshot or later; ``DatabaseUnavailable``."""
        ...

    async def write(self, work: Callable[[Connection], T], *, announce: Announce[T] = False) -> T:
        """Run work in a write transaction that is on disk when this returns; ``DatabaseUnavailable``, ``DatabaseFull``.

        An error raised by the work undoes all of it. ``announce`` wakes those who wait in ``changed``.
        """
        ...

    async def changed(self, *, timeout_s: float, seen: int | None = None) -> int:
        """Return soon after an announced write of any process, or after the timeout.

        Gives a number; handed in as ``seen`` the next time, no write in between is missed.
        """
        ...

    async def close(self) -> None:
        """End its threads and connections; what is under way is finished first."""
        ...
