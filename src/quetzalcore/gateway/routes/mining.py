"""Kinds that users call by their own paths; each submits a job and usually waits for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import APIRouter
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from quetzalcore.errors import BadParameter, Where
from quetzalcore.gateway.answers import SECURED, problems
from quetzalcore.gateway.bodies import held_to
from quetzalcore.gateway.guard import Access, Bodies, charge, guarded
from quetzalcore.gateway.instance import caller, gateway_of
from quetzalcore.gateway.kind_calls import call_kind
from quetzalcore.gateway.multipart import form_parts
from quetzalcore.gateway.parameters import IdempotencyKey, Wait
from quetzalcore.gateway.request_bodies import json_object, media_type, parsed_object
from quetzalcore.gateway.schemas import InputRef, JobView
from quetzalcore.gateway.submission import Wish, input_files
from quetzalcore.gateway.uploading import store_whole
from quetzalcore.jobs.model import InputFile

__all__ = ["flat", "survey"]

_REFERENCES = TypeAdapter(list[InputRef])
_WAITING = {
    202: {
        "model": JobView,
        "description": "The job goes on; Location names it.",
    },
    **problems(404, 409, 415, 422),
}
_RESULT = "The job's result; Location names the job."


def _json_body(model: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- OpenAPI
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}},
                **more,
            },
        }
    }


survey = APIRouter(
    prefix="/api/mining",
    tags=["mining"],
    route_class=guarded(Access.USER, Bodies.UPLOAD),
    responses=SECURED,
)
flat = APIRouter(
    prefix="/api",
    tags=["mining"],
    route_class=guarded(Access.USER, Bodies.COLUMNS),
    responses={**SECURED, **_WAITING},
)


@survey.post(
    "/mag-survey",
    operation_id="run_mag_survey",
    response_model=dict[str, Any],
    response_description=_RESULT,
    responses=_WAITING,
    openapi_extra=_json_body(
        "MagSurveyRequest",
        **{
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "The survey; further files in parts of other names.",
                        },
                        "params": {"type": "string", "description": "The parameters as JSON."},
                    },
                }
            }
        },
    ),
)
async def run_mag_survey(
    request: Request, wait: Wait = None, key: IdempotencyKey = None
) -> Response:
    """Process a magnetic survey: an upload, a file in a form, or columns in JSON."""
    del key
    if media_type(request) == "multipart/form-data":
        request.state.stream = True
        params, inputs = await _from_form(request)
    else:
        config = gateway_of(request).config
        held = held_to(request, limit=config.columns_bytes, config=config)
        await charge(held, gateway_of(request), len(await held.body()))
        params, inputs = await _nested(held)
    return await call_kind(
        request, Wish(kind="mag_survey", params=params, inputs=inputs), wait_s=wait
    )


@flat.post(
    "/mining/discriminate",
    operation_id="discriminate",
    response_model=dict[str, Any],
    response_description=_RESULT,
    openapi_extra=_json_body("DiscriminateRequest"),
)
async def discriminate(request: Request, wait: Wait = None, key: IdempotencyKey = None) -> Response:
    """Tell which kinds of sources explain anomalies, with probabilities."""
    del key
    return await _flat(request, "discriminate", wait)


@flat.post(
    "/mining/target-drills",
    operation_id="target_drills",
    response_model=dict[str, Any],
    response_description=_RESULT,
    openapi_extra=_json_body("TargetDrillsRequest"),
)
async def target_drills(
    request: Request, wait: Wait = None, key: IdempotencyKey = None
) -> Response:
    """Rank drill targets."""
    del key
    return await _flat(request, "target_drills", wait)


@flat.post(
    "/mining/cost-analysis",
    operation_id="cost_analysis",
    response_model=dict[str, Any],
    response_description=_RESULT,
    openapi_extra=_json_body("CostAnalysisRequest"),
)
async def cost_analysis(
    request: Request, wait: Wait = None, key: IdempotencyKey = None
) -> Response:
    """Say what a survey costs, what it would detect, and whether it pays."""
    del key
    return await _flat(request, "cost_analysis", wait)


@flat.post(
    "/geophysics/igrf",
    operation_id="igrf",
    response_model=dict[str, Any],
    response_description=_RESULT,
    openapi_extra=_json_body("IgrfRequest"),
    tags=["geophysics"],
)
async def igrf(request: Request, wait: Wait = None, key: IdempotencyKey = None) -> Response:
    """Give the Earth's main field at points."""
    del key
    return await _flat(request, "igrf", wait)


