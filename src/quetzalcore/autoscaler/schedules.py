"""Bounds that follow the week: read from one line, and looked up for a moment."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from quetzalcore.autoscaler.model import Bounds, Schedule, Target
from quetzalcore.errors import BadParameter, Where

__all__ = ["bounds_at", "holds_at", "parse_schedule", "schedules_of"]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EXAMPLE = 'write it like "workers mon-fri 07:00-19:00 Africa/Gaborone 4-20"'
_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")
_COUNTS = re.compile(r"(\d{1,6})-(\d{1,6})")
_WITHOUT_ZONE, _WITH_ZONE = 4, 5


def bounds_at(bounds: Bounds, schedules: Sequence[Schedule], now: dt.datetime) -> Bounds:
    """Give the bounds that hold now: of the schedules that hold, the last listed."""
    return next((s.bounds for s in reversed(schedules) if holds_at(s, now)), bounds)


def holds_at(schedule: Schedule, now: dt.datetime) -> bool:
    """Say whether a window is open. One that passes midnight belongs to the day it begins on."""
    local = now.astimezone(ZoneInfo(schedule.timezone))
    at, today = local.time(), local.weekday()
    if schedule.begins < schedule.ends:
        return today in schedule.days and schedule.begins <= at < schedule.ends
    yesterday = (today - 1) % 7
    return (today in schedule.days and at >= schedule.begins) or (
        yesterday in schedule.days and at < schedule.ends
    )


def schedules_of(lines: Iterable[str], target: Target) -> tuple[Schedule, ...]:
    """Read lines and give the schedules of one set, in their order.

    Raises
    ------
    BadParameter
        If any line, of whichever set, cannot be read.
    """
    read = [parse_schedule(line) for line in lines]
    return tuple(schedule for whose, schedule in read if whose is target)


def parse_schedule(line: str) -> tuple[Target, Schedule]:
    """Read ``SET DAYS HH:MM-HH:MM [TIMEZONE] LEAST-MOST``; days like ``mon-fri``, ``sat+sun``, ``daily``.

    Raises
    ------
    BadParameter
        Naming the part that cannot be read.
    """
    parts = line.split()
    if len(parts) not in {_WITHOUT_ZONE, _WITH_ZONE}:
        raise _bad(
            line, f"it has {len(parts)} parts, not a set, days, hours, a timezone and bounds"
        )
    whose, days, hours, *zone, counts = parts
    if whose not in set(Target):
        raise _bad(line, f"there is no set {whose!r} (there are {' and '.join(Target)})")
    begins, ends = _hours(line, hours)
    schedule = Schedule(
        days=_days(line, days),
        begins=begins,
        ends=ends,
        bounds=_bounds(line, counts),
        timezone=_zone(line, zone[0] if zone else "UTC"),
    )
    return Target(whose), schedule


def _days(line: str, text: str) -> frozenset[int]:
    if text.lower() == "daily":
        return frozenset(range(7))
    days: set[int] = set()
    for part in re.split(r"[+,]", text.lower()):
        first, dash, last = part.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise _bad(line, f"{part!r} are no days")
        begin = _DAYS.index(first)
        length = (_DAYS.index(last) - begin) % 7 if dash else 0
        days |= {(begin + step) % 7 for step in range(length + 1)}
    return frozenset(days)


def _hours(line: str, text: str) -> tuple[dt.time, dt.time]:
    begins, _, ends = text.partition("-")
    return _time(line, begins), _time(line, ends)


def _time(line: str, text: str) -> dt.time:
    found = _TIME.fullmatch(text)
    if not found or (found[1] == "24" and found[2] != "00"):
        raise _bad(line, f"{text!r} is no time of day")
    return dt.time(int(found[1]) % 24, int(found[2]))


def _zone(line: str, text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _bad(line, f"there is no timezone {text!r}") from None
    return text


def _bounds(line: str, text: str) -> Bounds:
    found = _COUNTS.fullmatch(text)
    if not found:
        raise _bad(line, f"{text!r} are no bounds")
    least, most = int(found[1]), int(found[2])
    if least > most:
        raise _bad(line, f"the least, {least}, is above the most, {most}")
    return Bounds(least=least, most=most)


def _bad(line: str, what: str) -> BadParameter:
    return BadParameter(
        f"in the schedule {line!r} {what}", hint=_EXAMPLE, where=Where(field="schedules")
    )
