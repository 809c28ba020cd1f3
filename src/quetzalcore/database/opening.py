"""Opening a database by its URL."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from quetzalcore.database.database import Database
from quetzalcore.database.sqlite import open_sqlite
from quetzalcore.errors import BadParameter, Permanent

__all__ = ["open_database"]


async def open_database(url: str) -> Database:
    """Open ``sqlite:///path`` (relative) or ``sqlite:////path`` (absolute), or ``postgresql://user:password@host/name``.

    Raises
    ------
    BadParameter
        If the URL is neither.
    DatabaseUnavailable
        If the file cannot be opened; a PostgreSQL server is reached at the first request.
    """
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise _unknown(url) from error
    if parts.get_backend_name() == "sqlite" and parts.database:
        return open_sqlite(Path(parts.database))
    if parts.get_backend_name() == "postgresql":
        try:
            from quetzalcore.database.postgres import (  # noqa: PLC0415 -- an extra: asyncpg
                open_postgres,
            )
        except ModuleNotFoundError as error:
            raise Permanent(
                "PostgreSQL needs the package asyncpg",
                hint="pip install 'quetzalcore[cluster]'",
            ) from error
        return open_postgres(parts)
    raise _unknown(url)


def _unknown(url: str) -> BadParameter:
    return BadParameter(
        f"{url.partition(':')[0]!r} is not the scheme of a database that can be used",
        hint="give sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME",
    )