@flat.post(
    "/wasm/run",
    operation_id="run_wasm",
    response_model=dict[str, Any],
    response_description=_RESULT,
    openapi_extra=_json_body("WasmRequest"),
    tags=["wasm"],
)
async def run_wasm(request: Request, wait: Wait = None, key: IdempotencyKey = None) -> Response:
    """Run a WebAssembly module over an input, inside a VM."""
    del key
    params, inputs = await _nested(request)
    return await call_kind(request, Wish(kind="wasm", params=params, inputs=inputs), wait_s=wait)


async def _flat(request: Request, kind: str, wait_s: float | None) -> Response:
    """Call a kind whose parameters are the body itself, beside the files that it names."""
    body = await json_object(request)
    inputs = await _named_files(request, body)
    return await call_kind(request, Wish(kind=kind, params=body, inputs=inputs), wait_s=wait_s)


async def _nested(request: Request) -> tuple[dict[str, Any], tuple[InputFile, ...]]:
    """Read a body that has the parameters in ``params``, beside files or columns."""
    body = await json_object(request)
    inputs = await _named_files(request, body)
    columns = body.pop("columns", None)
    if columns is not None:
        inputs = (await _columns_file(request, columns), *inputs)
    params = body.pop("params", {})
    if body or not isinstance(params, Mapping):
        field = next(iter(body), "params")
        raise BadParameter(
            f"the body's {field[:60]!r} is not what is read here",
            hint="give upload_id, inputs or columns, and params as an object",
            where=Where(field=field[:60]),
        )
    return dict(params), inputs


async def _named_files(request: Request, body: dict[str, Any]) -> tuple[InputFile, ...]:
    given = body.pop("inputs", None) or []
    upload_id = body.pop("upload_id", None)
    if upload_id is not None:
        given = [{"upload_id": upload_id}, *(given if isinstance(given, list) else [given])]
    try:
        references = _REFERENCES.validate_python(given)
    except ValidationError as error:
        place = error.errors(include_url=False)[0]["loc"]
        raise BadParameter(
            "the inputs are not named as they should be",
            hint='write {"upload_id": "..."} or {"job_id": "...", "artifact": "..."}',
            where=Where(field=".".join(map(str, ("inputs", *place)))[:100]),
        ) from None
    return await input_files(gateway_of(request), caller(request), references)


async def _columns_file(request: Request, columns: object) -> InputFile:
    """Keep columns as the file that a VM will read; nobody looks into it here."""
    if not isinstance(columns, Mapping):
        raise BadParameter(
            "columns is not an object",
            hint='write {"columns": {"easting": [...], "tmi": [...]}}',
            where=Where(field="columns"),
        )
    text = json.dumps({"columns": columns}).encode()

    async def whole() -> AsyncIterator[bytes]:
        yield text

    upload = await store_whole(gateway_of(request), caller(request), "columns.json", whole())
    return InputFile(
        name=upload.filename, key=upload.key, size=upload.received, sha256=upload.sha256
    )


async def _from_form(request: Request) -> tuple[dict[str, Any], tuple[InputFile, ...]]:
    gateway, who = gateway_of(request), caller(request)
    files: list[InputFile] = []
    params: dict[str, Any] = {}
    async for part in form_parts(request):
        if part.name == "params":
            params = parsed_object(await part.text(gateway.config.json_bytes) or b"{}")
        else:
            upload = await store_whole(gateway, who, part.filename or part.name, part.chunks)
            files.append(
                InputFile(
                    name=upload.filename,
                    key=upload.key,
                    size=upload.received,
                    sha256=upload.sha256,
                )
            )
    return params, tuple(files)
