"""The OpenAPI document: what the framework derives, and what it cannot know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from quetzalcore.gateway import schemas
from quetzalcore.gateway.answers import problems
from quetzalcore.gateway.body_shapes import body_models
from quetzalcore.gateway.examples import PROBLEMS, REQUESTS, RESULTS
from quetzalcore.gateway.problems import PROBLEM_JSON
from quetzalcore.gateway.schemas import EventView, ProblemView, UploadRequest
from quetzalcore.workloads.kind import Kind

__all__ = ["describe"]

_MODE: Literal["validation"] = "validation"
_TEMPLATE = "#/components/schemas/{model}"
_PUBLIC = frozenset(
    {"health", "api_health", "live", "ready", "metrics", "log_in", "get_blob", "put_blob"}
)
_WITH_BODY = frozenset({"post", "put", "patch"})
_CHANGING = _WITH_BODY | {"delete"}
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
        *body_models(kinds),
    ]
    _, extra = models_json_schema([(model, _MODE) for model in models], ref_template=_TEMPLATE)
    components = document.setdefault("components", {})
    components["schemas"] = dict(
        sorted({**components.get("schemas", {}), **extra["$defs"]}.items())
    )
    _show_models(components["schemas"])
    components["securitySchemes"] = _SCHEMES
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for path in document["paths"].values():
        for method, operation in path.items():
            _complete(method, operation)
    return document


def _show_models(described: dict[str, Any]) -> None:
    """Put the models' examples back, from which the framework drops what is null; lists show one item."""
    for name in schemas.__all__:
        model = getattr(schemas, name)
        extra = getattr(model, "model_config", {}).get("json_schema_extra")
        if name in described and isinstance(extra, dict):
            described[name]["example"] = extra["example"]
    for schema in described.values():
        if list(schema.get("properties", {})) == ["items"]:
            item = schema["properties"]["items"]["items"]["$ref"].rpartition("/")[2]
            schema["example"] = {"items": [described[item]["example"]]}


def _complete(method: str, operation: dict[str, Any]) -> None:
    """Add what every operation of its sort may answer, who may call it, and examples."""
    name = operation["operationId"]
    operation["security"] = [] if name in _PUBLIC else _SECURITY
    operation["summary"] = operation["summary"].replace("Api ", "")
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    if method in _WITH_BODY:
        answers.update({str(key): value for key, value in problems(408, 413).items()})
    if method in _CHANGING:
        answers.update({str(key): value for key, value in problems(507).items()})
    for status, answer in answers.items():
        if int(status) >= 400:  # noqa: PLR2004 -- the classes of HTTP
            _show_problem(int(status), answer, name)
    _show(operation.get("requestBody"), REQUESTS.get(name))
    _show(answers.get("200"), RESULTS.get(name))
    operation["responses"] = dict(sorted(answers.items()))


def _show(part: dict[str, Any] | None, example: object) -> None:
    if part is not None and example is not None:
        part["content"]["application/json"]["example"] = example


def _show_problem(status: int, answer: dict[str, Any], name: str) -> None:
    code, title, detail, hint = PROBLEMS[status]
    answer["content"] = {
        PROBLEM_JSON: {
            **answer["content"][PROBLEM_JSON],
            "example": {
                "type": f"urn:quetzalcore:problem:{code}",
                "title": title,
                "status": status,
                "detail": detail,
                "code": code,
                "hint": hint,
                "where": {},
                "instance": f"/{name}",
                "request_id": "01kaj3v7q4h2m8s0c5x9tzy6wd",
            },
        }
    }
