"""Naming a socket in a folder whose path may be longer than a socket's may be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["short_folder"]

_LONGEST_FOLDER = 80  # a socket's path has 108 bytes on Linux, 104 on macOS


@contextmanager
def short_folder(folder: Path) -> Iterator[str]:
    """Give a name of a folder that is short enough for a socket's path."""
    if len(str(folder)) < _LONGEST_FOLDER or not Path("/proc/self/fd").is_dir():
        yield str(folder)
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
