"""The answers of routes as the documentation describes them."""

from __future__ import annotations

from typing import Any

from quetzalcore.gateway.problems import PROBLEM_JSON
from quetzalcore.gateway.schemas import ProblemView

__all__ = ["COMMON", "SECURED", "problems"]

_WORDS = {
    400: "The request is not well formed.",
    401: "No valid key or session came with the request.",
    403: "The caller may not do this.",
    404: "There is no such thing, or it belongs to another tenant.",
    405: "The path has no such method.",
    408: "The body came too slowly.",
    409: "The thing is in a state that does not allow this.",
    413: "The body or the upload is too large.",
    415: "The media type is not one that this operation reads.",
    416: "The file has no such part.",
    422: "The input cannot be used; where it is wrong is said as exactly as possible.",
    429: "The rate limit or a quota is used up; Retry-After says when to come again.",
    500: "The gateway met an error of its own, or the job failed by a fault of its own.",
    503: "A part of the platform is away; Retry-After says when to come again.",
    507: "The file store or the disk of the database is full: the operator has to make room.",
}
_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Give the documentation of problem answers."""
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": _WORDS[status],
        "content": {
            PROBLEM_JSON: {"schema": {"$ref": f"#/components/schemas/{ProblemView.__name__}"}}
        },
    }
    if status in {429, 503}:
        answer["headers"] = _RETRY
    return answer


# What any route may answer; the guard's answers come with everything but the public routes.
COMMON = problems(400, 500)
SECURED = problems(400, 401, 403, 429, 500, 503)
