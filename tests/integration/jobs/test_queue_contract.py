"""What every ledger answers about many jobs: tenants, lists, the queue, sums, quotas, forgetting."""

from __future__ import annotations

import asyncio

import pytest
from tests.integration.jobs.books import (
    NOW,
    Books,
    Play,
    failed,
    later,
    made,
    said,
)

from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import (
    Admission,
    DeadAttempt,
    Forgotten,
    JobFilter,
    NotFound,
    QuotaExceeded,
    ReportKind,
    StaleEpoch,
)
from quetzalcore.jobs.model import (
    InputFile,
    JobState,
    Remedy,
    Resources,
)
from quetzalcore.jobs.quota import Quota


def test_a_tenant_sees_nothing_of_another(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit("globex")
        for forbidden in (
            books.ledger.get(job.id, tenant="acme"),
            books.ledger.cancel(job.id, tenant="acme", now=NOW),
            books.ledger.retry(job.id, tenant="acme", now=NOW),
            books.ledger.get("nobody"),
        ):
            with pytest.raises(NotFound):
                await forbidden
        assert (await books.ledger.list(JobFilter(tenant="acme"))).items == ()
        assert (await books.ledger.get(job.id)).state is JobState.QUEUED

    play(scenario)


def test_lists_are_newest_first_filtered_and_paged(play: Play) -> None:
    async def scenario(books: Books) -> None:
        ids = [
            (
                await books.submit(
                    "acme" if i % 2 else "globex",
                    at=i,
                    kind="igrf" if i % 3 else "noop",
                    user="ada" if i % 5 else "bob",
                )
            ).id
            for i in range(30)
        ]
        await books.run(await books.ledger.get(ids[7]))
        await books.ledger.cancel(ids[9], now=NOW)
        seen: list[str] = []
        cursor = ""
        while True:
            page = await books.ledger.list(JobFilter(cursor=cursor, limit=7))
            seen += [job.id for job in page.items]
            if not (cursor := page.next_cursor):
                break
        assert seen == ids[::-1]
        acme = await books.ledger.list(JobFilter(tenant="acme", kind="igrf", user="ada"))
        wanted = [ids[i] for i in range(29, -1, -1) if i % 2 and i % 3 and i % 5]
        assert [job.id for job in acme.items] == wanted
        both = (JobState.SUCCEEDED, JobState.CANCELLED)
        ended = await books.ledger.list(JobFilter(tenant="acme", states=both))
        assert [job.id for job in ended.items] == [ids[9], ids[7]]
        exact = await books.ledger.list(JobFilter(tenant="acme", limit=15))
        assert (len(exact.items), exact.next_cursor) == (15, "")
        (one,) = (await books.ledger.list(JobFilter(states=(JobState.SUCCEEDED,)))).items
        assert (one.result, one.attempts, one.artifacts) == (None, (), ())
        assert (await books.ledger.list(JobFilter(kind="igrf", limit=2))).next_cursor

    play(scenario)


def test_the_queue_is_by_priority_then_age_and_hides_no_tenant(play: Play) -> None:
    async def scenario(books: Books) -> None:
        loud = [(await books.submit("loud", at=i)).id for i in range(6)]
        urgent = (await books.submit("loud", at=7, priority=5)).id
        quiet = [(await books.submit("quiet", at=8 + i)).id for i in range(2)]
        shy = (await books.submit("shy", at=20)).id
        everything = [waiting.job_id for waiting in await books.ledger.waiting(limit=100)]
        assert everything == [urgent, *loud, *quiet, shy]
        head = [waiting.job_id for waiting in await books.ledger.waiting(limit=3)]
        assert head == [urgent, loud[0], loud[1], quiet[0], shy]

    play(scenario)


def test_sums_and_counts_follow_every_change(play: Play) -> None:
    async def scenario(books: Books) -> None:
        jobs = [await books.submit(at=i) for i in range(5)]
        await books.submit("globex", at=9)
        begun = await books.admit(jobs[0].id, jobs[1].id, jobs[2].id)
        await books.report(begun[0], ReportKind.STARTED)
        await books.report(begun[1], ReportKind.SUCCEEDED, artifacts=(made(begun[1], size=50),))
        await books.ledger.cancel(jobs[3].id, now=NOW)
        counts = await books.ledger.counts()
        assert counts.by_state == {
            JobState.QUEUED: 2,
            JobState.STARTING: 1,
            JobState.RUNNING: 1,
            JobState.CANCELLING: 0,
            JobState.SUCCEEDED: 1,
            JobState.FAILED: 0,
            JobState.CANCELLED: 1,
        }
        assert counts.oldest_queued_at == later(4)
        acme, globex = await books.ledger.loads()
        assert (acme.tenant, acme.queued, acme.running, acme.cpus, acme.artifact_bytes) == (
            "acme",
            1,
            2,
            2.0,
            50,
        )
        assert (globex.queued, globex.running) == (1, 0)

    play(scenario)


def test_only_queued_jobs_are_admitted(play: Play) -> None:
    async def scenario(books: Books) -> None:
        jobs = [await books.submit() for _ in range(3)]
        await books.ledger.cancel(jobs[1].id, now=NOW)
        begun = await books.admit(*(job.id for job in jobs), "nobody")
        assert [job.id for job in begun] == [jobs[0].id, jobs[2].id]
        assert await books.admit(jobs[0].id) == []
        twice = [
            Admission(
                job_id=jobs[0].id,
                attempt_id=new_id(NOW),
                node="n2",
                resources=Resources(),
                lease_until=later(9),
            )
        ]
        assert await books.ledger.admit(twice * 2, epoch=books.epoch, now=NOW) == ()

    play(scenario)


def test_a_job_that_fits_nowhere_is_rejected_with_the_reason(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit()
        reason = failed("does_not_fit", Remedy.USER)
        await books.ledger.reject(job.id, reason, epoch=books.epoch, now=later(1))
        ended = await books.ledger.get(job.id)
        assert (ended.state, ended.failure, ended.finished_at) == (
            JobState.FAILED,
            reason,
            later(1),
        )
        await books.ledger.reject(job.id, failed("other"), epoch=books.epoch, now=later(2))
        assert (await books.ledger.get(job.id)).failure == reason

    play(scenario)


def test_the_writes_of_a_master_that_leads_no_more_are_refused(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit()
        (begun,) = await books.admit(job.id)
        await books.leadership.release("m1")
        epoch = await books.leadership.acquire("m2", lease_s=10, now=NOW)
        assert epoch is not None
        assert epoch > books.epoch
        for refused in (
            books.ledger.admit([], epoch=books.epoch, now=NOW),
            books.report(begun, ReportKind.SUCCEEDED, result={}),
            books.ledger.expire(epoch=books.epoch, now=later(1e6)),
            books.ledger.reject(job.id, failed(), epoch=books.epoch, now=NOW),
            books.ledger.forget(before=NOW, limit=1, epoch=books.epoch),
            books.ledger.swept(["a"], epoch=books.epoch),
            books.nodes.put([], epoch=books.epoch),
            books.ledger.admit([], epoch=epoch + 1, now=NOW),
        ):
            with pytest.raises(StaleEpoch):
                await refused
        assert (await books.ledger.get(job.id)).state is JobState.STARTING
        ended = [said(begun, ReportKind.SUCCEEDED, result={})]
        assert await books.ledger.record(ended, epoch=epoch) == ()

    play(scenario)


def test_quotas_hold_the_queue_and_the_store(play: Play) -> None:
    async def scenario(books: Books) -> None:
        first = await books.submit()
        await books.submit()
        with pytest.raises(QuotaExceeded):
            await books.submit()
        assert (await books.ledger.counts()).by_state[JobState.QUEUED] == 2
        await books.submit("globex")
        (begun,) = await books.admit(first.id)
        await books.report(begun, ReportKind.SUCCEEDED, artifacts=(made(begun, size=100),))
        with pytest.raises(QuotaExceeded):
            await books.submit()

    play(scenario, quota=Quota(max_queued=2, max_artifact_bytes=100))


def test_old_jobs_are_forgotten_and_their_files_when_nothing_refers_to_them(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit(reuse_key="r")
        (begun,) = await books.admit(job.id)
        shared, grid = made(begun, "shared.tif"), made(begun, "grid.tif", 5)
        await books.report(begun, ReportKind.SUCCEEDED, artifacts=(shared, grid))
        again = await books.submit(reuse_key="r", at=100)
        reader = await books.submit(
            at=101, inputs=(InputFile(name="g", key=grid.key, size=5, sha256=""),)
        )
        forget = books.ledger.forget
        first = await forget(before=later(50), limit=10, epoch=books.epoch)
        assert first == Forgotten(jobs=1, keys=())
        with pytest.raises(NotFound):
            await books.ledger.get(job.id)
        assert await books.ledger.events(job.id) == ()
        assert (await books.ledger.get(again.id)).artifacts == (grid, shared)
        dropped = await forget(before=later(101), limit=10, epoch=books.epoch)
        assert dropped == Forgotten(jobs=1, keys=(shared.key,))
        await books.ledger.cancel(reader.id, now=later(102))
        dropped = await forget(before=later(103), limit=10, epoch=books.epoch)
        assert dropped == Forgotten(jobs=1, keys=(grid.key,))
        dropped = await forget(before=later(103), limit=10, epoch=books.epoch)
        assert dropped == Forgotten(jobs=0, keys=())
        (load,) = await books.ledger.loads() or (None,)
        assert load is None or load.artifact_bytes == 0
        assert sum((await books.ledger.counts()).by_state.values()) == 0

    play(scenario)


def test_files_that_a_dead_leader_was_given_are_given_to_the_next(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit()
        (begun,) = await books.admit(job.id)
        await books.report(begun, ReportKind.SUCCEEDED, artifacts=(made(begun),))
        given = await books.ledger.forget(before=later(50), limit=10, epoch=books.epoch)
        assert given == Forgotten(jobs=1, keys=(made(begun).key,))
        await books.leadership.release("m1")
        epoch = await books.leadership.acquire("m2", lease_s=10, now=NOW)
        assert epoch is not None
        again = await books.ledger.forget(before=later(50), limit=10, epoch=epoch)
        assert again == Forgotten(jobs=0, keys=given.keys)
        last = await books.ledger.forget(before=later(50), limit=10, epoch=epoch)
        assert last == Forgotten(jobs=0, keys=())

    play(scenario)


def test_attempts_without_success_are_known_until_they_are_swept(play: Play) -> None:
    async def scenario(books: Books) -> None:
        failing, good, cancelled, lost = [await books.submit() for _ in range(4)]
        ended = []
        (begun,) = await books.admit(failing.id, at=1)
        await books.report(begun, ReportKind.FAILED, at=2, failure=failed())
        ended.append(begun)
        await books.run(good, at=3, artifacts=())
        (begun,) = await books.admit(cancelled.id, at=4)
        await books.ledger.cancel(cancelled.id, now=later(5))
        await books.report(begun, ReportKind.SUCCEEDED, at=6, result={}, artifacts=(made(begun),))
        ended.append(begun)
        (begun,) = await books.admit(lost.id, at=7, lease_s=3)
        await books.ledger.expire(epoch=books.epoch, now=later(11))
        ended.append(begun)
        await books.admit(failing.id, at=12)  # live: not to be swept
        unswept = books.ledger.unswept
        wanted = [
            DeadAttempt(attempt_id=job.attempts[-1].id, job_id=job.id, tenant="acme")
            for job in ended
        ]
        assert await unswept(before=later(2), limit=9) == ()
        assert list(await unswept(before=later(100), limit=9)) == wanted
        assert list(await unswept(before=later(100), limit=2)) == wanted[:2]
        assert list(await unswept(before=later(11), limit=9)) == wanted[:2]
        await books.ledger.forget(before=later(50), limit=9, epoch=books.epoch)
        assert list(await unswept(before=later(100), limit=9)) == wanted  # though jobs are gone
        await books.ledger.swept([wanted[0].attempt_id, "nobody"], epoch=books.epoch)
        assert list(await unswept(before=later(100), limit=9)) == wanted[1:]

    play(scenario)


def test_who_waits_for_a_change_is_woken_and_misses_none(play: Play) -> None:
    async def scenario(books: Books) -> None:
        async with asyncio.timeout(20):
            seen = -1
            while (now := await books.ledger.changed(timeout_s=0.2, seen=seen)) != seen:
                seen = now  # a listener that has just connected wakes everybody once
            waiter = asyncio.create_task(books.ledger.changed(timeout_s=15, seen=seen))
            await asyncio.sleep(0.05)
            assert not waiter.done()
            await books.submit()
            woken = await waiter
            assert woken != seen
            await books.submit()  # between two waits
            assert await books.ledger.changed(timeout_s=15, seen=woken) != woken
        assert await books.ledger.changed(timeout_s=0.01) >= woken

    play(scenario)
