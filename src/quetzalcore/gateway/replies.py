"""JSON answers from documents that are built for them; nothing is validated a second time."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

__all__ = ["json_text", "reply"]


def reply(
    document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Give the answer that carries a document."""
    return Response(json_text(document), status, headers=headers, media_type="application/json")


def json_text(document: object) -> str:
    """Write JSON that every parser reads: NaN and infinities, which a job may give, become null."""
    try:
        return json.dumps(document, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(document), separators=(",", ":"))


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
