"""What is said over a supervisor's control socket: one JSON object a line, one answer for each; nothing unknown is taken.

``{"do": "status"}``, ``{"do": "launch", "name": ..., "epoch": ...}``, ``{"do": "terminate", "id": ..., "epoch": ...}``,
``{"do": "scale", "instances": ...}``, ``{"do": "restart", "service": ..., "count": ...}``, ``{"do": "stop"}``,
``{"do": "reopen_logs"}``. An answer is ``{"ok": true, ...}`` or ``{"ok": false, "code", "detail", "hint"}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from quetzalcore.errors import BadParameter, QuetzalError, Retryable

__all__ = [
    "SOCKET",
    "LaunchRequest",
    "NoRoom",
    "OldLeader",
    "ReopenLogsRequest",
    "Request",
    "RestartRequest",
    "ScaleRequest",
    "StatusRequest",
    "StopRequest",
    "TerminateRequest",
    "answer_line",
    "parsed_answer",
    "parsed_request",
    "refusal_line",
    "request_line",
]

SOCKET = "supervisor.sock"

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_MOST = 10_000
_HINT = "update both sides to the same version"


class NoRoom(Retryable):
    """There are as many instances as there may be."""

    code = "no_room"
    title = "No room for another instance"


class OldLeader(QuetzalError):
    """A later leader has given orders already."""

    code = "stale_epoch"
    title = "No longer the leader"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRequest:
    """Tell how everything is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """One more instance, under a name that is given once; ``epoch`` is the leader's, 0 for a person's."""

    name: str
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateRequest:
    """One instance less: this one, if it is there."""

    id: str
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleRequest:
    """So many instances."""

    instances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRequest:
    """New processes for all instances, for ``count`` of them (0: all), or for one service."""

    service: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """End everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenLogsRequest:
    """Go on in the files that now have the logs' names."""


Request = (
    StatusRequest
    | LaunchRequest
    | TerminateRequest
    | ScaleRequest
    | RestartRequest
    | StopRequest
    | ReopenLogsRequest
)

_REQUESTS: Mapping[str, type[Request]] = {
    "status": StatusRequest,
    "launch": LaunchRequest,
    "terminate": TerminateRequest,
    "scale": ScaleRequest,
    "restart": RestartRequest,
    "stop": StopRequest,
    "reopen_logs": ReopenLogsRequest,
}
_WORDS = {kind: word for word, kind in _REQUESTS.items()}


def request_line(request: Request) -> bytes:
    """Write a request."""
    return _line({"do": _WORDS[type(request)], **asdict(request)})


def parsed_request(line: bytes) -> Request:
    """Read a request.

    Raises
    ------
    BadParameter
        If it is not exactly one of those that there are.
    """
    document = _document(line)
    kind = _REQUESTS.get(str(document.pop("do", "")))
    if kind is None:
        raise BadParameter("the request is none that is known", hint=_HINT)
    known = {field.name: field for field in fields(kind)}
    needed = {name for name, field in known.items() if field.default is MISSING}
    if not needed <= set(document) <= set(known):
        raise BadParameter("the request has other fields than it must have", hint=_HINT)
    for name, value in document.items():
        _check(name, value, whole=known[name].type in {"int", int})
    return kind(**document)


def answer_line(**values: Any) -> bytes:  # noqa: ANN401 -- JSON
    """Write an answer to a request that was done."""
    return _line({"ok": True, **values})


def refusal_line(error: QuetzalError) -> bytes:
    """Write an answer to a request that was refused."""
    return _line({"ok": False, "code": error.code, "detail": error.detail, "hint": error.hint})


def parsed_answer(line: bytes) -> dict[str, Any]:
    """Read an answer.

    Raises
    ------
    BadParameter
        If it is none.
    """
    document = _document(line)
    if not isinstance(document.get("ok"), bool):
        raise BadParameter("the answer does not say whether it was done", hint=_HINT)
    return document


def _check(name: str, value: object, *, whole: bool) -> None:
    if whole:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        least = 1 if name == "instances" else 0
        if not good or (name != "epoch" and not least <= int(str(value)) <= _MOST):
            raise BadParameter(f"{name} is {value!r}", hint=f"give a whole number from {least}")
    elif not isinstance(value, str) or not (_NAME.fullmatch(value) or (name, value) == _NO_SERVICE):
        raise BadParameter(f"{name} is not a name", hint="use letters, digits, dots and dashes")


_NO_SERVICE = ("service", "")


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


def _document(line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise BadParameter("the line is not a JSON object", hint=_HINT)
    return document
