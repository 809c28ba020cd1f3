"""The shapes of answers and bodies, for validation of what comes in and for the documentation."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, StringConstraints
from pydantic.config import JsonDict

from quetzalcore.gateway.scaling_schemas import InstanceView

__all__ = [
    "ArtifactList",
    "ArtifactView",
    "Caller",
    "DrainRequest",
    "EventView",
    "Health",
    "IdText",
    "InputRef",
    "InstallModule",
    "JobList",
    "JobView",
    "JoinRequest",
    "JoinView",
    "KeyList",
    "KeyView",
    "Live",
    "LogLineView",
    "LogList",
    "LoginRequest",
    "ModuleList",
    "ModuleView",
    "NewKey",
    "NewKeyRequest",
    "NewUserRequest",
    "NodeList",
    "NodeView",
    "ProblemView",
    "Ready",
    "ResourcesAsked",
    "RetryRequest",
    "SubmitJob",
    "SummaryView",
    "SystemView",
    "UploadRequest",
    "UploadView",
    "UserList",
    "UserView",
]

JobStateName = Literal[
    "queued", "starting", "running", "cancelling", "succeeded", "failed", "cancelled"
]
RoleName = Literal["admin", "analyst", "client"]
_ID = "01kaj3v7q4h2m8s0c5x9tzy6wd"
_SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_AT = "2026-05-04T09:30:00.125000Z"

IdText = Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{1,40}$")]
ModuleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Place(_View):
    """Where in the input something is wrong; rows count from 1."""

    file: str | None = None
    row: int | None = None
    column: str | None = None
    field: str | None = None


class ProblemView(_View):
    """An error, as RFC 9457 describes it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "type": "urn:quetzalcore:problem:bad_parameter",
                "title": "A parameter is wrong",
                "status": 422,
                "detail": "area_km2 is -1",
                "code": "bad_parameter",
                "hint": "input should be greater than 0",
                "where": {"field": "area_km2"},
                "instance": "/api/mining/cost-analysis",
                "request_id": _ID,
            }
        },
    )

    type: str = Field(description="Names the kind of problem; made from the code.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status again.")
    detail: str = Field(description="What happened, with the values that were given.")
    code: str = Field(description="For programs: stays the same between releases.")
    hint: str = Field(description="What to do next; may be empty.")
    where: Place = Field(description="The place in the input, as far as it is known.")
    instance: str = Field(description="The path that was asked.")
    request_id: str = Field(description="Give it to the operator: the logs know it.")
    job_id: str | None = Field(default=None, description="The job that failed while one waited.")


class ResourcesView(_View):
    """An amount of resources."""

    cpus: float = Field(ge=0)
    memory_mib: int = Field(ge=0)
    vgpus: int = Field(ge=0)
    scratch_mib: int = Field(ge=0)


class UsageView(_View):
    """What an attempt used, as measured."""

    cpu_s: float
    wall_s: float
    peak_memory_mib: float
    scratch_mib: float
    vm_start_s: float
    runtime: str
    vgpu: dict[str, Any]


class AttemptResources(_View):
    """What an attempt asked for, and what it used once it has ended."""

    asked: ResourcesView
    used: UsageView | None


class ErrorView(_View):
    """Why a job or an attempt failed."""

    code: str
    title: str
    detail: str
    hint: str


class ProgressView(_View):
    """How far a job is."""

    stage: str
    fraction: float
    message: str


class AttemptView(_View):
    """One try to run a job."""

    id: str
    node: str
    state: Literal["starting", "running", "succeeded", "failed", "lost", "cancelled"]
    started_at: dt.datetime
    finished_at: dt.datetime | None
    error: ErrorView | None
    resources: AttemptResources


_ARTIFACT: JsonDict = {
    "name": "report.html",
    "media_type": "text/html",
    "size": 52_310,
    "sha256": _SHA,
}


