"""What a job, an attempt, a node and an upload are; value objects without behaviour."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = [
    "TERMINAL",
    "Artifact",
    "Attempt",
    "AttemptState",
    "Event",
    "EventType",
    "Failure",
    "InputFile",
    "Job",
    "JobPage",
    "JobRequest",
    "JobState",
    "Node",
    "Progress",
    "Remedy",
    "Resources",
    "Usage",
]


class JobState(StrEnum):
    """Where a job is on its way."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


class AttemptState(StrEnum):
    """What became of one try to run a job."""

    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"


class Remedy(StrEnum):
    """Who can mend a failure: the three branches of ``quetzalcore.errors``."""

    USER = "user"
    RETRY = "retry"
    NONE = "none"


class EventType(StrEnum):
    """What a watcher of a job is told."""

    PROGRESS = "progress"
    LOG = "log"
    STATE = "state"
    RESULT = "result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a job asks for, or what a node has."""

    cpus: float = 1.0
    memory_mib: int = 512
    vgpus: int = 0
    scratch_mib: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an attempt really used, as measured by the hypervisor and the vGPU."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_memory_mib: float = 0.0
    scratch_mib: float = 0.0
    vm_start_s: float = 0.0
    runtime: str = ""
    vgpu: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt or a job failed, in the words that its owner sees."""

    code: str
    title: str
    detail: str
    hint: str = ""
    remedy: Remedy = Remedy.NONE
    where: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a running job is."""

    stage: str
    fraction: float
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file that a job reads; ``key`` names it in the artifact store."""

    name: str
    key: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a job made; visible once its attempt has succeeded."""

    name: str
    key: str
    size: int
    sha256: str
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """Everything that is fixed when a job is submitted.

    ``reuse_key`` is empty where the result must not be taken from an earlier job. ``run`` names the
    function that a VM calls, ``module:function``; the gateway takes it from the catalog and never imports it.
    ``assumed`` names what the caller left out of ``params`` and the platform filled in, as ``field.date``.
    """

    tenant: str
    user: str
    kind: str
    kind_version: str
    run: str
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[InputFile, ...] = ()
    resources: Resources = field(default_factory=Resources)
    tier: str = "bare"
    forkable: bool = False
    priority: int = 0
    wall_s: float = 3600.0
    max_attempts: int = 3
    idempotency_key: str = ""
    reuse_key: str = ""
    request_id: str = ""
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to run a job on one node, under a lease."""

    id: str
    job_id: str
    number: int
    node: str
    state: AttemptState
    started_at: dt.datetime
    lease_until: dt.datetime
    finished_at: dt.datetime | None = None
    asked: Resources = field(default_factory=Resources)
    used: Usage | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as the ledger knows it."""

    id: str
    request: JobRequest
    state: JobState
    submitted_at: dt.datetime
    started_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    progress: Progress | None = None
    attempts: tuple[Attempt, ...] = ()
    result: Mapping[str, Any] | None = None
    failure: Failure | None = None
    cached: bool = False
    artifacts: tuple[Artifact, ...] = ()
    from_stage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Part of a list of jobs, newest first; ``next_cursor`` is empty at the end."""

    items: tuple[Job, ...]
    next_cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a job's story; ``sequence`` rises without gaps of meaning within a job."""

    job_id: str
    sequence: int
    at: dt.datetime
    type: EventType
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A worker node as its agent reports it; percentages are of its host, whoever uses it."""

    id: str
    address: str
    total: Resources
    free: Resources
    trust: str = "owner"
    runtime: str = ""
    draining: bool = False
    ready: bool = True
    active_vms: int = 0
    warm_vms: int = 0
    enforces: tuple[str, ...] = ()
    cpu_percent: float = 0.0
    memory_percent: float = 0.0
    seen_at: dt.datetime | None = None
