"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from starlette.responses import Response

from quetzalcore.errors import Permanent, QuetzalError, Retryable, UserMistake
from quetzalcore.jobs.model import Failure, Remedy

__all__ = [
    "PROBLEM_JSON",
    "BadRequest",
    "MethodNotAllowed",
    "Problem",
    "RangeNotSatisfiable",
    "SlowBody",
    "TooLarge",
    "TooManyRequests",
    "Unavailable",
    "UnsupportedMedia",
    "problem_of",
    "problem_of_failure",
    "problem_of_status",
]

_log = structlog.get_logger("quetzalcore.gateway")
PROBLEM_JSON = "application/problem+json"
_RETRY_AFTER_S = 2


class BadRequest(UserMistake):
    """A request that is not well formed."""

    code = "bad_request"
    title = "The request is not well formed"


class MethodNotAllowed(UserMistake):
    """A path that exists, with a method that it does not have."""

    code = "method_not_allowed"
    title = "Method not allowed"


class TooLarge(UserMistake):
    """A body or an upload beyond the limit."""

    code = "too_large"
    title = "Too large"


class SlowBody(UserMistake):
    """A body of which nothing, or too little, comes."""

    code = "slow_body"
    title = "The request came too slowly"


class UnsupportedMedia(UserMistake):
    """A body of a media type that the operation does not read."""

    code = "unsupported_media_type"
    title = "Unsupported media type"


class RangeNotSatisfiable(UserMistake):
    """A byte range outside the file."""

    code = "range_not_satisfiable"
    title = "No such part of the file"

    def __init__(self, size: int) -> None:
        super().__init__(
            f"the file has {size} bytes", hint="ask for a range that begins before its end"
        )
        self.headers = {"Content-Range": f"bytes */{size}"}


class TooManyRequests(UserMistake):
    """The caller's rate limit is used up."""

    code = "too_many_requests"
    title = "Too many requests"

    def __init__(self, retry_after_s: float) -> None:
        seconds = max(1, round(retry_after_s + 0.5))
        super().__init__(
            "the rate limit is used up", hint=f"wait {seconds} s before the next request"
        )
        self.headers = {"Retry-After": str(seconds)}


class Unavailable(Retryable):
    """A part of the platform that is needed is away."""

    code = "unavailable"
    title = "Not available now"


_STATUS_OF_CODE = {
    "bad_request": 400,
    "not_authenticated": 401,
    "forbidden": 403,
    "bad_link": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "slow_body": 408,
    "conflict": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "quota_exceeded": 429,
    "too_many_requests": 429,
    "stale_epoch": 503,
    "storage_full": 507,
    "ledger_full": 507,
    "database_full": 507,
}

_AGAIN = "try again in a moment"
_DATABASE_AWAY = ("the platform's database does not take the request", _AGAIN)
_STORE_AWAY = ("the platform's file store does not take the request", _AGAIN)
_DATABASE_FULL = (
    "the disk of the platform's database is full",
    "ask the operator to make room on it, then send the request again",
)
_STORE_FULL = (
    "the platform's file store is full",
    "ask the operator to make room in it, then send the file again",
)
# What names the platform's own places is for its operator: callers are told no more than this.
_OF_OUR_OWN = {
    "database_unavailable": _DATABASE_AWAY,
    "database_full": _DATABASE_FULL,
    "ledger_unavailable": _DATABASE_AWAY,
    "ledger_full": _DATABASE_FULL,
    "ledger_refused": (
        "the platform's database refuses the request",
        "report it with the request's id",
    ),
    "store_unavailable": _STORE_AWAY,
    "store_refused": _STORE_AWAY,
    "storage_full": _STORE_FULL,
}

_CODE_OF_STATUS = {
    status: code
    for code, status in reversed(_STATUS_OF_CODE.items())
    if status not in {503, 507}  # named beside
}
_LEAVE_THE_BODY = frozenset({408, 413, 507})  # the rest of it is not worth reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as a client sees it."""

    status: int
    code: str
    title: str
    detail: str
    hint: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    job_id: str = ""

    def document(self, *, instance: str, request_id: str) -> dict[str, Any]:
        """Give the members of the problem document."""
        document: dict[str, Any] = {
            "type": f"urn:quetzalcore:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "hint": self.hint,
            "where": {
                name: self.where.get(name)
                for name in ("file", "row", "column", "field")
                if self.where.get(name) is not None
            },
            "instance": instance,
            "request_id": request_id,
        }
        if self.job_id:
            document["job_id"] = self.job_id
        return document

    def response(self, *, instance: str, request_id: str) -> Response:
        """Give the answer that carries the problem."""
        body = json.dumps(self.document(instance=instance, request_id=request_id))
        return Response(body, self.status, headers=dict(self.headers), media_type=PROBLEM_JSON)


def problem_of(error: QuetzalError) -> Problem:
    """Say which problem an error of ours is; what only the operator should know of it is logged."""
    status = _STATUS_OF_CODE.get(error.code) or _status_of_branch(error)
    headers = dict(getattr(error, "headers", {}))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="quetzalcore"'
    if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        headers.setdefault("Retry-After", str(_RETRY_AFTER_S))
    if status in _LEAVE_THE_BODY:
        headers["Connection"] = "close"
    where = error.where
    place = {} if where is None else {name: getattr(where, name) for name in where.__slots__}
    detail, hint = error.detail, error.hint
    if error.code in _OF_OUR_OWN:
        _log.warning("gateway.part_away", code=error.code, detail=detail, hint=hint)
        (detail, hint), place = _OF_OUR_OWN[error.code], {}
    return Problem(
        status=status,
        code=error.code,
        title=error.title,
        detail=detail,
        hint=hint,
        where=place,
        headers=headers,
    )


def problem_of_failure(failure: Failure, job_id: str) -> Problem:
    """Say which problem a failed job is to a caller who waited for its result."""
    status = {Remedy.USER: 422, Remedy.RETRY: 503, Remedy.NONE: 500}[failure.remedy]
    return Problem(
        status=status,
        code=failure.code,
        title=failure.title,
        detail=failure.detail,
        hint=failure.hint,
        where=failure.where,
        headers={"Location": f"/api/jobs/{job_id}"}
        | (
            {"Retry-After": str(_RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        ),
        job_id=job_id,
    )


def problem_of_status(
    status: int, detail: str = "", headers: Mapping[str, str] | None = None
) -> Problem:
    """Give the problem for a bare status of the framework, such as 404 or 405."""
    phrase = HTTPStatus(status).phrase
    code = _CODE_OF_STATUS.get(status, "error" if status < 500 else "internal_error")  # noqa: PLR2004 -- the classes of HTTP
    return Problem(
        status=status, code=code, title=phrase, detail=detail or phrase, headers=headers or {}
    )


def _status_of_branch(error: QuetzalError) -> int:
    if isinstance(error, UserMistake):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, Retryable):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR if isinstance(error, Permanent) else 500
