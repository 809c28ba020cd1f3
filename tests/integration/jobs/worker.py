"""One process of several that use a ledger at once: ``python -m tests.integration.jobs.worker URL ROLE COUNT``.

It prints each id once the ledger has accepted what it did.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sys

from tests.integration.jobs.books import NOW, ask, later, said

from quetzalcore.database import open_database
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import Admission, ReportKind
from quetzalcore.jobs.sql import SqlLedger, open_ledger

_EPOCH = 1  # both masters believe to lead, so that only the ledger keeps them apart


async def main(url: str, role: str, count: int) -> None:
    """Play a role until it has done its count."""
    database = await open_database(url)
    try:
        ledger = await open_ledger(database)
        await {"submit": _submit, "submit-alone": _submit_alone, "master": _master}[role](
            ledger, count
        )
    finally:
        await database.close()


async def _submit(ledger: SqlLedger, count: int) -> None:
    for start in range(0, count, 10):
        requests = (ask(params={"i": i}) for i in range(start, start + 10))
        for job, _ in await asyncio.gather(*(ledger.submit(r, now=NOW) for r in requests)):
            print(job.id, flush=True)  # noqa: T201 -- what the test reads


async def _submit_alone(ledger: SqlLedger, count: int) -> None:
    """Everybody submits the same request under the same key."""
    for i in range(count):
        job, new = await ledger.submit(ask(idempotency_key=f"k{i}"), now=NOW)
        print(job.id, "new" if new else "old", flush=True)  # noqa: T201 -- what the test reads


async def _master(ledger: SqlLedger, count: int) -> None:
    seen = await ledger.changed(timeout_s=0)
    deadline = asyncio.get_running_loop().time() + 40
    while asyncio.get_running_loop().time() < deadline:
        counts = (await ledger.counts()).by_state
        if counts["succeeded"] >= count:  # type: ignore[index]  # a JobState is its text
            return
        admissions = [
            Admission(
                job_id=waiting.job_id,
                attempt_id=new_id(dt.datetime.now(dt.UTC)),
                node="n",
                resources=waiting.resources,
                lease_until=later(100),
            )
            for waiting in await ledger.waiting(limit=20)
        ]
        jobs = await ledger.admit(admissions, epoch=_EPOCH, now=NOW)
        ends = [said(job, ReportKind.SUCCEEDED, result={}) for job in jobs]
        if ends and await ledger.record(ends, epoch=_EPOCH):
            raise SystemExit("an attempt that this master began was not live any more")
        for job in jobs:
            print(job.id, job.attempts[-1].id, flush=True)  # noqa: T201 -- what the test reads
        if not jobs:
            seen = await ledger.changed(timeout_s=0.5, seen=seen)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
