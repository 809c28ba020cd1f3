"""How a job's state changes: a pure function from a state and an event to a state and actions.

::

    (new) --Submitted--> queued --Admitted--> starting --Started--> running --Succeeded--> succeeded
                           ^  ^                  |                     |  |
                           |  +-- Lost, Failed (to be retried) --------+  +--Failed--> failed
                           |                                           |
                           +-- RetryRequested -- any ending            +--CancelRequested--> cancelling --> cancelled

A *live* attempt is one that may still run somewhere. Whatever says something of an attempt names it;
an attempt that is not the live one is fenced off: nothing it says changes the job.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from quetzalcore.jobs.model import TERMINAL, AttemptState, Failure, JobState, Remedy

__all__ = [
    "OUT_OF_MEMORY",
    "Action",
    "Admitted",
    "BeginAttempt",
    "CancelConfirmed",
    "CancelRequested",
    "DoubleMemory",
    "EndAttempt",
    "EndJob",
    "Event",
    "Failed",
    "FenceAttempt",
    "Lifecycle",
    "Lost",
    "MarkStarted",
    "Refuse",
    "Rejected",
    "RenewLease",
    "Renewed",
    "Requeue",
    "RetryRequested",
    "Started",
    "Submitted",
    "Succeeded",
    "Transition",
    "handle",
]

OUT_OF_MEMORY = "out_of_memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """What decides a job's next state. ``tries`` counts attempts since it was submitted or asked for again."""

    state: JobState
    tries: int = 0
    max_attempts: int = 3
    live_attempt: str = ""
    memory_doubled: bool = False


# ------------------------------------------------------------------------------------------- events


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """Somebody asks for work; ``reused`` where an earlier job's result answers it."""

    max_attempts: int
    reused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The master has found a node for it."""

    attempt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """No node will ever fit it."""

    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The attempt runs in its VM."""

    attempt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """The attempt's agent holds it still."""

    attempt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The attempt has ended well and its files are in the store."""

    attempt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The attempt has ended badly."""

    attempt_id: str
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The attempt's lease has run out."""

    attempt_id: str
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """Somebody wants no more of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelConfirmed:
    """Nothing of the attempt runs any more, because it was stopped from outside."""

    attempt_id: str
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequested:
    """Somebody wants it once more, from a stage or (empty) from the beginning."""

    stage: str = ""


Event = (
    Submitted
    | Admitted
    | Rejected
    | Started
    | Renewed
    | Succeeded
    | Failed
    | Lost
    | CancelRequested
    | CancelConfirmed
    | RetryRequested
)

# ------------------------------------------------------------------------------------------ actions


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginAttempt:
    """Write a live attempt."""

    attempt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkStarted:
    """Write that the attempt runs."""

    attempt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewLease:
    """Write the attempt's later lease."""

    attempt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndAttempt:
    """Write how the attempt ended; it is live no more."""

    attempt_id: str
    state: AttemptState
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceAttempt:
    """Tell whoever runs this attempt that it counts no more."""

    attempt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeue:
    """Let the job wait again; ``afresh`` behind the others, because somebody asked, else in its old place."""

    afresh: bool = False
    stage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleMemory:
    """Ask for twice the memory from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndJob:
    """Write the job's end."""

    state: JobState
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Tell whoever asked that the state does not allow it."""

    reason: str


Action = (
    BeginAttempt
    | MarkStarted
    | RenewLease
    | EndAttempt
    | FenceAttempt
    | Requeue
    | DoubleMemory
    | EndJob
    | Refuse
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The state after an event, and what is to be done about it."""

    to: Lifecycle
    actions: tuple[Action, ...] = ()


_ENDINGS = {
    Failed: AttemptState.FAILED,
    Lost: AttemptState.LOST,
    CancelConfirmed: AttemptState.CANCELLED,
}


def handle(job: Lifecycle | None, event: Event) -> Transition:
    """Decide what an event does to a job; None is a job that is not there yet."""
    if job is None:
        if not isinstance(event, Submitted):
            raise TypeError(f"a job begins with Submitted, not with {type(event).__name__}")
        return _begin(event)
    match event:
        case Submitted() | CancelRequested() | RetryRequested():
            return _asked(job, event)
        case Admitted() | Rejected():
            return _admission(job, event)
        case _ if event.attempt_id != job.live_attempt:
            return Transition(to=job, actions=(FenceAttempt(attempt_id=event.attempt_id),))
        case Started() | Renewed():
            return _alive(job, event)
        case _:
            return _over(job, event)


