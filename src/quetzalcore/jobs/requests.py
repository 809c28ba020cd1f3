"""When two requests ask for the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from quetzalcore.jobs.model import JobRequest

__all__ = ["digest_of"]


def digest_of(request: JobRequest) -> str:
    """Give the same text for requests that ask for the same, even if their inputs were uploaded anew.

    What was assumed for the caller, today's date for one, may have changed between them.
    """
    document = asdict(request)
    if assumed := document.pop("assumed"):
        document["reuse_key"] = bool(document["reuse_key"])  # it rests on what was assumed
        for path in assumed:
            document["params"] = _without(document["params"], path)
    for name in ("idempotency_key", "request_id"):
        del document[name]
    for file in document["inputs"]:
        del file["key"]
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()


def _without(params: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Leave out the parameter at a dotted path."""
    head, _, rest = path.partition(".")
    if not rest:
        return {name: value for name, value in params.items() if name != head}
    return {**params, head: _without(params[head], rest)}
