"""Calling a job kind as if it were a function: submit, wait, answer with its result or its problem."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from quetzalcore.gateway.documents import job_document
from quetzalcore.gateway.instance import gateway_of
from quetzalcore.gateway.problems import problem_of, problem_of_failure
from quetzalcore.gateway.replies import reply
from quetzalcore.gateway.submission import Wish, submit, waited_for
from quetzalcore.jobs.ledger import Conflict
from quetzalcore.jobs.model import Job, JobState

__all__ = ["call_kind"]


async def call_kind(
    request: Request,
    wish: Wish,
    *,
    wait_s: float | None = None,
    idempotency_key: str | None = None,
) -> Response:
    """Give 200 with the result, the problem that the job met, or 202 with the job that goes on."""
    gateway = gateway_of(request)
    job, _ = await submit(request, wish, idempotency_key=idempotency_key)
    job = await waited_for(request, job, gateway.config.wait_s if wait_s is None else wait_s)
    return _answer(request, job)


def _answer(request: Request, job: Job) -> Response:
    location = {"Location": f"/api/jobs/{job.id}"}
    if job.state is JobState.SUCCEEDED:
        return reply(job.result or {}, headers=location)
    if job.state is JobState.FAILED and job.failure is not None:
        problem = problem_of_failure(job.failure, job.id)
    elif job.state is JobState.CANCELLED:
        problem = problem_of(Conflict("the job was cancelled", hint="submit it again"))
    else:
        return reply(job_document(job), 202, headers=location)
    return problem.response(instance=request.scope["path"], request_id=request.state.request_id)
