"""The ledger on SQLite or PostgreSQL.

::

    database = await open_database("sqlite:////var/lib/quetzalcore/ledger.db")
    ledger = await open_ledger(database, quota=Quota(max_queued=10_000))   # migrates first
    nodes, leadership, uploads = SqlNodeBook(database), SqlLeadership(database), SqlUploads(database)
    ...
    await database.close()
"""

from __future__ import annotations

from quetzalcore.jobs.sql.instances import SqlInstanceBook
from quetzalcore.jobs.sql.leadership import SqlLeadership
from quetzalcore.jobs.sql.ledger import SqlLedger, open_ledger
from quetzalcore.jobs.sql.nodes import SqlNodeBook
from quetzalcore.jobs.sql.scaling import SqlScalingBook
from quetzalcore.jobs.sql.uploads import SqlUploads

__all__ = [
    "SqlInstanceBook",
    "SqlLeadership",
    "SqlLedger",
    "SqlNodeBook",
    "SqlScalingBook",
    "SqlUploads",
    "open_ledger",
]
