"""Parameters that several routes take."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Path, Query

__all__ = ["IdempotencyKey", "JobId", "LastEventId", "NoWait", "UploadId", "Wait"]

_ID = "01kaj3v7q4h2m8s0c5x9tzy6wd"

JobId = Annotated[str, Path(description="The job's id.", examples=[_ID])]
UploadId = Annotated[str, Path(description="The upload's id.", examples=[_ID])]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        pattern=r"^[ -~]*$",
        description="A repeated call with the same key gives the first call's job.",
    ),
]
LastEventId = Annotated[
    int | None,
    Header(alias="Last-Event-ID", ge=0, le=2**53, description="Resume after this event."),
]
NoWait = Annotated[
    float, Query(ge=0, le=3600, description="Wait up to this many seconds for the job's end.")
]
Wait = Annotated[
    float | None,
    Query(ge=0, le=3600, description="Seconds to wait for the result; default 30, at most 60."),
]