class ArtifactView(_View):
    """A file that a job made."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _ARTIFACT})

    name: str
    media_type: str
    size: int
    sha256: str


_SUMMARY: JsonDict = {
    "id": _ID,
    "kind": "noop",
    "state": "succeeded",
    "priority": 0,
    "tenant": "acme",
    "submitted_at": _AT,
    "started_at": _AT,
    "finished_at": _AT,
    "progress": {"stage": "run", "fraction": 1.0, "message": ""},
    "error": None,
    "cached": False,
}
_JOB: JsonDict = {
    **_SUMMARY,
    "attempts": [
        {
            "id": _ID,
            "node": "node-1",
            "state": "succeeded",
            "started_at": _AT,
            "finished_at": _AT,
            "error": None,
            "resources": {
                "asked": {"cpus": 1.0, "memory_mib": 512, "vgpus": 0, "scratch_mib": 256},
                "used": {
                    "cpu_s": 0.01,
                    "wall_s": 0.02,
                    "peak_memory_mib": 21.5,
                    "scratch_mib": 0.0,
                    "vm_start_s": 0.008,
                    "runtime": "crun",
                    "vgpu": {},
                },
            },
        }
    ],
    "result": {"echo": "hello"},
    "artifacts": [_ARTIFACT],
}


class SummaryView(_View):
    """A job in a list."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _SUMMARY})

    id: str
    kind: str
    state: JobStateName
    priority: int
    tenant: str
    submitted_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    progress: ProgressView | None
    error: ErrorView | None
    cached: bool = Field(description="Whether the result is that of earlier, identical work.")


class JobView(SummaryView):
    """A job with all that is known of it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _JOB})

    attempts: list[AttemptView]
    result: dict[str, Any] | None = Field(description="What the kind gives; see its documentation.")
    artifacts: list[ArtifactView] = Field(description="Its files, once it has succeeded.")


class JobList(_View):
    """Part of a list, newest first."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"items": [_SUMMARY], "next_cursor": ""}}
    )

    items: list[SummaryView]
    next_cursor: str = Field(description="Give it as cursor for what follows; empty at the end.")


class ArtifactList(_View):
    """The files that a job made."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"items": [_ARTIFACT]}})

    items: list[ArtifactView]


class LogLineView(_View):
    """A line that a job wrote."""

    sequence: int
    at: dt.datetime
    level: str
    text: str


class LogList(_View):
    """Lines that a job wrote, oldest first."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "items": [{"sequence": 4, "at": _AT, "level": "info", "text": "read 1,204 rows"}],
                "next_after": 4,
            }
        },
    )

    items: list[LogLineView]
    next_after: int = Field(description="Give it as after for what follows.")


class EventView(_View):
    """What a watcher is told: the data of an SSE message, and a WebSocket's event message."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "type": "progress",
                "job_id": _ID,
                "sequence": 7,
                "at": _AT,
                "data": {"stage": "gridding", "fraction": 0.4, "message": "tmi"},
            }
        },
    )

    type: Literal["progress", "log", "state", "result"]
    job_id: str
    sequence: int
    at: dt.datetime
    data: dict[str, Any]


class InputRef(_Body):
    """A file for a job: an upload, or a product of an earlier job."""

    name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._ -]{0,127}$",
        description="The name that the job sees; default: the upload's or the product's own.",
    )
    upload_id: IdText | None = None
    job_id: IdText | None = None
    artifact: str | None = Field(default=None, max_length=512)


class ResourcesAsked(_Body):
    """More or less than the kind asks for by itself."""

    cpus: float | None = Field(default=None, gt=0, le=1024)
    memory_mib: int | None = Field(default=None, ge=64, le=16_777_216)
    vgpus: int | None = Field(default=None, ge=0, le=64)
    scratch_mib: int | None = Field(default=None, ge=1, le=16_777_216)


class SubmitJob(_Body):
    """A job of any kind."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        json_schema_extra={"example": {"kind": "noop", "params": {"echo": "hello"}}},
    )

    kind: str = Field(max_length=64, description="The kind's name.")
    params: dict[str, Any] = Field(default_factory=dict, description="As the kind documents them.")
    inputs: list[InputRef] = Field(default_factory=list, max_length=64)
    upload_id: IdText | None = Field(default=None, description="Short for one input.")
    priority: int = Field(default=0, ge=-100, le=100, description="Higher runs first.")
    resources: ResourcesAsked | None = None
    wall_s: float | None = Field(default=None, gt=0, description="Time limit.")
    reuse: bool = Field(default=True, description="Whether an earlier result may be given.")


