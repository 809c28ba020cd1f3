"""The files that jobs made, and the signed links by which agents move files."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from quetzalcore.gateway.answers import COMMON, SECURED, problems
from quetzalcore.gateway.bodies import body_chunks
from quetzalcore.gateway.files import artifact_answer
from quetzalcore.gateway.guard import Access, Bodies, guarded
from quetzalcore.gateway.instance import caller, gateway_of
from quetzalcore.gateway.names import checked_id, missing
from quetzalcore.gateway.parameters import JobId
from quetzalcore.jobs.links import verify
from quetzalcore.jobs.model import Artifact, JobState

__all__ = ["blobs", "router"]

_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, with its SHA-256 as ETag.",
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {
        "description": "The part that Range asks for.",
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "The client has it: If-None-Match names its ETag."},
}
ArtifactName = Annotated[
    str, Path(description="The file's name, with its folders.", examples=["grids/tmi.tif"])
]
Download = Annotated[bool, Query(description="Save it instead of showing it.")]

router = APIRouter(
    prefix="/api/jobs", tags=["jobs"], route_class=guarded(Access.USER), responses=SECURED
)
blobs = APIRouter(
    prefix="/api/blobs",
    tags=["blobs"],
    route_class=guarded(Access.PUBLIC, Bodies.UPLOAD),
    responses=COMMON,
)


@router.get(
    "/{job_id}/artifacts/{name:path}",
    operation_id="get_artifact",
    response_class=StreamingResponse,
    responses={**_FILE, **problems(404, 416, 422)},
)
async def get_artifact(
    request: Request,
    job_id: JobId,
    name: ArtifactName,
    download: Download = False,  # noqa: FBT002 -- a query parameter
) -> Response:
    """Download a file that a job made, or a range of it; images and text are shown."""
    request.state.stream = True
    artifact = await _find(request, job_id, name)
    store = gateway_of(request).parts.store
    return artifact_answer(request, store, artifact, download=download)


@router.head(
    "/{job_id}/artifacts/{name:path}",
    operation_id="head_artifact",
    response_class=Response,
    responses={200: {"description": "The headers of the file."}, **problems(404, 422)},
)
async def head_artifact(request: Request, job_id: JobId, name: ArtifactName) -> Response:
    """Ask for a file's size, type and digest."""
    artifact = await _find(request, job_id, name)
    return artifact_answer(request, gateway_of(request).parts.store, artifact, download=False)


@blobs.get(
    "/{token}",
    operation_id="get_blob",
    response_class=StreamingResponse,
    responses={200: _FILE[200], **problems(403, 404, 503)},
)
async def get_blob(request: Request, token: str) -> Response:
    """Fetch the one file that a signed link names; for agents."""
    parts = gateway_of(request).parts
    request.state.stream = True
    grant = verify(token, method="GET", now=parts.clock(), secret=parts.secret)
    file = await parts.store.stat(grant.key)
    return StreamingResponse(
        parts.store.get(grant.key),
        media_type="application/octet-stream",
        headers={"Content-Length": str(file.size)},
    )


@blobs.put(
    "/{token}",
    operation_id="put_blob",
    status_code=204,
    response_class=Response,
    responses=problems(403, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def put_blob(request: Request, token: str) -> Response:
    """Store the one file that a signed link names; for agents. A broken one leaves nothing."""
    parts = gateway_of(request).parts
    request.state.stream = True
    grant = verify(token, method="PUT", now=parts.clock(), secret=parts.secret)
    await parts.store.put(grant.key, body_chunks(request))
    return Response(status_code=204)


async def _find(request: Request, job_id: str, name: str) -> Artifact:
    ledger = gateway_of(request).parts.ledger
    job = await ledger.get(checked_id(job_id, "job"), tenant=caller(request).tenant)
    if job.state is JobState.SUCCEEDED:
        for artifact in job.artifacts:
            if artifact.name == name:
                return artifact
    raise missing("product")
