"""Ids that cannot be guessed and that sort by the time they were made."""

from __future__ import annotations

import datetime as dt
import secrets
import time

__all__ = ["new_id"]

_ALPHABET = (
    "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: in the order of ASCII, no i, l, o, u
)
_RANDOM_BITS = 80
_LENGTH = 26
_MILLISECOND = dt.timedelta(milliseconds=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def new_id(now: dt.datetime | None = None) -> str:
    """Make a 26-character id: 48 bits of milliseconds, then 80 random bits, in lower case.

    Ids of different milliseconds sort by time; within one millisecond the order is random.
    """
    milliseconds = time.time_ns() // 1_000_000 if now is None else (now - _EPOCH) // _MILLISECOND
    number = milliseconds << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))
