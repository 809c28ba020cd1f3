"""What every ledger promises of a job's life: the same tests for memory, SQLite and PostgreSQL."""

from __future__ import annotations

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

from quetzalcore.jobs.ledger import (
    Conflict,
    ReportKind,
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
