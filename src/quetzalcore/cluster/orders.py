"""What a master tells an agent of a job, and under which keys its files lie."""

from __future__ import annotations

from collections.abc import Mapping

from quetzalcore.cluster.book import Held
from quetzalcore.cluster.messages import Assignment, InputLink
from quetzalcore.jobs.ledger import DeadAttempt
from quetzalcore.jobs.model import Job

__all__ = ["artifact_key", "assignment", "attempt_prefix"]


def attempt_prefix(attempt: Held | DeadAttempt) -> str:
    """Give the prefix of an attempt's artifacts; no other attempt's lie below it."""
    return f"tenants/{attempt.tenant}/jobs/{attempt.job_id}/{attempt.attempt_id}"


def artifact_key(held: Held, name: str) -> str:
    """Give the key of one artifact of an attempt."""
    return f"{attempt_prefix(held)}/{name}"


def assignment(  # noqa: PLR0913 -- an order is that many facts
    job: Job,
    held: Held,
    urls: Mapping[str, str],
    *,
    lease_s: float,
    trust: str,
    settings: Mapping[str, str] | None = None,
) -> Assignment:
    """Put a job and the links to its inputs (by name) into the order for its attempt."""
    request = job.request
    return Assignment(
        attempt_id=held.attempt_id,
        job_id=held.job_id,
        tenant=held.tenant,
        kind=request.kind,
        run=request.run,
        params=request.params,
        inputs=tuple(
            InputLink(name=file.name, url=urls[file.name], size=file.size, sha256=file.sha256)
            for file in request.inputs
        ),
        resources=held.resources,
        tier=request.tier,
        forkable=request.forkable,
        wall_s=request.wall_s,
        trust=trust,
        stage=job.from_stage,
        lease_s=lease_s,
        settings=settings or {},
    )
