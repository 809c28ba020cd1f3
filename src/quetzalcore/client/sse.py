"""Server-sent events, read line by line; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["JobEvent", "parse_events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One event of a job: ``type`` is progress, log, state or result."""

    sequence: int
    type: str
    data: Mapping[str, Any]


def parse_events(lines: Iterable[str]) -> Iterator[JobEvent]:
    """Give the events in a stream's lines; comments and unknown fields are skipped, as the standard says."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            fields[name] = (
                f"{fields[name]}\n{value}" if name == "data" and name in fields else value
            )
            continue
        if "data" in fields:
            yield JobEvent(
                sequence=int(fields.get("id") or 0),
                type=fields.get("event", "message"),
                data=json.loads(fields["data"]),
            )
        fields = {}
