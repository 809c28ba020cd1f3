"""The job's state machine under any sequence of events, stale and absurd ones included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.jobs.model import TERMINAL, AttemptState, Failure, JobState, Remedy
from quetzalcore.jobs.state import (
    OUT_OF_MEMORY,
    Admitted,
    BeginAttempt,
    CancelConfirmed,
    CancelRequested,
    DoubleMemory,
    EndAttempt,
    EndJob,
    Event,
    Failed,
    FenceAttempt,
    Lifecycle,
    Lost,
    MarkStarted,
    Refuse,
    Rejected,
    Renewed,
    RenewLease,
    Requeue,
    RetryRequested,
    Started,
    Submitted,
    Succeeded,
    handle,
)

_LIVE_STATES = {JobState.STARTING, JobState.RUNNING, JobState.CANCELLING}
_OF_AN_ATTEMPT = (Started, Renewed, Succeeded, Failed, Lost, CancelConfirmed)

failures = st.builds(
    Failure,
    code=st.sampled_from([OUT_OF_MEMORY, "node_lost", "bad_table"]),
    title=st.just("t"),
    detail=st.just("d"),
    remedy=st.sampled_from(Remedy),
)
attempt_ids = st.sampled_from(["a1", "a2", "a3", "a4"])
of_an_attempt = st.one_of(
    st.builds(Started, attempt_id=attempt_ids),
    st.builds(Renewed, attempt_id=attempt_ids),
    st.builds(Succeeded, attempt_id=attempt_ids),
    st.builds(Failed, attempt_id=attempt_ids, failure=failures),
    st.builds(Lost, attempt_id=attempt_ids, failure=failures),
    st.builds(CancelConfirmed, attempt_id=attempt_ids, failure=failures),
)
events = st.one_of(
    st.builds(Submitted, max_attempts=st.integers(1, 4), reused=st.booleans()),
    st.builds(Admitted, attempt_id=st.just("")),
    st.builds(Rejected, failure=failures),
    of_an_attempt,
    st.just("the live one's"),
    st.just("the live one's"),
    st.just("the live one's"),
    st.builds(CancelRequested),
    st.builds(RetryRequested, stage=st.sampled_from(["", "gridding"])),
)
first = st.builds(Submitted, max_attempts=st.integers(1, 4), reused=st.booleans())


class _Ledger:
    """A plain book of what the actions say, apart from what the machine believes."""

    def __init__(self, submitted: Submitted) -> None:
        transition = handle(None, submitted)
        self.job = transition.to
        self.live: list[str] = []
        self.begun: list[str] = []
        self.doubled = 0
        self.ends = sum(isinstance(action, EndJob) for action in transition.actions)
        self.asked_again = 0

    def feed(self, event: Event) -> None:
        before = self.job
        transition = handle(before, event)
        self.job = transition.to
        for action in transition.actions:
            match action:
                case BeginAttempt():
                    self.live.append(action.attempt_id)
                    self.begun.append(action.attempt_id)
                case EndAttempt():
                    self.live.remove(action.attempt_id)
                case DoubleMemory():
                    self.doubled += 1
                case EndJob():
                    self.ends += 1
                case Requeue():
                    self.asked_again += action.afresh
        self.check(before, event, transition.actions)

    def check(self, before: Lifecycle, event: Event, actions: tuple[object, ...]) -> None:
        assert len(self.live) <= 1, "two live attempts"
        assert self.live == ([self.job.live_attempt] if self.job.live_attempt else [])
        assert (self.job.state in _LIVE_STATES) == bool(self.live), "lost, or live though ended"
        assert self.job.tries <= self.job.max_attempts
        assert self.doubled <= 1
        assert self.doubled == int(self.job.memory_doubled)
        assert self.ends == self.asked_again + (self.job.state in TERMINAL), "ends exactly once"
        if before.state in TERMINAL and not isinstance(event, RetryRequested):
            assert self.job == before, "terminal is terminal"
        if isinstance(event, _OF_AN_ATTEMPT) and event.attempt_id != before.live_attempt:
            assert self.job == before, "the fence"
            assert actions == (FenceAttempt(attempt_id=event.attempt_id),)
        if before.state is JobState.CANCELLING:
            assert self.job.state in {JobState.CANCELLING, JobState.CANCELLED}
        if any(isinstance(action, Refuse) for action in actions):
            assert self.job == before


@given(first, st.lists(st.tuples(events, of_an_attempt), max_size=60))
def test_whatever_happens_a_job_is_never_lost_doubled_or_revived(submitted, steps) -> None:
    ledger = _Ledger(submitted)
    for step, of_live in steps:
        if isinstance(step, Admitted):
            ledger.feed(Admitted(attempt_id=f"a{len(ledger.begun) + 1}"))
        elif step == "the live one's":
            ledger.feed(replace(of_live, attempt_id=ledger.job.live_attempt or "nobody"))
        else:
            ledger.feed(step)


@given(st.integers(1, 5), st.lists(st.sampled_from(["lost", "failed"]), min_size=5, max_size=5))
def test_a_job_that_never_succeeds_ends_after_its_last_attempt(allowed, endings) -> None:
    job = handle(None, Submitted(max_attempts=allowed)).to
    failure = Failure(code="node_lost", title="t", detail="d", remedy=Remedy.RETRY)
    for number, how in enumerate(endings[:allowed], start=1):
        assert job.state is JobState.QUEUED
        job = handle(job, Admitted(attempt_id=f"a{number}")).to
        ending = Lost if how == "lost" else Failed
        job = handle(job, ending(attempt_id=f"a{number}", failure=failure)).to
    assert job.state is JobState.FAILED
    assert job.tries == allowed


def _running(**changes: Any) -> Lifecycle:  # noqa: ANN401 -- fields of a Lifecycle
    return replace(
        Lifecycle(state=JobState.RUNNING, tries=1, max_attempts=3, live_attempt="a1"), **changes
    )


def test_memory_is_doubled_the_first_time_and_the_second_time_the_job_ends() -> None:
    starved = Failure(code=OUT_OF_MEMORY, title="t", detail="d", remedy=Remedy.RETRY)
    once = handle(_running(), Failed(attempt_id="a1", failure=starved))
    assert once.actions[1:] == (DoubleMemory(), Requeue())
    twice = handle(
        handle(once.to, Admitted(attempt_id="a2")).to, Failed(attempt_id="a2", failure=starved)
    )
    assert twice.to.state is JobState.FAILED
    assert twice.actions[-1] == EndJob(state=JobState.FAILED, failure=starved)


@pytest.mark.parametrize("remedy", [Remedy.USER, Remedy.NONE])
def test_what_no_retry_mends_is_not_tried_again(remedy) -> None:
    failure = Failure(code="bad_table", title="t", detail="d", remedy=remedy)
    assert handle(_running(), Failed(attempt_id="a1", failure=failure)).to.state is JobState.FAILED


def test_a_result_that_comes_after_a_cancel_does_not_count() -> None:
    asked = handle(_running(), CancelRequested()).to
    assert asked.state is JobState.CANCELLING
    ended = handle(asked, Succeeded(attempt_id="a1"))
    assert ended.to.state is JobState.CANCELLED
    assert ended.actions[0] == EndAttempt(attempt_id="a1", state=AttemptState.CANCELLED)


def test_a_confirmed_cancel_ends_the_job() -> None:
    stopped = Failure(code="stopped", title="t", detail="d", remedy=Remedy.RETRY)
    asked = handle(_running(), CancelRequested()).to
    ended = handle(asked, CancelConfirmed(attempt_id="a1", failure=stopped))
    assert ended.actions[-1] == EndJob(state=JobState.CANCELLED)


def test_a_started_attempt_of_a_job_being_cancelled_stays_cancelling() -> None:
    asked = handle(_running(state=JobState.STARTING), CancelRequested()).to
    started = handle(asked, Started(attempt_id="a1"))
    assert started.to.state is JobState.CANCELLING
    assert started.actions == (MarkStarted(attempt_id="a1"),)


def test_a_renewal_changes_the_lease_alone() -> None:
    renewed = handle(_running(), Renewed(attempt_id="a1"))
    assert renewed.to == _running()
    assert renewed.actions == (RenewLease(attempt_id="a1"),)


def test_a_stopped_attempt_of_a_job_that_nobody_cancelled_is_tried_again() -> None:
    stopped = Failure(code="stopped", title="t", detail="d", remedy=Remedy.RETRY)
    ended = handle(_running(), CancelConfirmed(attempt_id="a1", failure=stopped))
    assert ended.to.state is JobState.QUEUED


def test_a_succeeded_job_runs_again_only_from_a_stage() -> None:
    done = handle(_running(), Succeeded(attempt_id="a1")).to
    assert isinstance(handle(done, RetryRequested()).actions[0], Refuse)
    again = handle(done, RetryRequested(stage="gridding"))
    assert again.to.state is JobState.QUEUED
    assert again.actions == (Requeue(afresh=True, stage="gridding"),)


def test_a_job_begins_with_being_submitted() -> None:
    with pytest.raises(TypeError, match="begins with Submitted"):
        handle(None, CancelRequested())
