"""What a job kind's function is given inside a VM, and what it gives back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quetzalcore.workloads.progress import Progress

__all__ = ["TaskContext", "TaskFunction"]


def _now() -> dt.datetime:
    return dt.datetime.now(tz=dt.UTC)  # noqa: TID251 -- a clock's default; tests give another


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """One task, as its function sees it.

    Parameters
    ----------
    params : mapping
        The job's parameters, canonical as validated when the job was submitted.
    inputs : mapping of str to Path
        The input files by the name they were given, to be read only.
    output : Path
        An empty folder; every regular file left in it becomes an artifact under its relative path.
    progress : Progress
        Tells the watchers how far it is.
    log : callable
        Writes one line into the job's log.
    cores, memory_mib : int
        What the VM may use; also the vGPU's lease, which is open while the function runs.
    stage : str
        The stage to begin from when a job is run again from a stage, else empty.
    seed : int
        For random numbers; fresh for every task.
    settings : mapping
        The operator's settings that concern the science, as plain values: ``rates_toml`` and
        ``priors_toml`` are the text of such files.
    now : callable
        The moment, UTC; another one in tests.
    """

    params: Mapping[str, Any]
    inputs: Mapping[str, Path]
    output: Path
    progress: Progress
    log: Callable[[str], None]
    cores: int
    memory_mib: int
    stage: str = ""
    seed: int = 0
    settings: Mapping[str, Any] | None = None
    now: Callable[[], dt.datetime] = _now


# The value is the job's result: a JSON document. Errors of ``quetzalcore.errors`` reach the owner as they are.
TaskFunction = Callable[[TaskContext], Mapping[str, Any]]