def _asked(job: Lifecycle, event: Submitted | CancelRequested | RetryRequested) -> Transition:
    if isinstance(event, CancelRequested):
        return _cancel(job)
    if isinstance(event, RetryRequested):
        return _retry(job, event)
    return _refused(job, "it has been submitted already")


def _begin(event: Submitted) -> Transition:
    if event.reused:
        job = Lifecycle(state=JobState.SUCCEEDED, max_attempts=event.max_attempts)
        return Transition(to=job, actions=(EndJob(state=JobState.SUCCEEDED),))
    job = Lifecycle(state=JobState.QUEUED, max_attempts=event.max_attempts)
    return Transition(to=job, actions=(Requeue(afresh=True),))


def _cancel(job: Lifecycle) -> Transition:
    if job.state is JobState.QUEUED:
        return _end(job, JobState.CANCELLED)
    if job.state in TERMINAL:
        return Transition(to=job)
    return Transition(to=replace(job, state=JobState.CANCELLING))


def _retry(job: Lifecycle, event: RetryRequested) -> Transition:
    if job.state not in TERMINAL:
        return _refused(job, f"it is {job.state.value}: only a job that has ended can be run again")
    if job.state is JobState.SUCCEEDED and not event.stage:
        return _refused(job, "it has succeeded: say from which stage it is to be run again")
    return Transition(
        to=replace(job, state=JobState.QUEUED, tries=0),
        actions=(Requeue(afresh=True, stage=event.stage),),
    )


def _admission(job: Lifecycle, event: Admitted | Rejected) -> Transition:
    if job.state is not JobState.QUEUED:
        return _refused(job, f"it is {job.state.value}, not queued")
    if isinstance(event, Rejected):
        return _end(job, JobState.FAILED, event.failure)
    return Transition(
        to=replace(
            job, state=JobState.STARTING, tries=job.tries + 1, live_attempt=event.attempt_id
        ),
        actions=(BeginAttempt(attempt_id=event.attempt_id),),
    )


def _alive(job: Lifecycle, event: Started | Renewed) -> Transition:
    if isinstance(event, Renewed):
        return Transition(to=job, actions=(RenewLease(attempt_id=event.attempt_id),))
    state = JobState.RUNNING if job.state is JobState.STARTING else job.state
    return Transition(
        to=replace(job, state=state), actions=(MarkStarted(attempt_id=event.attempt_id),)
    )


def _over(job: Lifecycle, event: Succeeded | Failed | Lost | CancelConfirmed) -> Transition:
    rest = replace(job, live_attempt="")
    if isinstance(event, Succeeded):
        # who has asked for the end is not given a result after all
        cancelled = job.state is JobState.CANCELLING
        then = _end(rest, JobState.CANCELLED if cancelled else JobState.SUCCEEDED)
        state = AttemptState.CANCELLED if cancelled else AttemptState.SUCCEEDED
        ended = EndAttempt(attempt_id=event.attempt_id, state=state)
    else:
        then = _mend(rest, event.failure)
        ended = EndAttempt(
            attempt_id=event.attempt_id, state=_ENDINGS[type(event)], failure=event.failure
        )
    return Transition(to=then.to, actions=(ended, *then.actions))


def _mend(job: Lifecycle, failure: Failure) -> Transition:
    """Decide what becomes of a job whose attempt did not succeed."""
    if job.state is JobState.CANCELLING:
        return _end(job, JobState.CANCELLED)
    starved = failure.code == OUT_OF_MEMORY
    hopeless = failure.remedy is not Remedy.RETRY or (starved and job.memory_doubled)
    if hopeless or job.tries >= job.max_attempts:
        return _end(job, JobState.FAILED, failure)
    again = replace(job, state=JobState.QUEUED, memory_doubled=job.memory_doubled or starved)
    return Transition(to=again, actions=(*((DoubleMemory(),) if starved else ()), Requeue()))


def _end(job: Lifecycle, state: JobState, failure: Failure | None = None) -> Transition:
    return Transition(to=replace(job, state=state), actions=(EndJob(state=state, failure=failure),))


def _refused(job: Lifecycle, reason: str) -> Transition:
    return Transition(to=job, actions=(Refuse(reason=reason),))
