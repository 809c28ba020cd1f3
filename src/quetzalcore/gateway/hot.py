"""The one route that is asked a thousand times a second, served past the framework's layers.

The framework would find the same guard and the same function by way of its routers, parameter
solving and exit stacks, which take longer than reading the job.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from quetzalcore.gateway.guard import Access, authenticate
from quetzalcore.gateway.instance import gateway_of
from quetzalcore.gateway.routes.jobs import get_job

__all__ = ["hot_path"]

_PREFIX = "/api/jobs/"


@dataclass(frozen=True, slots=True)
class _Route:
    path: str


_JOB = _Route("/api/jobs/{job_id}")


def hot_path(scope: Scope) -> ASGIApp | None:
    """Give what serves a read of one job; None for every other request."""
    path: str = scope["path"]
    if scope["method"] != "GET" or not path.startswith(_PREFIX):
        return None
    job_id = path[len(_PREFIX) :]
    if not job_id or "/" in job_id:
        return None
    scope["route"] = _JOB
    scope["path_params"] = {"job_id": job_id}
    return _read_job


async def _read_job(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    await authenticate(request, gateway_of(request), Access.USER)
    response = await get_job(request, scope["path_params"]["job_id"])
    await response(scope, receive, send)
