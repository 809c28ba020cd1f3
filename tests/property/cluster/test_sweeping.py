"""Whatever happens to jobs and attempts, cleaning up deletes all that is dead and nothing else."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from hypothesis import event, given
from hypothesis import strategies as st

from quetzalcore.cluster.janitor import Janitor, JanitorConfig
from quetzalcore.cluster.master_config import MasterConfig
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import Admission, Conflict, NotFound, Report, ReportKind
from quetzalcore.jobs.memory import MemoryLedger
from quetzalcore.jobs.memory_books import MemoryLeadership
from quetzalcore.jobs.model import (
    Artifact,
    Failure,
    InputFile,
    Job,
    JobRequest,
    JobState,
    Remedy,
    Resources,
)
from quetzalcore.jobs.stores import MemoryStore

T = TypeVar("T")

LEASE = dt.timedelta(seconds=30)
LINK = dt.timedelta(seconds=MasterConfig().link_s)
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

deeds = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *(
                    "submit",
                    "reuse",
                    "read",
                    "admit",
                    "admit",
                    "admit",
                    "put",
                    "put",
                    "late put",
                    "late put",
                ),
                *("succeed", "succeed", "fail", "mistake", "cancel", "confirm", "retry"),
                *("seconds", "minutes", "hours", "months", *3 * ["clean"]),
            ]
        ),
        st.integers(0, 5),
    ),
    min_size=30,
    max_size=90,
)


@dataclass
class _Attempt:
    """What a node remembers of an attempt, whatever the ledger says of it."""

    id: str
    job_id: str
    seen_live_at: dt.datetime
    files: list[str] = field(default_factory=list)
    succeeded: bool = False

    @property
    def prefix(self) -> str:
        return f"tenants/t/jobs/{self.job_id}/{self.id}"


class _World:
    """A ledger, a store and a clock; nodes that put files while their links work, dead or not."""

    def __init__(self) -> None:
        self.now = START
        self.leadership = MemoryLeadership()
        self.ledger = MemoryLedger(self.leadership)
        self.store = MemoryStore()
        self.janitor = Janitor(self.ledger, self.store, JanitorConfig(), clock=lambda: self.now)
        self.job_ids: list[str] = []
        self.attempts: list[_Attempt] = []

    async def known(self) -> list[Job]:
        found = []
        for job_id in self.job_ids:
            with suppress(NotFound):  # forgotten
                found.append(await self.ledger.get(job_id))
        return found

    async def live(self) -> Mapping[str, Job]:
        return {job.attempts[-1].id: job for job in await self.ledger.live()}

    async def do(self, deed: str, number: int) -> None:
        self.now += dt.timedelta(seconds=1)
        if deed in _SPANS:
            await self.wait(_SPANS[deed])
        elif deed in _ENDINGS:
            await self.end(deed, number)
        else:
            others: dict[str, Callable[[], Awaitable[None]]] = {
                "submit": self.submit,
                "reuse": partial(self.submit, reuse_key="same"),
                "read": partial(self.read, number),
                "admit": partial(self.admit, number),
                "put": partial(self.put, number, late=False),
                "late put": partial(self.put, number, late=True),
                "cancel": partial(self.cancel, number),
                "retry": partial(self.retry, number),
                "clean": partial(self.janitor.clean, 1),
            }
            await others[deed]()

    async def submit(self, *inputs: InputFile, reuse_key: str = "") -> None:
        request = JobRequest(
            tenant="t",
            user="u",
            kind="k",
            kind_version="1",
            run="x:y",
            inputs=inputs,
            reuse_key=reuse_key,
        )
        job, _ = await self.ledger.submit(request, now=self.now)
        self.job_ids.append(job.id)

    async def read(self, number: int) -> None:
        """Submit a job that reads what another has made."""
        made = [artifact for job in await self.known() for artifact in job.artifacts]
        for file in _one(made, number):
            await self.submit(InputFile(name="in", key=file.key, size=file.size, sha256=""))

    async def admit(self, number: int) -> None:
        queued = [job for job in await self.known() if job.state is JobState.QUEUED]
        for job in _one(queued, number):
            await self.begin(job.id)

    async def begin(self, job_id: str) -> None:
        attempt = _Attempt(id=new_id(), job_id=job_id, seen_live_at=self.now)
        order = Admission(
            job_id=job_id,
            attempt_id=attempt.id,
            node="n",
            resources=Resources(),
            lease_until=self.now + LEASE,
        )
        await self.ledger.admit([order], epoch=1, now=self.now)
        self.attempts.append(attempt)

    async def put(self, number: int, *, late: bool) -> None:
        """Put a file of a live attempt, or of a dead one whose link works still."""
        live = await self.live()
        may = [
            attempt
            for attempt in self.attempts
            if (attempt.id not in live) is late
            and not attempt.succeeded
            and self.now - attempt.seen_live_at <= LINK
        ]
        for attempt in _one(may, number):
            attempt.files.append(f"{attempt.prefix}/{len(attempt.files)}.tif")
            await self.store.put(attempt.files[-1], _bytes())
            event("put late" if late else "put")

    async def end(self, deed: str, number: int) -> None:
        live = await self.live()
        here = [attempt for attempt in self.attempts if attempt.id in live]
        for attempt in _one(here, number):
            cancelling = live[attempt.id].state is JobState.CANCELLING
            if deed == "confirm" and not cancelling:
                return
            attempt.succeeded = deed == "succeed" and not cancelling
            await self.ledger.record([self.report(attempt, deed)], epoch=1)
            event(deed)

    def report(self, attempt: _Attempt, deed: str) -> Report:
        remedy = Remedy.USER if deed == "mistake" else Remedy.RETRY
        plain = Report(
            attempt_id=attempt.id, job_id=attempt.job_id, kind=_ENDINGS[deed], at=self.now
        )
        if deed != "succeed":
            return replace(plain, failure=Failure(code="c", title="t", detail="d", remedy=remedy))
        made = (
            Artifact(name=key.rpartition("/")[2], key=key, size=1, sha256="")
            for key in attempt.files
        )
        return replace(plain, result={}, artifacts=tuple(made))

    async def cancel(self, number: int) -> None:
        for job in _one(await self.known(), number):
            await self.ledger.cancel(job.id, now=self.now)

    async def retry(self, number: int) -> None:
        for job in _one(await self.known(), number):
            with suppress(Conflict):
                await self.ledger.retry(job.id, stage="gridding", now=self.now)

    async def wait(self, span: dt.timedelta) -> None:
        """Let time pass; a node that nobody renews ends, and its master sees it."""
        for attempt in self.attempts:
            if attempt.id in await self.live():
                attempt.seen_live_at = self.now
        self.now += span
        await self.ledger.expire(epoch=1, now=self.now)

    async def stored(self) -> set[str]:
        return {file.key async for file in self.store.list("")}

    async def wanted(self) -> set[str]:
        """Give the files that somebody refers to, or may yet."""
        live = await self.live()
        running = {key for one in self.attempts if one.id in live for key in one.files}
        jobs = await self.known()
        made = {artifact.key for job in jobs for artifact in job.artifacts}
        return running | made | {file.key for job in jobs for file in job.request.inputs}


_SPANS = {
    "seconds": dt.timedelta(seconds=20),
    "minutes": dt.timedelta(minutes=40),
    "hours": dt.timedelta(hours=7),
    "months": dt.timedelta(days=100),
}
_ENDINGS = {
    "succeed": ReportKind.SUCCEEDED,
    "fail": ReportKind.FAILED,
    "mistake": ReportKind.FAILED,
    "confirm": ReportKind.CANCELLED,
}


def _one(items: Sequence[T], number: int) -> Sequence[T]:
    """Give one of them, or none where there is none."""
    return items[number % len(items) :][:1] if items else ()


async def _bytes() -> AsyncIterator[bytes]:
    yield b"x"


@given(deeds)
def test_nothing_that_is_wanted_goes_and_nothing_that_is_dead_stays(story) -> None:
    async def play() -> None:
        world = _World()
        await world.leadership.acquire("me", lease_s=10**9, now=START)
        for deed, number in story:
            await world.do(deed, number)
            missing = await world.wanted() - await world.stored()
            assert not missing, deed
        await world.wait(2 * LEASE)  # what runs is not renewed any more
        await world.wait(dt.timedelta(hours=7))
        await world.janitor.clean(1)
        assert await world.stored() == await world.wanted()

    asyncio.run(play())
