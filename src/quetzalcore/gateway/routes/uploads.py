"""Uploads: at once, or resumable in the manner of tus."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from quetzalcore.gateway.answers import SECURED, problems
from quetzalcore.gateway.bodies import body_chunks, declared_length
from quetzalcore.gateway.documents import upload_document
from quetzalcore.gateway.guard import Access, Bodies, guarded
from quetzalcore.gateway.instance import caller, gateway_of
from quetzalcore.gateway.kind_calls import call_kind
from quetzalcore.gateway.multipart import form_parts
from quetzalcore.gateway.names import checked_id, checked_text
from quetzalcore.gateway.parameters import UploadId, Wait
from quetzalcore.gateway.problems import BadRequest
from quetzalcore.gateway.replies import reply
from quetzalcore.gateway.request_bodies import json_object, media_type
from quetzalcore.gateway.schemas import InputRef, JobView, UploadRequest, UploadView
from quetzalcore.gateway.submission import Wish, input_files
from quetzalcore.gateway.uploading import WrongOffset, append, begin, finish, store_whole
from quetzalcore.jobs.uploads import Upload

__all__ = ["inspections", "router"]

router = APIRouter(
    prefix="/api/uploads",
    tags=["uploads"],
    route_class=guarded(Access.USER, Bodies.UPLOAD),
    responses=SECURED,
)
inspections = APIRouter(
    prefix="/api/uploads",
    tags=["uploads"],
    route_class=guarded(Access.USER),
    responses=SECURED,
)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_OFFSET = {"Upload-Offset": {"description": "Bytes that are there.", "schema": {"type": "integer"}}}
_CREATE_BODY = {
    "description": "JSON begins a resumable upload; anything else is the file itself.",
    "required": True,
    "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/UploadRequest"}},
        "application/octet-stream": _BINARY,
        "text/csv": _BINARY,
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
    },
}


@router.post(
    "",
    operation_id="create_upload",
    status_code=201,
    response_model=UploadView,
    response_description="Begun, or complete if the body was the file; Location names it.",
    responses=problems(422),
    openapi_extra={"requestBody": _CREATE_BODY},
)
async def create_upload(
    request: Request,
    filename: Annotated[
        str, Query(max_length=1024, description="Of a file that is the body itself.")
    ] = "upload",
) -> Response:
    """Upload a file at once, or begin a resumable upload and go on with PATCH."""
    gateway, who = gateway_of(request), caller(request)
    kind = media_type(request)
    request.state.stream = True
    if kind == "application/json":
        upload = await _begin(request)
    elif kind == "multipart/form-data":
        upload = await _from_form(request)
    else:
        upload = await store_whole(
            gateway, who, filename, body_chunks(request), size=declared_length(request)
        )
    return reply(
        upload_document(upload), 201, {"Location": f"/api/uploads/{upload.id}", **_headers(upload)}
    )


@router.patch(
    "/{upload_id}",
    operation_id="append_upload",
    response_model=UploadView,
    response_description="What is there now; complete as soon as the declared size is reached.",
    responses={200: {"headers": _OFFSET}, **problems(404, 409, 422)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": _BINARY,
                "application/offset+octet-stream": _BINARY,
            },
        }
    },
)
async def append_upload(
    request: Request,
    upload_id: UploadId,
    upload_offset: Annotated[
        int, Header(ge=0, le=2**53, description="Where these bytes belong: what HEAD says.")
    ],
    upload_complete: Annotated[
        str | None, Header(pattern=r"^\?[01]$", description="?1: these are the last bytes.")
    ] = None,
) -> Response:
    """Add bytes to an upload; after a break, ask HEAD for the offset and go on from there."""
    gateway, who = gateway_of(request), caller(request)
    request.state.stream = True
    upload = await gateway.parts.uploads.get(checked_id(upload_id, "upload"), tenant=who.tenant)
    if upload.complete and upload_offset == upload.received and not declared_length(request):
        return reply(upload_document(upload), headers=_headers(upload))
    if upload.complete:
        raise WrongOffset(upload.received)
    upload = await append(gateway, upload, upload_offset, body_chunks(request))
    if upload_complete == "?1" or upload.received == upload.declared_size:
        upload = await finish(gateway, upload)
    return reply(upload_document(upload), headers=_headers(upload))


@router.get(
    "/{upload_id}",
    operation_id="get_upload",
    response_model=UploadView,
    responses={200: {"headers": _OFFSET}, **problems(404)},
)
async def get_upload(request: Request, upload_id: UploadId) -> Response:
    """Ask how an upload stands."""
    upload = await gateway_of(request).parts.uploads.get(
        checked_id(upload_id, "upload"), tenant=caller(request).tenant
    )
    return reply(upload_document(upload), headers=_headers(upload))


@router.head(
    "/{upload_id}",
    operation_id="head_upload",
    responses={
        200: {"headers": _OFFSET, "description": "How it stands, in headers."},
        **problems(404),
    },
    response_class=Response,
)
async def head_upload(request: Request, upload_id: UploadId) -> Response:
    """Ask at which offset to go on."""
    upload = await gateway_of(request).parts.uploads.get(
        checked_id(upload_id, "upload"), tenant=caller(request).tenant
    )
    return Response(headers=_headers(upload))


@inspections.post(
    "/{upload_id}/inspect",
    operation_id="inspect_upload",
    response_model=dict[str, Any],
    response_description="Columns, units, coordinate system, lines, first rows and warnings.",
    openapi_extra={
        "requestBody": {
            "required": False,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/InspectRequest"}}
            },
        }
    },
    responses={
        202: {"model": JobView, "description": "The job goes on; Location names it."},
        **problems(404, 409, 415, 422),
    },
)
async def inspect_upload(request: Request, upload_id: UploadId, wait: Wait = None) -> Response:
    """Look into an uploaded file: it is opened inside a VM."""
    reference = InputRef(upload_id=checked_id(upload_id, "upload"))
    inputs = await input_files(gateway_of(request), caller(request), [reference])
    params = await json_object(request, default={})
    return await call_kind(request, Wish(kind="inspect", params=params, inputs=inputs), wait_s=wait)


async def _begin(request: Request) -> Upload:
    config = gateway_of(request).config
    body = bytearray()
    async for chunk in body_chunks(request):
        body += chunk
        if len(body) > config.json_bytes:
            raise BadRequest(
                "the JSON that begins an upload is too long",
                hint="send a JSON file as application/octet-stream",
            )
    checked_text(bytes(body))
    try:
        wanted = UploadRequest.model_validate(json.loads(body))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from None
    except (ValueError, RecursionError):
        raise BadRequest(
            "the body is not JSON", hint="send an object with filename and size"
        ) from None
    return await begin(gateway_of(request), caller(request), wanted.filename, wanted.size)


async def _from_form(request: Request) -> Upload:
    gateway, who = gateway_of(request), caller(request)
    async for part in form_parts(request):
        if part.name == "file":
            return await store_whole(gateway, who, part.filename or "upload", part.chunks)
    raise BadRequest("the form has no part named file", hint="send the file in a part named file")


def _headers(upload: Upload) -> dict[str, str]:
    length = {} if upload.declared_size is None else {"Upload-Length": str(upload.declared_size)}
    return {
        "Upload-Offset": str(upload.received),
        "Upload-Complete": "?1" if upload.complete else "?0",
        **length,
    }
