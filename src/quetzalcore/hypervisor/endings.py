"""How a task's end, as the host saw it, is told to its owner: one sentence, a remedy and a code."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum

from quetzalcore.hypervisor.protocol import Failed, Malformed, Result
from quetzalcore.hypervisor.runtime import Stats
from quetzalcore.hypervisor.spec import VMSpec
from quetzalcore.jobs.model import Failure, Remedy

_SIGNALLED = 128
__all__ = ["Cut", "Ending", "failure_of"]


class Cut(StrEnum):
    """Why the host ended a task before it had ended by itself."""

    NOT = ""
    WALL = "wall"
    KILLED = "killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What the host saw: the task's own words, its exit status, what it used, and what we did."""

    said: Result | Failed | Malformed | None
    status: int | None  # None: it was still alive
    stats: Stats
    cut: Cut = Cut.NOT


def failure_of(ending: Ending, spec: VMSpec) -> Failure | None:
    """Tell what failed, or None where the task ended well."""
    if isinstance(ending.said, Result):
        return None
    if ending.cut is Cut.KILLED:
        return _killed()
    return _limit_hit(ending, spec) or _in_its_words(ending)


def _limit_hit(ending: Ending, spec: VMSpec) -> Failure | None:
    """Name the limit that explains the end better than the task's own words, if there were any."""
    own_code = ending.said.failure.code if isinstance(ending.said, Failed) else "defect"
    if own_code == "out_of_memory" or (own_code == "defect" and ending.stats.out_of_memory):
        return _out_of_memory(spec)
    if own_code == "defect" and ending.stats.out_of_pids:
        return _too_many_processes(spec)
    return _wall_limit(spec) if ending.cut is Cut.WALL else None


def _in_its_words(ending: Ending) -> Failure:
    if isinstance(ending.said, Failed):
        return ending.said.failure
    if isinstance(ending.said, Malformed):
        return _defect(f"the task wrote nonsense on its VM's channel: {ending.said.reason}")
    return _without_words(ending.status)


def _killed() -> Failure:
    return Failure(
        code="cancelled", title="The job was stopped", detail="its VM was stopped on request"
    )


def _out_of_memory(spec: VMSpec) -> Failure:
    return Failure(
        code="out_of_memory",
        title="The job ran out of memory",
        detail=f"it needed more than its {spec.memory_mib} MiB",
        hint=f"ask for more than {spec.memory_mib} memory_mib",
        remedy=Remedy.RETRY,
    )


def _too_many_processes(spec: VMSpec) -> Failure:
    return Failure(
        code="too_many_processes",
        title="The job started too many processes",
        detail=f"it tried to run more than {spec.pids} processes and threads at once",
        hint="start fewer processes",
        remedy=Remedy.USER,
    )


def _wall_limit(spec: VMSpec) -> Failure:
    return Failure(
        code="wall_limit",
        title="The job took too long",
        detail=f"it was stopped after its limit of {spec.wall_s:g} s",
        hint=f"ask for a wall_s of more than {spec.wall_s:g}, or give it less to do",
        remedy=Remedy.USER,
    )


def _defect(detail: str) -> Failure:
    return Failure(
        code="defect",
        title="The task failed",
        detail=detail,
        hint="report it with the job's log",
        remedy=Remedy.NONE,
    )


def _without_words(status: int | None) -> Failure:
    if status is None:
        return _defect("the task closed its VM's channel without giving a result")
    number = -status if status < 0 else status - _SIGNALLED  # as a shell or runc tells it
    if number == signal.SIGKILL:
        return _lost("its VM was killed by something on the node")
    if number > 0:
        return _defect(f"the task crashed its VM ({_signal_name(number)})")
    return _defect(f"the task ended its VM with status {status} without giving a result")


def _lost(detail: str) -> Failure:
    return Failure(
        code="vm_lost",
        title="The VM was lost",
        detail=detail,
        hint="it is tried again",
        remedy=Remedy.RETRY,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
