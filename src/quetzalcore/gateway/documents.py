"""Value objects as JSON documents; plain dicts, because they are built for every read."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from quetzalcore.identity.model import ApiKey, Principal, User
from quetzalcore.jobs.model import (
    Artifact,
    Attempt,
    Event,
    Failure,
    Job,
    JobState,
    Node,
    Progress,
    Resources,
    Usage,
)
from quetzalcore.jobs.scaling import InstanceReport
from quetzalcore.jobs.uploads import Upload

__all__ = [
    "artifact_document",
    "event_document",
    "instance_document",
    "job_document",
    "job_summary",
    "key_document",
    "node_document",
    "principal_document",
    "upload_document",
    "user_document",
]

Document = dict[str, Any]


def job_document(job: Job) -> Document:
    """Give a job as ``GET /api/jobs/{id}`` shows it; products only once it has succeeded."""
    succeeded = job.state is JobState.SUCCEEDED
    return {
        **job_summary(job),
        "attempts": [_attempt(attempt) for attempt in job.attempts],
        "result": job.result if succeeded else None,
        "artifacts": [artifact_document(each) for each in job.artifacts] if succeeded else [],
    }


def job_summary(job: Job) -> Document:
    """Give a job as lists show it."""
    request = job.request
    return {
        "id": job.id,
        "kind": request.kind,
        "state": job.state.value,
        "priority": request.priority,
        "tenant": request.tenant,
        "submitted_at": _time(job.submitted_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
        "progress": _progress(job.progress),
        "error": _error(job.failure),
        "cached": job.cached,
    }


def artifact_document(artifact: Artifact) -> Document:
    """Give a product without its key in the store."""
    return {
        "name": artifact.name,
        "media_type": artifact.media_type,
        "size": artifact.size,
        "sha256": artifact.sha256,
    }


def event_document(event: Event) -> Document:
    """Give an event as sockets send it."""
    return {
        "type": event.type.value,
        "job_id": event.job_id,
        "sequence": event.sequence,
        "at": _time(event.at),
        "data": event.data,
    }


def upload_document(upload: Upload) -> Document:
    """Give an upload without its key in the store."""
    return {
        "id": upload.id,
        "filename": upload.filename,
        "size": upload.declared_size,
        "offset": upload.received,
        "complete": upload.complete,
        "sha256": upload.sha256 or None,
        "created_at": _time(upload.created_at),
    }


def node_document(node: Node) -> Document:
    """Give a node as operators see it."""
    return {
        "id": node.id,
        "address": node.address,
        "total": resources_document(node.total),
        "free": resources_document(node.free),
        "trust": node.trust,
        "runtime": node.runtime,
        "enforces": list(node.enforces),
        "draining": node.draining,
        "ready": node.ready,
        "active_vms": node.active_vms,
        "warm_vms": node.warm_vms,
        "cpu_percent": node.cpu_percent,
        "memory_percent": node.memory_percent,
        "seen_at": _time(node.seen_at),
    }


def instance_document(report: InstanceReport) -> Document:
    """Give what a gateway instance said of itself."""
    return {
        **dataclasses.asdict(report),
        "started_at": _time(report.started_at),
        "seen_at": _time(report.seen_at),
    }


def resources_document(resources: Resources) -> Document:
    """Give an amount of resources."""
    return {
        "cpus": resources.cpus,
        "memory_mib": resources.memory_mib,
        "vgpus": resources.vgpus,
        "scratch_mib": resources.scratch_mib,
    }


def user_document(user: User) -> Document:
    """Give a user."""
    return {
        "name": user.name,
        "tenant": user.tenant,
        "role": user.role.value,
        "created_at": _time(user.created_at),
        "disabled": user.disabled,
    }


def key_document(key: ApiKey) -> Document:
    """Give a key without its secret."""
    return {
        "id": key.id,
        "user": key.user,
        "tenant": key.tenant,
        "label": key.label,
        "scope": key.scope,
        "created_at": _time(key.created_at),
        "last_used_at": _time(key.last_used_at),
        "expires_at": _time(key.expires_at),
        "revoked": key.revoked,
    }


def principal_document(who: Principal) -> Document:
    """Say to callers who they are."""
    return {
        "user": who.user,
        "tenant": who.tenant,
        "role": who.role.value,
        "scope": who.scope,
        "csrf_token": who.csrf_token or None,
    }


def _attempt(attempt: Attempt) -> Document:
    return {
        "id": attempt.id,
        "node": attempt.node,
        "state": attempt.state.value,
        "started_at": _time(attempt.started_at),
        "finished_at": _time(attempt.finished_at),
        "error": _error(attempt.failure),
        "resources": {
            "asked": resources_document(attempt.asked),
            "used": None if attempt.used is None else _usage(attempt.used),
        },
    }


def _usage(used: Usage) -> Document:
    return {
        field.name: dict(value) if isinstance(value, Mapping) else value
        for field in dataclasses.fields(used)
        for value in (getattr(used, field.name),)
    }


def _progress(progress: Progress | None) -> Document | None:
    if progress is None:
        return None
    return {
        "stage": progress.stage,
        "fraction": progress.fraction,
        "message": progress.message,
    }


def _error(failure: Failure | None) -> Document | None:
    if failure is None:
        return None
    return {
        "code": failure.code,
        "title": failure.title,
        "detail": failure.detail,
        "hint": failure.hint,
    }


def _time(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
