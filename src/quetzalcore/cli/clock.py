"""The only clock of the platform's processes."""

from __future__ import annotations

import datetime as dt

__all__ = ["now"]


def now() -> dt.datetime:
    """Give the time."""
    return dt.datetime.now(tz=dt.UTC)
