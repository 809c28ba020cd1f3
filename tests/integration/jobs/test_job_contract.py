"""What every ledger promises of a job's life: the same tests for memory, SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import pytest
from tests.integration.jobs.books import (
    NOW,
    USED,
    Books,
    Play,
    ask,
    failed,
    later,
    made,
    said,
)

from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import (
    Admission,
    Conflict,
    DeadAttempt,
    Forgotten,
    JobFilter,
    NotFound,
    QuotaExceeded,
    ReportKind,
    StaleEpoch,
)
from quetzalcore.jobs.model import (
    AttemptState,
    EventType,
    InputFile,
    JobRequest,
    JobState,
    Progress,
    Remedy,
    Resources,
)
from quetzalcore.jobs.quota import Quota


def test_a_job_is_kept_as_it_was_asked_for(play: Play) -> None:
    request = ask(
        params={"depth_m": [1.5, None], "name": "café \x00 \ud83d"},
        inputs=(InputFile(name="s.csv", key="tenants/acme/uploads/u", size=9, sha256="ab"),),
        resources=Resources(cpus=2.5, memory_mib=1024, vgpus=1, scratch_mib=64),
        tier="numeric",
        forkable=True,
        priority=7,
        wall_s=12.5,
        max_attempts=2,
        idempotency_key="k",
        reuse_key="r",
        request_id="req",
        assumed=("name",),
    )

    async def scenario(books: Books) -> None:
        job, new = await books.ledger.submit(request, now=NOW)
        assert new
        kept = await books.ledger.get(job.id, tenant="acme")
        assert kept == job
        assert kept.request == request
        assert (kept.state, kept.submitted_at, kept.cached) == (JobState.QUEUED, NOW, False)

    play(scenario)


def test_a_job_runs_from_submit_to_result(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit()
        (begun,) = await books.admit(job.id, at=1)
        assert begun.state is JobState.STARTING
        assert begun.request == job.request
        assert begun.attempts[0].state is AttemptState.STARTING
        assert not await books.report(begun, ReportKind.STARTED, at=2, lease_until=later(60))
        assert (await books.ledger.get(job.id)).state is JobState.RUNNING
        progress = Progress(stage="gridding", fraction=0.5, message="half")
        await books.report(begun, ReportKind.PROGRESS, at=3, data=asdict(progress))
        assert (await books.ledger.get(job.id)).progress == progress
        await books.report(begun, ReportKind.LOG, at=3, data={"level": "info", "text": "hello"})
        artifacts = (made(begun, "a.tif"), made(begun, "b/c.tif", 5))
        await books.report(
            begun,
            ReportKind.SUCCEEDED,
            at=4,
            result={"n": 1},
            artifacts=artifacts,
            used=USED,
        )
        done = await books.ledger.get(job.id)
        assert (done.state, done.result, done.artifacts) == (
            JobState.SUCCEEDED,
            {"n": 1},
            artifacts,
        )
        assert (done.started_at, done.finished_at) == (later(2), later(4))
        (attempt,) = done.attempts
        assert attempt.state is AttemptState.SUCCEEDED
        assert attempt.used == USED
        assert attempt.lease_until == later(60)
        assert (attempt.number, attempt.node, attempt.finished_at) == (1, "n1", later(4))
        assert not await books.ledger.live()

    play(scenario)


def test_the_story_of_a_job_is_told_in_order_and_can_be_resumed(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit()
        (begun,) = await books.admit(job.id)
        log = {"level": "info", "text": "hello"}
        progress = {"stage": "s", "fraction": 0.5, "message": ""}
        await books.ledger.record(
            [
                said(begun, ReportKind.STARTED),
                said(begun, ReportKind.LOG, data=log),
                said(begun, ReportKind.PROGRESS, data=progress),
                said(begun, ReportKind.SUCCEEDED, at=2, result={"n": 1}),
            ],
            epoch=books.epoch,
        )
        events = await books.ledger.events(job.id)
        told = [(event.type.value, event.data.get("state")) for event in events]
        assert told == [
            ("state", "queued"),
            ("state", "starting"),
            ("state", "running"),
            ("log", None),
            ("progress", None),
            ("result", None),
            ("state", "succeeded"),
        ]
        assert [event.sequence for event in events] == sorted({e.sequence for e in events})
        assert events[3].data == log
        assert events[5].data == {"result": {"n": 1}, "cached": False}
        assert events[6].at == later(2)
        rest = await books.ledger.events(job.id, after=events[4].sequence)
        assert rest == events[5:]
        assert await books.ledger.events(job.id, limit=2) == events[:2]
        logs = await books.ledger.events(job.id, types=(EventType.LOG,))
        assert [event.data for event in logs] == [log]
        assert await books.ledger.events("nobody") == ()

    play(scenario)


def test_a_late_ending_of_a_lost_attempt_changes_nothing(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit()
        (first,) = await books.admit(job.id, lease_s=10)
        await books.report(first, ReportKind.STARTED)
        assert await books.ledger.expire(epoch=books.epoch, now=later(9)) == ()
        lost = await books.ledger.expire(epoch=books.epoch, now=later(10))
        assert lost == (first.attempts[0].id,)
        waiting = await books.ledger.get(job.id)
        assert (waiting.state, waiting.started_at) == (JobState.QUEUED, None)
        (second,) = await books.admit(job.id, at=11)
        late = await books.report(first, ReportKind.SUCCEEDED, at=12, result={"from": "first"})
        assert late == lost
        await books.report(second, ReportKind.SUCCEEDED, at=13, result={"from": "second"})
        done = await books.ledger.get(job.id)
        assert done.result == {"from": "second"}
        assert [a.state for a in done.attempts] == [AttemptState.LOST, AttemptState.SUCCEEDED]
        assert await books.report(second, ReportKind.SUCCEEDED, at=14, result={}) != ()
        assert (await books.ledger.get(job.id)) == done

    play(scenario)


def test_a_renewed_lease_is_not_lost(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit()
        (begun,) = await books.admit(job.id, lease_s=10)
        await books.report(begun, ReportKind.ALIVE, at=9, lease_until=later(40))
        assert await books.ledger.expire(epoch=books.epoch, now=later(39)) == ()
        (alive,) = await books.ledger.live()
        assert alive.attempts[0].lease_until == later(40)
        assert len(alive.attempts) == 1

    play(scenario)


def test_a_failure_is_tried_again_until_the_attempts_are_used_up(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit(max_attempts=2)
        for number in (1, 2):
            (begun,) = await books.admit(job.id)
            assert begun.attempts[0].number == number
            await books.report(begun, ReportKind.FAILED, failure=failed(), used=USED)
        ended = await books.ledger.get(job.id)
        assert (ended.state, ended.failure) == (JobState.FAILED, failed())
        assert [attempt.failure for attempt in ended.attempts] == [failed(), failed()]
        assert ended.attempts[0].used == USED

    play(scenario)


def test_a_users_mistake_ends_the_job_at_once(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit()
        (begun,) = await books.admit(job.id)
        mistake = failed("bad_table", Remedy.USER)
        await books.report(begun, ReportKind.FAILED, failure=mistake)
        assert (await books.ledger.get(job.id)).failure == mistake
        (last,) = (await books.ledger.events(job.id))[-1:]
        assert last.data["state"] == "failed"
        assert last.data["error"]["code"] == "bad_table"

    play(scenario)


def test_memory_is_doubled_once(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit(resources=Resources(memory_mib=300))
        for expected in (300, 600):
            (waiting,) = await books.ledger.waiting(limit=5)
            assert waiting.resources.memory_mib == expected
            (begun,) = await books.admit(job.id)
            await books.report(begun, ReportKind.FAILED, failure=failed("out_of_memory"))
        assert (await books.ledger.get(job.id)).state is JobState.FAILED

    play(scenario)


def test_an_idempotency_key_gives_the_first_job_again(play: Play) -> None:
    async def scenario(books: Books) -> None:
        file = InputFile(name="s", key="tenants/acme/uploads/1", size=1, sha256="aa")
        again = InputFile(name="s", key="tenants/acme/uploads/2", size=1, sha256="aa")
        first = await books.submit(idempotency_key="k", inputs=(file,), request_id="r1")
        request = ask(idempotency_key="k", inputs=(again,), request_id="r2")
        job, new = await books.ledger.submit(request, now=later(5))
        assert (job.id, new) == (first.id, False)
        with pytest.raises(Conflict):
            await books.submit(idempotency_key="k", params={"other": 1})
        assert (await books.submit("globex", idempotency_key="k")).id != first.id
        assert (await books.ledger.counts()).by_state[JobState.QUEUED] == 2

    play(scenario)


def test_a_repeated_call_may_come_when_something_else_is_assumed(play: Play) -> None:
    def on(day: str, top_n: int = 5) -> JobRequest:
        return ask(
            idempotency_key="k",
            params={"top_n": top_n, "field": {"date": day, "intensity_nt": None}},
            assumed=("field.date",),
            reuse_key=f"acme:{day}",
        )

    async def scenario(books: Books) -> None:
        first, _ = await books.ledger.submit(on("2026-03-01"), now=NOW)
        again, new = await books.ledger.submit(on("2026-03-02"), now=later(86_400))
        assert (again.id, new) == (first.id, False)
        assert again.request.params["field"]["date"] == "2026-03-01"
        with pytest.raises(Conflict):
            await books.ledger.submit(on("2026-03-01", top_n=6), now=later(1))

    play(scenario)


def test_a_finished_result_is_given_again_within_the_tenant_only(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit(reuse_key="same")
        other = await books.submit(reuse_key="same")
        assert other.state is JobState.QUEUED, "not finished yet"
        (begun,) = await books.admit(job.id)
        artifacts = (made(begun, size=7),)
        await books.report(
            begun, ReportKind.SUCCEEDED, result={"n": 1}, artifacts=artifacts, used=USED
        )
        again = await books.submit(reuse_key="same", at=5)
        assert (again.state, again.cached, again.result) == (
            JobState.SUCCEEDED,
            True,
            {"n": 1},
        )
        assert again.artifacts == artifacts
        assert await books.ledger.get(again.id) == again
        told = [event.type.value for event in await books.ledger.events(again.id)]
        assert told == ["state", "result", "state"]
        assert not (await books.submit("globex", reuse_key="same")).cached
        loads = {load.tenant: load.artifact_bytes for load in await books.ledger.loads()}
        assert loads == {"acme": 7, "globex": 0}, "a file that two jobs refer to counts once"

    play(scenario)


def test_a_queued_job_is_cancelled_at_once_and_a_live_one_when_nothing_of_it_is_left(
    play: Play,
) -> None:
    async def scenario(books: Books) -> None:
        queued, live = await books.submit(), await books.submit()
        assert (await books.ledger.cancel(queued.id, now=later(1))).state is JobState.CANCELLED
        again = await books.ledger.cancel(queued.id, now=later(2))
        assert (again.state, again.finished_at) == (JobState.CANCELLED, later(1))
        (begun,) = await books.admit(live.id)
        asked = await books.ledger.cancel(live.id, tenant="acme", now=later(1))
        assert asked.state is JobState.CANCELLING
        assert [job.state for job in await books.ledger.live()] == [JobState.CANCELLING]
        await books.report(begun, ReportKind.CANCELLED, at=3)
        ended = await books.ledger.get(live.id)
        assert (ended.state, ended.attempts[0].state) == (
            JobState.CANCELLED,
            AttemptState.CANCELLED,
        )
        assert await books.admit(queued.id) == []

    play(scenario)


def test_a_cancelled_job_whose_worker_is_lost_is_not_run_again(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit()
        await books.admit(job.id, lease_s=5)
        await books.ledger.cancel(job.id, now=later(1))
        await books.ledger.expire(epoch=books.epoch, now=later(6))
        assert (await books.ledger.get(job.id)).state is JobState.CANCELLED

    play(scenario)


def test_a_failed_job_can_be_run_again_and_a_succeeded_one_from_a_stage(play: Play) -> None:
    async def scenario(books: Books) -> None:
        job = await books.submit(max_attempts=1)
        with pytest.raises(Conflict):
            await books.ledger.retry(job.id, now=later(1))
        (begun,) = await books.admit(job.id)
        await books.report(begun, ReportKind.FAILED, failure=failed())
        waiting = await books.ledger.retry(job.id, tenant="acme", now=later(50))
        assert (waiting.state, waiting.failure, waiting.finished_at) == (
            JobState.QUEUED,
            None,
            None,
        )
        (queued,) = await books.ledger.waiting(limit=1)
        assert (queued.submitted_at, queued.attempts) == (later(50), 0)
        assert waiting.submitted_at == NOW
        (second,) = await books.admit(job.id, at=51)
        assert second.attempts[0].number == 2
        first_files = (made(second, "a.tif"), made(second, "b.tif"))
        await books.report(second, ReportKind.SUCCEEDED, result={"v": 1}, artifacts=first_files)
        with pytest.raises(Conflict):
            await books.ledger.retry(job.id, now=later(60))
        staged = await books.ledger.retry(job.id, stage="gridding", now=later(60))
        assert (staged.state, staged.from_stage, staged.result) == (
            JobState.QUEUED,
            "gridding",
            None,
        )
        assert staged.artifacts == first_files, "the stages before are read from them"
        (third,) = await books.admit(job.id, at=61)
        assert third.from_stage == "gridding"
        await books.report(third, ReportKind.SUCCEEDED, at=62, artifacts=(made(third, "a.tif"),))
        done = await books.ledger.get(job.id)
        assert done.artifacts == (made(third, "a.tif"),)
        dropped = await books.ledger.forget(before=NOW, limit=10, epoch=books.epoch)
        assert dropped.keys == tuple(sorted(file.key for file in first_files))

    play(scenario)


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
