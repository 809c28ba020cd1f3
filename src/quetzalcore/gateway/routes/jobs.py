"""Jobs: submit, list, look at, cancel, run again, and read what they wrote."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from quetzalcore.gateway.answers import SECURED, problems
from quetzalcore.gateway.documents import (
    artifact_document,
    event_document,
    job_document,
    job_summary,
)
from quetzalcore.gateway.guard import Access, guarded
from quetzalcore.gateway.instance import caller, gateway_of
from quetzalcore.gateway.names import checked_id
from quetzalcore.gateway.parameters import IdempotencyKey, JobId, NoWait
from quetzalcore.gateway.replies import reply
from quetzalcore.gateway.schemas import (
    ArtifactList,
    InputRef,
    JobList,
    JobStateName,
    JobView,
    LogList,
    ResourcesAsked,
    RetryRequest,
    SubmitJob,
)
from quetzalcore.gateway.submission import Wish, input_files, submit, waited_for
from quetzalcore.identity.model import Role
from quetzalcore.identity.store import Forbidden
from quetzalcore.jobs.ledger import JobFilter
from quetzalcore.jobs.model import EventType, JobState

__all__ = ["router"]

_SAFE_TEXT = r"^[A-Za-z0-9._@:=+/-]{0,256}$"

router = APIRouter(
    prefix="/api/jobs",
    tags=["jobs"],
    route_class=guarded(Access.USER),
    responses=SECURED,
)


@router.get("/{job_id}", operation_id="get_job", response_model=JobView, responses=problems(404))
async def get_job(request: Request, job_id: JobId) -> Response:
    """Look at a job."""
    ledger = gateway_of(request).parts.ledger
    job = await ledger.get(checked_id(job_id, "job"), tenant=caller(request).tenant)
    return reply(job_document(job))


@router.post(
    "",
    operation_id="submit_job",
    status_code=201,
    response_model=JobView,
    response_description="A new job; Location names it.",
    responses={
        200: {"model": JobView, "description": "The job of an earlier call with the same key."},
        **problems(404, 409, 422),
    },
)
async def submit_job(
    request: Request, body: SubmitJob, key: IdempotencyKey = None, wait: NoWait = 0.0
) -> Response:
    """Submit a job of any kind.

    With the header Idempotency-Key, a repeated call gives the first call's job.
    """
    del key  # documented here, read where every submission reads it
    references = list(body.inputs)
    if body.upload_id is not None:
        references.insert(0, InputRef(upload_id=body.upload_id))
    wish = Wish(
        kind=body.kind,
        params=body.params,
        inputs=await input_files(gateway_of(request), caller(request), references),
        priority=body.priority,
        resources=body.resources or ResourcesAsked(),
        wall_s=body.wall_s,
        reuse=body.reuse,
    )
    job, new = await submit(request, wish)
    job = await waited_for(request, job, wait)
    return reply(
        job_document(job), 201 if new else 200, headers={"Location": f"/api/jobs/{job.id}"}
    )


@router.get("", operation_id="list_jobs", response_model=JobList, responses=problems(403, 422))
async def list_jobs(  # noqa: PLR0913 -- filters
    request: Request,
    *,
    kind: Annotated[str, Query(pattern=_SAFE_TEXT, description="Only this kind.")] = "",
    state: Annotated[
        list[JobStateName] | None, Query(description="Only these states.", max_length=7)
    ] = None,
    user: Annotated[str, Query(pattern=_SAFE_TEXT, description="Only this user's.")] = "",
    tenant: Annotated[str, Query(pattern=_SAFE_TEXT, description="Admins: another tenant's.")] = "",
    cursor: Annotated[str, Query(pattern=_SAFE_TEXT, description="From the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    """List the tenant's jobs, newest first."""
    who = caller(request)
    if tenant and tenant != who.tenant and who.role is not Role.ADMIN:
        raise Forbidden("only administrators list another tenant's jobs", hint="leave tenant out")
    where = JobFilter(
        tenant=tenant or who.tenant,
        user=user,
        kind=kind,
        states=tuple(JobState(each) for each in state or ()),
        cursor=cursor,
        limit=limit,
    )
    page = await gateway_of(request).parts.ledger.list(where)
    return reply(
        {"items": [job_summary(job) for job in page.items], "next_cursor": page.next_cursor}
    )


@router.delete(
    "/{job_id}", operation_id="cancel_job", response_model=JobView, responses=problems(404, 409)
)
async def cancel_job(request: Request, job_id: JobId) -> Response:
    """Cancel a job: a waiting one ends at once, a running one soon."""
    parts = gateway_of(request).parts
    job = await parts.ledger.cancel(
        checked_id(job_id, "job"), tenant=caller(request).tenant, now=parts.clock()
    )
    return reply(job_document(job))


@router.post(
    "/{job_id}/retry",
    operation_id="retry_job",
    response_model=JobView,
    responses=problems(404, 409, 422),
)
async def retry_job(request: Request, job_id: JobId, body: RetryRequest | None = None) -> Response:
    """Run a failed or cancelled job again, or a succeeded one from a stage."""
    parts = gateway_of(request).parts
    job = await parts.ledger.retry(
        checked_id(job_id, "job"),
        tenant=caller(request).tenant,
        stage=body.stage if body else "",
        now=parts.clock(),
    )
    return reply(job_document(job))


@router.get(
    "/{job_id}/logs",
    operation_id="get_job_logs",
    response_model=LogList,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(404, 422),
    },
)
async def get_job_logs(
    request: Request,
    job_id: JobId,
    after: Annotated[int, Query(ge=0, le=2**53, description="Only later lines.")] = 0,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
) -> Response:
    """Read the lines that a job wrote; as plain text if the client accepts only that."""
    ledger = gateway_of(request).parts.ledger
    job = await ledger.get(checked_id(job_id, "job"), tenant=caller(request).tenant)
    events = await ledger.events(job.id, after=after, limit=limit, types=(EventType.LOG,))
    if request.headers.get("accept", "").startswith("text/plain"):
        lines = "".join(f"{event.data.get('text', '')}\n" for event in events)
        return Response(lines, media_type="text/plain")
    items = [
        {
            "sequence": event.sequence,
            "at": event_document(event)["at"],
            "level": str(event.data.get("level", "info")),
            "text": str(event.data.get("text", "")),
        }
        for event in events
    ]
    return reply({"items": items, "next_after": events[-1].sequence if events else after})


@router.get(
    "/{job_id}/artifacts",
    operation_id="list_artifacts",
    response_model=ArtifactList,
    responses=problems(404),
)
async def list_artifacts(request: Request, job_id: JobId) -> Response:
    """List the files that a job made; none before it has succeeded."""
    ledger = gateway_of(request).parts.ledger
    job = await ledger.get(checked_id(job_id, "job"), tenant=caller(request).tenant)
    products = job.artifacts if job.state is JobState.SUCCEEDED else ()
    return reply({"items": [artifact_document(each) for each in products]})
