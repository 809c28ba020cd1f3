"""JSON bodies that are not read by the framework, because their shape is a kind's affair."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from quetzalcore.gateway.problems import BadRequest, UnsupportedMedia

__all__ = ["json_object", "media_type", "parsed_object"]


def media_type(request: Request) -> str:
    """Give the body's media type without its parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def json_object(
    request: Request, *, default: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Read a JSON object; an empty body gives the default, if there is one.

    Raises
    ------
    UnsupportedMedia, BadRequest
    """
    body = await request.body()
    if not body and default is not None:
        return dict(default)
    if media_type(request) != "application/json":
        raise UnsupportedMedia("the body is not declared as JSON", hint="send application/json")
    return parsed_object(body)


def parsed_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    BadRequest
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON", hint="send a JSON object") from None
    if not isinstance(document, dict):
        raise BadRequest("the body is not a JSON object", hint="send an object with named values")
    return document
