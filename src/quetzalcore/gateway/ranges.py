"""Which bytes of a file a request asks for (RFC 9110, one range)."""

from __future__ import annotations

import re

from quetzalcore.gateway.problems import RangeNotSatisfiable

__all__ = ["wanted_range"]

_RANGE = re.compile(r"bytes=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*")


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Give start and stop (exclusive), or None for the whole file.

    What cannot be understood, and more than one range, means the whole file.

    Raises
    ------
    RangeNotSatisfiable
        If it begins beyond the end.
    """
    found = None if header is None else _RANGE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:  # the last so many bytes
        length = int(last)
        if length == 0 or size == 0:
            raise RangeNotSatisfiable(size)
        return max(0, size - length), size
    start, stop = int(first), size if not last else int(last) + 1
    if last and stop <= start:
        return None
    if start >= size:
        raise RangeNotSatisfiable(size)
    return start, min(stop, size)
