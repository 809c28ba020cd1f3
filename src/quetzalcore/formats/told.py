"""What a library says of a file, fit for the file's owner: one line, and no folders of ours."""

from __future__ import annotations

import re

__all__ = ["told"]

_FOLDERS = re.compile(r"(?<![\w:/])/(?:[^/\s'\"]+/)+")


def told(error: Exception) -> str:
    """Give the first line of what an error says; of paths only the file's name is left."""
    return _FOLDERS.sub("", next(iter(str(error).splitlines()), "no reason given"))
