"""Jobs' events as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from quetzalcore.errors import QuetzalError
from quetzalcore.gateway.answers import SECURED, problems
from quetzalcore.gateway.documents import event_document
from quetzalcore.gateway.guard import Access, guarded
from quetzalcore.gateway.instance import Gateway, caller, gateway_of
from quetzalcore.gateway.names import checked_id
from quetzalcore.gateway.parameters import JobId, LastEventId
from quetzalcore.gateway.problems import Unavailable
from quetzalcore.gateway.replies import json_text
from quetzalcore.gateway.watching import Subscription, is_end
from quetzalcore.jobs.model import TERMINAL, Event, EventType, Job

__all__ = ["router"]

_RETRY = b"retry: 2000\n\n"
_ELSEWHERE = b"retry: 200\n\n"  # this instance leaves; the next one says 2000 again
_HEARTBEAT = b": still here\n\n"
_EXAMPLE = (
    'id: 3\nevent: progress\ndata: {"type":"progress","job_id":"01kaj3v7q4h2m8s0c5x9tzy6wd",'
    '"sequence":3,"at":"2026-05-04T09:30:00Z",'
    '"data":{"stage":"gridding","fraction":0.4,"message":"tmi"}}\n\n'
)

router = APIRouter(
    prefix="/api/jobs", tags=["jobs"], route_class=guarded(Access.USER), responses=SECURED
)


@router.get(
    "/{job_id}/events",
    operation_id="watch_job",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": (
                "Server-sent events of the types progress, log, state and result, each with an id"
                " to resume from and an EventView as data; comments while nothing happens; the"
                " stream ends after a terminal state."
            ),
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        },
        204: {"description": "The job has ended and nothing is left to tell: do not reconnect."},
        **problems(404, 422),
    },
)
async def watch_job(
    request: Request,
    job_id: JobId,
    last_event_id: LastEventId = None,
    after: Annotated[int, Query(ge=0, le=2**53, description="As Last-Event-ID.")] = 0,
) -> Response:
    """Watch a job; resume after a break with the header Last-Event-ID."""
    gateway = gateway_of(request)
    ledger = gateway.parts.ledger
    after = last_event_id or after
    job = await ledger.get(checked_id(job_id, "job"), tenant=caller(request).tenant)
    if job.state in TERMINAL and not await ledger.events(job.id, after=after, limit=1):
        return Response(status_code=204)
    refusal = gateway.streams.refusal(job.request.tenant)
    if refusal:
        raise Unavailable(refusal, hint="come again in a moment, or ask for the job itself")
    request.state.stream = True
    return StreamingResponse(
        _stream(gateway, request, job, after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _stream(gateway: Gateway, request: Request, job: Job, after: int) -> AsyncIterator[bytes]:
    tenant = job.request.tenant
    try:
        with (
            gateway.streams.one(tenant),
            gateway.watcher.subscribe(job.id, after=after) as subscription,
        ):
            yield _RETRY
            while not gateway.watcher.closed:
                events = await subscription.batch(timeout_s=gateway.config.heartbeat_s)
                yield b"".join(map(_message, events)) or _HEARTBEAT
                if await _over(gateway, request, job, subscription, events):
                    return
            yield _ELSEWHERE
    except QuetzalError:
        return  # the client resumes by Last-Event-ID and is told then


async def _over(
    gateway: Gateway,
    request: Request,
    job: Job,
    subscription: Subscription,
    events: tuple[Event, ...],
) -> bool:
    """Say whether the stream ends: the job has, and all is told; or the caller is no longer welcome."""
    if not events:
        await gateway.authenticator.authenticate(request)
    states = [event for event in events if event.type is EventType.STATE]
    if events and not (states and is_end(states[-1])):
        return False
    now = await gateway.parts.ledger.get(job.id, tenant=job.request.tenant)
    if now.state not in TERMINAL:
        return False
    return not await gateway.parts.ledger.events(job.id, after=subscription.after, limit=1)


def _message(event: Event) -> bytes:
    data = json_text(event_document(event))
    return f"id: {event.sequence}\nevent: {event.type.value}\ndata: {data}\n\n".encode()
