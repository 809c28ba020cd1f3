"""JSON bodies that are not read by the framework, because their shape is a kind's affair."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from quetzalcore.gateway.problems import BadRequest, TooLarge, UnsupportedMedia

__all__ = ["check_values", "json_object", "media_type", "parsed_object"]

_MOST_VALUES = 2_000_000  # while they are read, a second or so, nobody else is served


def media_type(request: Request) -> str:
    """Give the body's media type without its parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def json_object(
    request: Request, *, default: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Read a JSON object; an empty body gives the default, if there is one.

    Raises
    ------
    UnsupportedMedia, BadRequest, TooLarge
    """
    body = await request.body()
    if not body and default is not None:
        return dict(default)
    if media_type(request) != "application/json":
        raise UnsupportedMedia("the body is not declared as JSON", hint="send application/json")
    return parsed_object(body)


def check_values(body: bytes) -> None:
    """Refuse JSON of so many values that reading it would hold up everybody; takes a hundredth of that time.

    Raises
    ------
    TooLarge
    """
    if body.count(b",") > _MOST_VALUES:
        raise TooLarge(
            f"the body holds more than {_MOST_VALUES:,} values",
            hint="send them in a file: upload it and name it",
        )


def parsed_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    BadRequest, TooLarge
    """
    check_values(body)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON", hint="send a JSON object") from None
    if not isinstance(document, dict):
        raise BadRequest("the body is not a JSON object", hint="send an object with named values")
    return document
