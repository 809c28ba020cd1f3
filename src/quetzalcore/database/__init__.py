"""One SQL database: opened with the right pragmas, migrated, shared by the packages that keep rows in it.

::

    database = await open_database("sqlite:////var/lib/quetzalcore/ledger.db")
    await migrate(database, "quetzalcore.jobs.migrations", "jobs_version")
    rows = await database.read(lambda connection: connection.execute(select(...)).all())
    await database.write(lambda connection: connection.execute(insert(...)), announce=True)
"""

from __future__ import annotations

from quetzalcore.database.database import (
    Announce,
    Database,
    DatabaseFull,
    DatabaseUnavailable,
)
from quetzalcore.database.migrations import migrate
from quetzalcore.database.opening import open_database
from quetzalcore.database.types import Document, Instant, Name

__all__ = [
    "Announce",
    "Database",
    "DatabaseFull",
    "DatabaseUnavailable",
    "Document",
    "Instant",
    "Name",
    "migrate",
    "open_database",
]
