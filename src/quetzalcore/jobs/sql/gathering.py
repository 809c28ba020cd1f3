"""Jobs that many callers ask for at once, read as one question to the database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, select

from quetzalcore.database import Database
from quetzalcore.jobs.model import Artifact, Attempt, Job
from quetzalcore.jobs.sql.database import reading
from quetzalcore.jobs.sql.reading import artifact_from, attempt_from, job_from, missing
from quetzalcore.jobs.sql.tables import attempts, files, jobs

__all__ = ["GatheredReads", "read_jobs"]

_MOST = 64  # jobs in one question, so that the first does not wait for long
_AT_ONCE = 2  # questions under way: a long one does not hold up everybody

_THESE: BindParameter[Any] = bindparam("these", expanding=True)
_JOBS = select(jobs).where(jobs.c.id.in_(_THESE))
_ATTEMPTS_OF = (
    select(attempts)
    .where(attempts.c.job_id.in_(_THESE))
    .order_by(attempts.c.job_id, attempts.c.number)
)
_ARTIFACTS_OF = (
    select(files)
    .where(files.c.job_id.in_(_THESE), files.c.role == "artifact")
    .order_by(files.c.job_id, files.c.name)
)

Asking = asyncio.Future[Job | None]


class GatheredReads:
    """Begins a question after all whom it answers have asked, so nobody is told of a time before.

    While a question is under way, those who come wait for the next: the more callers, the fewer
    statements and changes of thread for each.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: dict[str, list[Asking]] = {}
        self._rounds = 0
        self._tasks: set[asyncio.Task[None]] = set()  # a loop alone would let them be collected

    async def get(self, job_id: str, *, tenant: str = "") -> Job:
        """Give a job whole. ``NotFound``; ``LedgerUnavailable``."""
        asking: Asking = asyncio.get_running_loop().create_future()
        self._asked.setdefault(job_id, []).append(asking)
        if self._rounds < _AT_ONCE:
            self._rounds += 1
            begun = asyncio.create_task(self._answer_all(), name="ledger-gathered-reads")
            self._tasks.add(begun)
            begun.add_done_callback(self._tasks.discard)
        job = await asking
        if job is None or tenant not in {"", job.request.tenant}:
            raise missing(job_id)
        return job

    async def _answer_all(self) -> None:
        try:
            while self._asked:
                await self._answer_some()
        finally:
            self._rounds -= 1  # before anybody can ask who would count on this round

    async def _answer_some(self) -> None:
        some = list(self._asked)[:_MOST]
        asked = {job_id: self._asked.pop(job_id) for job_id in some}
        try:
            found = await reading(self._database, partial(read_jobs, job_ids=some))
        except BaseException as error:
            _fail(asked, error)
            if not isinstance(error, Exception):
                raise
        else:
            _answer(asked, found)


def read_jobs(connection: Connection, job_ids: Sequence[str]) -> dict[str, Job]:
    """Give several jobs whole, those that there are."""
    # Filled up to a power of two: databases remember each number of parameters as a statement.
    filling = [job_ids[-1]] * ((1 << (len(job_ids) - 1).bit_length()) - len(job_ids))
    these = {"these": [*job_ids, *filling]}
    tried: dict[str, list[Attempt]] = {}
    for row in connection.execute(_ATTEMPTS_OF, these):
        tried.setdefault(row.job_id, []).append(attempt_from(row))
    made: dict[str, list[Artifact]] = {}
    for row in connection.execute(_ARTIFACTS_OF, these):
        made.setdefault(row.job_id, []).append(artifact_from(row))
    return {
        row.id: job_from(
            row,
            attempts=tuple(tried.get(row.id, ())),
            artifacts=tuple(made.get(row.id, ())),
            result=row.result,
        )
        for row in connection.execute(_JOBS, these)
    }


def _answer(asked: Mapping[str, list[Asking]], found: Mapping[str, Job]) -> None:
    for job_id, askings in asked.items():
        for asking in askings:
            if not asking.done():
                asking.set_result(found.get(job_id))


def _fail(asked: Mapping[str, list[Asking]], error: BaseException) -> None:
    for askings in asked.values():
        for asking in askings:
            if asking.done():
                continue
            if isinstance(error, Exception):
                asking.set_exception(error)
            else:
                asking.cancel()
