"""Value objects as JSON documents and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quetzalcore.jobs.model import (
    Failure,
    InputFile,
    JobRequest,
    Progress,
    Remedy,
    Resources,
    Usage,
)

__all__ = [
    "failure_document",
    "failure_from",
    "progress_from",
    "request_document",
    "request_from",
    "usage_document",
    "usage_from",
]


def request_document(request: JobRequest) -> dict[str, Any]:
    """Give what is not in columns of its own."""
    return {
        "kind_version": request.kind_version,
        "run": request.run,
        "params": request.params,
        "inputs": [[f.name, f.key, f.size, f.sha256] for f in request.inputs],
        "resources": _resources_document(request.resources),
        "tier": request.tier,
        "forkable": request.forkable,
        "wall_s": request.wall_s,
        "request_id": request.request_id,
    } | ({"assumed": list(request.assumed)} if request.assumed else {})


def request_from(row: Any) -> JobRequest:  # noqa: ANN401 -- a row with the columns of ``jobs``
    """Give the request of a job's row."""
    document = row.request
    return JobRequest(
        tenant=row.tenant,
        user=row.user,
        kind=row.kind,
        kind_version=document["kind_version"],
        run=document["run"],
        params=document["params"],
        inputs=tuple(
            InputFile(name=name, key=key, size=size, sha256=sha256)
            for name, key, size, sha256 in document["inputs"]
        ),
        resources=Resources(**document["resources"]),
        tier=document["tier"],
        forkable=document["forkable"],
        priority=row.priority,
        wall_s=document["wall_s"],
        max_attempts=row.max_attempts,
        idempotency_key=row.idempotency_key,
        reuse_key=row.reuse_key,
        request_id=document["request_id"],
        assumed=tuple(document.get("assumed", ())),
    )


def failure_document(failure: Failure | None) -> dict[str, Any] | None:
    """Write a failure."""
    if failure is None:
        return None
    return {
        "code": failure.code,
        "title": failure.title,
        "detail": failure.detail,
        "hint": failure.hint,
        "remedy": failure.remedy.value,
        "where": failure.where,
    }


def failure_from(document: Mapping[str, Any] | None) -> Failure | None:
    """Read a failure."""
    if document is None:
        return None
    return Failure(**{**document, "remedy": Remedy(document["remedy"])})


def progress_from(document: Mapping[str, Any] | None) -> Progress | None:
    """Read the last progress from the body of its event."""
    if document is None:
        return None
    return Progress(
        stage=str(document.get("stage", "")),
        fraction=float(document.get("fraction") or 0.0),
        message=str(document.get("message", "")),
    )


def usage_document(used: Usage | None) -> dict[str, Any] | None:
    """Write what an attempt used."""
    if used is None:
        return None
    return {
        "cpu_s": used.cpu_s,
        "wall_s": used.wall_s,
        "peak_memory_mib": used.peak_memory_mib,
        "scratch_mib": used.scratch_mib,
        "vm_start_s": used.vm_start_s,
        "runtime": used.runtime,
        "vgpu": used.vgpu,
    }


def usage_from(document: Mapping[str, Any] | None) -> Usage | None:
    """Read what an attempt used."""
    return None if document is None else Usage(**document)


def _resources_document(resources: Resources) -> dict[str, Any]:
    return {
        "cpus": resources.cpus,
        "memory_mib": resources.memory_mib,
        "vgpus": resources.vgpus,
        "scratch_mib": resources.scratch_mib,
    }
