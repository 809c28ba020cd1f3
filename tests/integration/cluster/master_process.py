"""A master as a process of its own, for tests that kill it: ``python master_process.py FOLDER``."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import sys
from pathlib import Path

from quetzalcore.cluster.admission import AdmissionConfig
from quetzalcore.cluster.composition import make_master
from quetzalcore.cluster.engines.local import LocalEngine
from quetzalcore.cluster.host import HostSettings
from quetzalcore.cluster.term import MasterConfig
from quetzalcore.database import open_database
from quetzalcore.jobs.sql import SqlLeadership, SqlNodeBook, open_ledger
from quetzalcore.jobs.stores import open_store

LEASE_S = 6.0


def settings_in(folder: Path) -> HostSettings:
    """Give this host's settings: four slots without walls."""
    return HostSettings(
        node_id="here",
        folder=folder / "agent",
        runtime="process",
        cpus=4,
        memory_mib=4096,
        warm_bare=1,
        warm_numeric=0,
        silence_s=20,
    )


def now() -> dt.datetime:
    """Give the time."""
    return dt.datetime.now(dt.UTC)


async def run(folder: Path) -> None:
    """Run a master on the folder's ledger until killed."""
    database = await open_database(f"sqlite:///{folder}/ledger.db")
    master = make_master(
        ledger=await open_ledger(database),
        nodes=SqlNodeBook(database),
        leadership=SqlLeadership(database),
        store=open_store((folder / "artifacts").as_uri()),
        engine=LocalEngine(settings_in(folder)),
        clock=now,
        config=MasterConfig(admission=AdmissionConfig(owners=frozenset("*")), lease_s=LEASE_S),
    )
    await master.run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(run(Path(sys.argv[1])))