class RetryRequest(_Body):
    """How to run a job again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"stage": "gridding"}})

    stage: str = Field(
        default="", max_length=64, description="Begin from here; empty: from the start."
    )


class UploadRequest(_Body):
    """An upload that begins."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"filename": "survey.csv", "size": 1048576}}
    )

    filename: str = Field(
        default="upload", max_length=1024, description="Only its last part counts."
    )
    size: int | None = Field(default=None, ge=0, description="In bytes, if it is known.")


class UploadView(_View):
    """A file on its way in."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "id": _ID,
                "filename": "survey.csv",
                "size": 1048576,
                "offset": 1048576,
                "complete": True,
                "sha256": _SHA,
                "created_at": _AT,
            }
        },
    )

    id: str
    filename: str
    size: int | None = Field(description="As declared.")
    offset: int = Field(description="How many bytes are there.")
    complete: bool
    sha256: str | None = Field(description="Of the whole file, once complete.")
    created_at: dt.datetime


class InstallModule(_Body):
    """A WebAssembly module to keep under a name."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"name": "despike", "upload_id": _ID}}
    )

    name: ModuleName
    upload_id: IdText


class ModuleView(_View):
    """An installed WebAssembly module."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "despike", "size": 1834, "sha256": _SHA}},
    )

    name: str
    size: int
    sha256: str


class ModuleList(_View):
    """The tenant's modules, by name."""

    items: list[ModuleView]


class NodeView(_View):
    """A worker node."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "id": "node-1",
                "address": "10.0.0.7",
                "total": {"cpus": 8.0, "memory_mib": 16384, "vgpus": 1, "scratch_mib": 65536},
                "free": {"cpus": 4.0, "memory_mib": 8192, "vgpus": 1, "scratch_mib": 61440},
                "trust": "tenant",
                "runtime": "crun",
                "enforces": ["cpu", "memory", "pids"],
                "draining": False,
                "ready": True,
                "active_vms": 2,
                "warm_vms": 1,
                "cpu_percent": 35.5,
                "memory_percent": 41.0,
                "seen_at": _AT,
            }
        },
    )

    id: str
    address: str
    total: ResourcesView
    free: ResourcesView
    trust: str
    runtime: str
    enforces: list[str]
    draining: bool
    ready: bool
    active_vms: int
    warm_vms: int
    cpu_percent: float
    memory_percent: float
    seen_at: dt.datetime | None


class NodeList(_View):
    """The worker nodes."""

    items: list[NodeView]


class DrainRequest(_Body):
    """Whether a node takes new work."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"draining": True}})

    draining: bool = True


class JoinRequest(_Body):
    """The host that wants to join."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"example": {"name": "worker-1", "addresses": ["10.0.0.7"]}},
    )

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description="The host's name.")
    addresses: list[IPvAnyAddress] = Field(
        min_length=1, max_length=64, description="Under which the other nodes reach it."
    )


class JoinView(_View):
    """What a new worker needs."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "engine": "ray",
                "address": "10.0.0.2:6380",
                "token": "given-once",
                "certificates": {},
                "settings": {},
            }
        },
    )

    engine: str
    address: str
    token: str
    certificates: dict[str, str]
    settings: dict[str, Any]


