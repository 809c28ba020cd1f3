"""The database's troubles in the ledger's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from quetzalcore.database import Announce, Database, DatabaseFull, DatabaseUnavailable
from quetzalcore.jobs.ledger import LedgerFull, LedgerRefused, LedgerUnavailable

__all__ = ["reading", "writing"]

T = TypeVar("T")


async def reading(database: Database, work: Callable[[Connection], T]) -> T:
    """Run work that only reads; ``LedgerUnavailable``."""
    try:
        return await database.read(work)
    except DatabaseUnavailable as error:
        raise LedgerUnavailable(error.detail, hint=error.hint) from error


async def writing(
    database: Database, work: Callable[[Connection], T], *, announce: Announce[T] = False
) -> T:
    """Run work that writes; ``LedgerUnavailable``, ``LedgerFull``, ``LedgerRefused``."""
    try:
        return await database.write(work, announce=announce)
    except DatabaseFull as error:
        raise LedgerFull(error.detail, hint=error.hint) from error
    except DatabaseUnavailable as error:
        raise LedgerUnavailable(error.detail, hint=error.hint) from error
    except (
        SQLAlchemyError,
        OverflowError,
    ) as error:  # a number beyond 64 bits is no error of SQL's
        raise LedgerRefused(
            f"the database refused a write: {str(error).splitlines()[0]}",
            hint="this is a fault of the platform or of an agent: report it",
        ) from error
