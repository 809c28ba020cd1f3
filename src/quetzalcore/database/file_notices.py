"""Hearing from the kernel that a file was written, instead of looking at it again and again (Linux)."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["FileNotices"]

_MODIFIED = 0x2  # IN_MODIFY
_READ = 64 << 10


class FileNotices:
    """Calls back whenever the file of a name is written; many writes may be one call."""

    def __init__(self, folder: Path, name: str, heard: Callable[[], None]) -> None:
        self._descriptor = _watch(folder)
        self._name = name.encode()
        self._heard = heard
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def close(self) -> None:
        """Hear no more."""
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            told = os.read(self._descriptor, _READ)
            if self._name in told:
                self._heard()


def _watch(folder: Path) -> int:
    """Open a watch on a folder's files; ``OSError`` where the system has none."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "inotify_init1"):
        raise OSError("this system tells of no writes")
    descriptor: int = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    if library.inotify_add_watch(descriptor, os.fsencode(folder), _MODIFIED) < 0:
        error = ctypes.get_errno()
        os.close(descriptor)
        raise OSError(error, "inotify_add_watch")
    return descriptor
