"""The OpenAPI document: what the framework derives, and what it cannot know."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import models_json_schema

from quetzalcore.gateway.schemas import EventView, IdText, InputRef, ProblemView, UploadRequest
from quetzalcore.workloads.kind import Kind

__all__ = ["describe"]

_MODE: Literal["validation"] = "validation"
_TEMPLATE = "#/components/schemas/{model}"
_PUBLIC = frozenset({"health", "api_health", "live", "ready", "log_in", "get_blob", "put_blob"})
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"api_key": []}, {"session": []}]
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key."},
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "quetzal_session",
        "description": "From log_in. Changes also need the header X-CSRF-Token with its csrf_token.",
    },
}
_INTRODUCTION = """Jobs on magnetic surveys, in isolated VMs.

Errors are problem documents (RFC 9457) with a `code` for programs, a `detail` and a `hint` for people, and
`where` the input is wrong. Every answer carries `X-Request-ID`. Things of other tenants do not exist: 404.

**WebSocket.** `/ws` watches many jobs at once (key in a header, or session with an `Origin` of this server). Send
`{"type": "subscribe", "job_id": "...", "after": 0}`, `{"type": "unsubscribe", "job_id": "..."}` or
`{"type": "ping"}`; receive `EventView` messages, `{"type": "end", "job_id"}` after a job's last,
`{"type": "pong"}`, and `{"type": "error", "job_id", "problem"}`."""


class _Shape(StrEnum):
    """How a body carries a kind's parameters."""

    NESTED = "nested"  # in ``params``, beside files or columns
    FLAT = "flat"  # as the body itself, beside files
    BARE = "bare"  # as the body itself; the path names the file


_BODIES = (
    ("MagSurveyRequest", "mag_survey", _Shape.NESTED),
    ("WasmRequest", "wasm", _Shape.NESTED),
    ("DiscriminateRequest", "discriminate", _Shape.FLAT),
    ("TargetDrillsRequest", "target_drills", _Shape.FLAT),
    ("CostAnalysisRequest", "cost_analysis", _Shape.FLAT),
    ("IgrfRequest", "igrf", _Shape.FLAT),
    ("InspectRequest", "inspect", _Shape.BARE),
)


def describe(app: FastAPI, kinds: Mapping[str, Kind]) -> None:
    """Make the application give our document, built once when it is first asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, kinds)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it


def _document(app: FastAPI, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=_INTRODUCTION, routes=app.routes
    )
    models: list[type[BaseModel]] = [
        ProblemView,
        UploadRequest,
        EventView,
        *(_body(*each, kinds) for each in _BODIES),
    ]
    _, extra = models_json_schema([(model, _MODE) for model in models], ref_template=_TEMPLATE)
    components = document.setdefault("components", {})
    components["schemas"] = dict(
        sorted({**components.get("schemas", {}), **extra["$defs"]}.items())
    )
    components["securitySchemes"] = _SCHEMES
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for path in document["paths"].values():
        for operation in path.values():
            _complete(operation)
    return document


def _complete(operation: dict[str, Any]) -> None:
    public = operation["operationId"] in _PUBLIC
    operation["security"] = [] if public else _SECURITY
    answers = operation["responses"]
    if "422" in answers and "HTTPValidationError" in str(answers["422"]):
        del answers["422"]
    operation["responses"] = dict(sorted(answers.items()))


def _body(name: str, kind_name: str, shape: _Shape, kinds: Mapping[str, Kind]) -> type[BaseModel]:
    kind = kinds.get(kind_name)
    params = _AnyParams if kind is None else kind.params
    fields: dict[str, Any] = {}
    if shape is not _Shape.BARE and (kind is None or kind.inputs[1] > 0):
        fields["upload_id"] = (IdText | None, Field(default=None, description="One input."))
        fields["inputs"] = (list[InputRef], Field(default=[], max_length=64))
    if shape is not _Shape.NESTED:
        return create_model(name, __base__=params, **fields)
    fields["columns"] = (
        dict[str, list[float | str | None]] | None,
        Field(default=None, description="A table by columns, in place of a file."),
    )
    fields["params"] = (params, Field(default={}))
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


class _AnyParams(BaseModel):
    """Parameters of a kind that this server does not have."""
