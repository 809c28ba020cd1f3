"""What a load test writes down every second: counts and times by route, outcome and instance.

One JSON object a line, and after each second how things stand, so that a run that is cut off
leaves all but its last second and the jobs that are to be cancelled. Times are
kept in classes 2 % wide: a percentile is right within 1 %, and an hour takes a few megabytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Key", "Record", "Second", "Tally", "class_of", "line_of", "read_record", "time_ms"]

_LEAST_MS = 0.01
_STEP = math.log(1.02)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Key:
    """Requests that are counted together.

    ``status`` is 0 where there was no answer; ``fault`` then says why. ``instance`` is empty where none of
    ours answered: the balancer, or nobody.
    """

    route: str
    status: int
    ok: bool
    instance: str = ""
    fault: str = ""


@dataclass(slots=True, kw_only=True)
class Tally:
    """How many requests, and how long they took."""

    count: int = 0
    sum_ms: float = 0.0
    max_ms: float = 0.0
    classes: dict[int, int] = field(default_factory=dict)

    def add(self, took_ms: float) -> None:
        """Count one request."""
        self.count += 1
        self.sum_ms += took_ms
        self.max_ms = max(self.max_ms, took_ms)
        number = class_of(took_ms)
        self.classes[number] = self.classes.get(number, 0) + 1

    def merge(self, other: Tally) -> None:
        """Count another's requests too."""
        self.count += other.count
        self.sum_ms += other.sum_ms
        self.max_ms = max(self.max_ms, other.max_ms)
        for number, count in other.classes.items():
            self.classes[number] = self.classes.get(number, 0) + count

    @property
    def mean_ms(self) -> float | None:
        """The mean; None of nothing."""
        return self.sum_ms / self.count if self.count else None

    def percentile_ms(self, percent: float) -> float | None:
        """Give the time within which so many percent were answered; None of nothing."""
        needed = max(1, math.ceil(self.count * percent / 100.0))
        for number in sorted(self.classes):
            needed -= self.classes[number]
            if needed <= 0:
                return min(time_ms(number), self.max_ms)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """What was answered in one second of a run, counted from 0."""

    number: int
    users: int
    cpu_percent: float
    tallies: dict[Key, Tally]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A whole run.

    ``ended_s`` is how long requests were begun, None where the run was cut off; ``stopped`` says why it ended
    before its time; ``left_jobs`` are those that were submitted and not cancelled.
    """

    seconds: tuple[Second, ...] = ()
    ended_s: float | None = None
    stopped: str = ""
    left_jobs: tuple[str, ...] = ()


def class_of(took_ms: float) -> int:
    """Give the class of a time."""
    return max(0, math.floor(math.log(max(took_ms, _LEAST_MS) / _LEAST_MS) / _STEP))


def time_ms(number: int) -> float:
    """Give the time in the middle of a class."""
    return _LEAST_MS * math.exp(_STEP * (number + 0.5))


def line_of(second: Second) -> str:
    """Write a second down."""
    rows = [
        {
            "route": key.route,
            "status": key.status,
            "ok": key.ok,
            "instance": key.instance,
            "fault": key.fault,
            "count": tally.count,
            "sum_ms": round(tally.sum_ms, 3),
            "max_ms": round(tally.max_ms, 3),
            "classes": tally.classes,
        }
        for key, tally in second.tallies.items()
    ]
    said = {"second": second.number, "users": second.users, "cpu_percent": second.cpu_percent}
    return json.dumps({**said, "rows": rows}) + "\n"


def read_record(lines: Iterable[str]) -> Record:
    """Read a record; a last line that was cut off is left out, and the last word on the end counts."""
    seconds: list[Second] = []
    end: dict[str, Any] = {}
    for line in lines:
        try:
            said = json.loads(line)
        except ValueError:
            break
        if "second" in said:
            seconds.append(_second(said))
        else:
            end = said
    return Record(
        seconds=tuple(seconds),
        ended_s=end.get("ended_s"),
        stopped=end.get("stopped", ""),
        left_jobs=tuple(end.get("left_jobs", ())),
    )


def _second(said: dict[str, Any]) -> Second:
    tallies = {
        Key(**{name: row[name] for name in Key.__slots__}): Tally(
            count=row["count"],
            sum_ms=row["sum_ms"],
            max_ms=row["max_ms"],
            classes={int(number): count for number, count in row["classes"].items()},
        )
        for row in said["rows"]
    }
    return Second(
        number=said["second"],
        users=said["users"],
        cpu_percent=said["cpu_percent"],
        tallies=tallies,
    )
