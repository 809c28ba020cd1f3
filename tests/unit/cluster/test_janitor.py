"""What is kept no longer is deleted, and nothing else."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

import pytest

from quetzalcore.cluster.janitor import Janitor, JanitorConfig
from quetzalcore.cluster.master_config import MasterConfig
from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.ledger import Admission, NotFound, Report, ReportKind
from quetzalcore.jobs.memory import MemoryLedger
from quetzalcore.jobs.memory_books import MemoryLeadership, MemoryUploads
from quetzalcore.jobs.model import Artifact, JobRequest, Resources
from quetzalcore.jobs.stores import FolderStore, MemoryStore, StoreUnavailable
from quetzalcore.jobs.upload_parts import final_key, part_key, parts_prefix
from quetzalcore.jobs.uploads import Upload

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


async def _bytes() -> AsyncIterator[bytes]:
    yield b"x"


async def _finished_job(ledger: MemoryLedger, store: MemoryStore, now: dt.datetime) -> str:
    request = JobRequest(tenant="t", user="u", kind="k", kind_version="1", run="x:y")
    job, _ = await ledger.submit(request, now=now)
    attempt, key = f"a{now}", f"tenants/t/jobs/{job.id}/a/out"
    await ledger.admit(
        [
            Admission(
                job_id=job.id, attempt_id=attempt, node="n", resources=Resources(), lease_until=now
            )
        ],
        epoch=1,
        now=now,
    )
    await store.put(key, _bytes())
    await ledger.record(
        [
            Report(
                attempt_id=attempt,
                job_id=job.id,
                kind=ReportKind.SUCCEEDED,
                at=now,
                result={},
                artifacts=(Artifact(name="out", key=key, size=1, sha256="0" * 64),),
            )
        ],
        epoch=1,
    )
    return key


async def _leading() -> MemoryLedger:
    leadership = MemoryLeadership()
    await leadership.acquire("me", lease_s=10**9, now=START)
    return MemoryLedger(leadership)


async def _upload(
    uploads: MemoryUploads, store: ArtifactStore, *, day: int, complete: bool
) -> tuple[Upload, set[str]]:
    """Upload two bytes in two parts; give the keys that are kept of it."""
    at = START + dt.timedelta(days=day)
    upload = await uploads.create(tenant="t", user="u", filename="f", declared_size=2, now=at)
    key = final_key("t", upload.id)
    if complete:
        await store.put(key, _bytes())
        await uploads.finish(upload.id, tenant="t", sha256="0", key=key, now=at)
        return upload, {key}
    prefix = parts_prefix("t", upload.id)
    parts = {part_key(prefix, start=start, tag=tag) for start, tag in ((0, "a"), (1, "b"))}
    stray = part_key(prefix, start=0, tag="c")  # its request died before it could say so
    for part in (*parts, stray):
        await store.put(part, _bytes())
    await uploads.advance(upload.id, tenant="t", offset=0, received=2, now=at)
    return upload, {*parts, stray}


def test_old_jobs_go_and_young_ones_stay() -> None:
    async def scenario() -> None:
        ledger, store = await _leading(), MemoryStore()
        await _finished_job(ledger, store, START)
        young = await _finished_job(ledger, store, START + dt.timedelta(days=80))
        janitor = Janitor(
            ledger, store, JanitorConfig(), clock=lambda: START + dt.timedelta(days=100)
        )
        await janitor.clean(1)
        assert {file.key async for file in store.list("tenants")} == {young}

    asyncio.run(scenario())


@pytest.mark.parametrize("stores", ["memory", "folder"])
@pytest.mark.parametrize("complete", [True, False])
def test_an_upload_that_nobody_used_goes_with_every_byte_and_a_young_one_stays(
    tmp_path, stores, complete
) -> None:
    async def scenario() -> None:
        store: ArtifactStore = MemoryStore() if stores == "memory" else FolderStore(tmp_path)
        uploads = MemoryUploads(lambda _key: False)
        old, _ = await _upload(uploads, store, day=0, complete=complete)
        _, kept = await _upload(uploads, store, day=99, complete=complete)
        janitor = Janitor(
            await _leading(),
            store,
            JanitorConfig(),
            clock=lambda: START + dt.timedelta(days=100),
            uploads=uploads,
        )
        await janitor.clean(1)
        assert {file.key async for file in store.list("tenants")} == kept
        with pytest.raises(NotFound):
            await uploads.get(old.id, tenant="t")

    asyncio.run(scenario())


def test_the_bytes_of_an_upload_whose_completion_was_never_noted_go_too() -> None:
    async def scenario() -> None:
        store, uploads = MemoryStore(), MemoryUploads(lambda _key: False)
        old, _ = await _upload(uploads, store, day=0, complete=False)
        await store.put(final_key("t", old.id), _bytes())
        janitor = Janitor(
            await _leading(),
            store,
            JanitorConfig(),
            clock=lambda: START + dt.timedelta(days=100),
            uploads=uploads,
        )
        await janitor.clean(1)
        assert [file async for file in store.list("tenants")] == []

    asyncio.run(scenario())


def test_more_unused_uploads_than_one_batch_go_in_one_round() -> None:
    async def scenario() -> None:
        store, uploads = MemoryStore(), MemoryUploads(lambda _key: False)
        for _ in range(7):
            await _upload(uploads, store, day=0, complete=True)
        janitor = Janitor(
            await _leading(),
            store,
            JanitorConfig(batch=3),
            clock=lambda: START + dt.timedelta(days=100),
            uploads=uploads,
        )
        await janitor.clean(1)
        assert [file async for file in store.list("tenants")] == []
        assert await uploads.abandoned(before=START + dt.timedelta(days=100), limit=9) == ()

    asyncio.run(scenario())


def test_old_jobs_without_files_go_all_at_once_however_many_there_are() -> None:
    async def scenario() -> None:
        ledger = await _leading()
        for second in range(7):
            now = START + dt.timedelta(seconds=second)
            request = JobRequest(tenant="t", user="u", kind="k", kind_version="1", run="x:y")
            job, _ = await ledger.submit(request, now=now)
            await ledger.cancel(job.id, now=now)
        janitor = Janitor(
            ledger,
            MemoryStore(),
            JanitorConfig(batch=2),
            clock=lambda: START + dt.timedelta(days=100),
        )
        await janitor.clean(1)
        assert sum((await ledger.counts()).by_state.values()) == 0

    asyncio.run(scenario())


class _Shaky(MemoryStore):
    """A store that fails at the next deletions."""

    failures = 0

    async def delete(self, key: str) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("it does not answer")
        await super().delete(key)


def test_files_that_could_not_be_deleted_are_deleted_the_next_time() -> None:
    async def scenario() -> None:
        ledger, store = await _leading(), _Shaky()
        for second in range(3):
            await _finished_job(ledger, store, START + dt.timedelta(seconds=second))
        janitor = Janitor(
            ledger, store, JanitorConfig(), clock=lambda: START + dt.timedelta(days=100)
        )
        store.failures = 2
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await janitor.clean(1)
        await janitor.clean(1)
        assert [file async for file in store.list("tenants")] == []

    asyncio.run(scenario())


def test_the_files_of_a_dead_attempt_outlive_every_link_to_them() -> None:
    assert JanitorConfig().dead > 5 * dt.timedelta(seconds=MasterConfig().link_s)
