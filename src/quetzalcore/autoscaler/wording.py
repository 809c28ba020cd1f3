"""How figures stand in the reasons that people read."""

from __future__ import annotations

import datetime as dt

from quetzalcore.autoscaler.model import Target

__all__ = ["clock", "counted", "figure", "noun", "verb"]


def noun(target: Target) -> str:
    """Give the word for one member of a set."""
    return "worker" if target is Target.WORKERS else "instance"


def counted(count: int, word: str) -> str:
    """Give ``1 worker``, ``2 workers``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def verb(count: int, one: str, many: str) -> str:
    """Choose the form that goes with a count."""
    return one if count == 1 else many


def figure(value: float) -> str:
    """Give a measured value with as many digits as matter."""
    return f"{value:.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.1f}"  # noqa: PLR2004 -- two digits


def clock(at: dt.datetime) -> str:
    """Give a time of day in UTC."""
    return f"{at.astimezone(dt.UTC):%H:%M:%S} UTC"