class SystemView(_View):
    """How an instance is doing, and what every instance that others reach last said of itself."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "instance": "gateway-1",
                "version": "0.2.0",
                "uptime_s": 3600.0,
                "cpu_percent": 12.5,
                "memory_mib": 96.4,
                "host_cpu_percent": 30.1,
                "host_memory_percent": 41.0,
                "open_requests": 1,
                "streams": 3,
                "requests_per_s": 84.2,
                "p50_ms": 1.2,
                "p95_ms": 4.8,
                "p99_ms": 12.0,
                "draining": False,
                "instances": [],
            }
        },
    )

    instance: str
    version: str
    uptime_s: float
    cpu_percent: float
    memory_mib: float
    host_cpu_percent: float
    host_memory_percent: float
    open_requests: int
    streams: int
    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    draining: bool
    instances: list[InstanceView]


class Component(_View):
    """One part of the platform."""

    model_config = ConfigDict(extra="allow")

    status: Literal["ok", "degraded", "away"]


class CacheStats(Component):
    """How often an answer was there already."""

    hit_rate: float


class Components(_View):
    """The parts of the platform."""

    ledger: Component
    artifacts: Component
    nodes: Component
    cache_stats: CacheStats


class Health(_View):
    """How the platform is doing, as this instance sees it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "status": "ok",
                "instance": "gateway-1",
                "version": "0.2.0",
                "components": {
                    "ledger": {"status": "ok"},
                    "artifacts": {"status": "ok"},
                    "nodes": {"status": "ok", "ready": 3},
                    "cache_stats": {"status": "ok", "hit_rate": 0.42},
                },
            }
        },
    )

    status: Literal["ok", "degraded", "away"]
    instance: str
    version: str
    components: Components


class Live(_View):
    """The process answers."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"status": "ok"}})

    status: Literal["ok"]


class Ready(_View):
    """The instance takes requests."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"status": "ready"}})

    status: Literal["ready"]


class LoginRequest(_Body):
    """Name and password."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"example": {"name": "ada", "password": "correct horse battery"}},
    )

    name: str = Field(max_length=64)
    password: str = Field(max_length=1024)


class Caller(_View):
    """Who the caller is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "user": "ada",
                "tenant": "acme",
                "role": "analyst",
                "scope": "user",
                "csrf_token": "w3cU0Zk",
            }
        },
    )

    user: str
    tenant: str
    role: RoleName
    scope: str
    csrf_token: str | None = Field(
        description="For the header X-CSRF-Token of changes made by session; None for keys."
    )


class NewUserRequest(_Body):
    """A user to add."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={
            "example": {"name": "ada", "tenant": "acme", "role": "analyst", "password": None}
        },
    )

    name: Name
    tenant: Name
    role: RoleName = "client"
    password: str | None = Field(
        default=None, min_length=12, max_length=1024, description="None: keys only."
    )


class UserView(_View):
    """A user."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "ada",
                "tenant": "acme",
                "role": "analyst",
                "created_at": _AT,
                "disabled": False,
            }
        },
    )

    name: str
    tenant: str
    role: RoleName
    created_at: dt.datetime
    disabled: bool


class UserList(_View):
    """Users."""

    items: list[UserView]


class NewKeyRequest(_Body):
    """A key to make."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"label": "notebook", "scope": "user"}}
    )

    user: Name | None = Field(default=None, description="Default: oneself. Others: admins only.")
    label: str = Field(default="", max_length=128)
    scope: Literal["user", "join"] = Field(default="user", description="join: admins only.")
    expires_at: dt.datetime | None = Field(default=None, description="With its time zone.")


_KEY: JsonDict = {
    "id": _ID,
    "user": "ada",
    "tenant": "acme",
    "label": "notebook",
    "scope": "user",
    "created_at": _AT,
    "last_used_at": None,
    "expires_at": None,
    "revoked": False,
}


class KeyView(_View):
    """A key without its secret."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _KEY})

    id: str
    user: str
    tenant: str
    label: str
    scope: str
    created_at: dt.datetime
    last_used_at: dt.datetime | None
    expires_at: dt.datetime | None
    revoked: bool


class NewKey(KeyView):
    """A new key with its secret, which is shown this once."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {**_KEY, "secret": "qz_9bXk..."}}
    )

    secret: str


class KeyList(_View):
    """Keys without their secrets."""

    items: list[KeyView]
