"""What is wrong with a request's values, said of the first that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quetzalcore.gateway.problems import BadRequest, Problem, problem_of

__all__ = ["problem_of_validation"]

_SHOWN = 60


def problem_of_validation(errors: Sequence[Any]) -> Problem:
    """Give the problem; malformed JSON is a bad request, everything else input that cannot be used."""
    first = errors[0]
    kind, place = str(first["type"]), [str(part) for part in first["loc"]]
    if kind == "json_invalid":
        return problem_of(BadRequest("the body is not JSON", hint="send a JSON object"))
    field = ".".join(
        place[1:] if place[:1] in (["body"], ["query"], ["header"], ["path"]) else place
    )
    return Problem(
        status=422,
        code="bad_parameter",
        title="A parameter is wrong",
        detail=_detail(kind, field),
        hint=_hint(str(first["msg"])),
        where={"field": field[:200]} if field else {},
    )


def _detail(kind: str, field: str) -> str:
    shown = field if len(field) <= _SHOWN else f"{field[:_SHOWN]}..."
    if kind == "missing":
        return f"{shown or 'the body'} is missing"
    if kind == "extra_forbidden":
        return f"there is no field {shown}"
    return f"{shown or 'the body'} is not what is expected"


def _hint(message: str) -> str:
    plain = message.removeprefix("Value error, ").rstrip(".")
    return plain[:1].lower() + plain[1:]
