"""When two requests ask for the same."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from quetzalcore.jobs.model import JobRequest

__all__ = ["digest_of"]


def digest_of(request: JobRequest) -> str:
    """Give the same text for requests that ask for the same, even if their inputs were uploaded anew."""
    document = asdict(request)
    for name in ("idempotency_key", "request_id"):
        del document[name]
    for file in document["inputs"]:
        del file["key"]
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()
