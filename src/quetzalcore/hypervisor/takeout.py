"""Copying what an ended machine wrote from its memory to the host's disk, without trusting any of it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["take_out"]

_DEPTH = 10  # deeper than any collector accepts
_ENTRIES = 10_000
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not hold us up
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@dataclass(slots=True, kw_only=True)
class _Left:
    size: int
    entries: int = _ENTRIES


def take_out(source: int, target: Path, *, size: int) -> None:
    """Copy the tree below an open folder into ``target``, at most ``size`` bytes of it.

    Nothing is followed. What is no plain file becomes a pipe, and a file that claims more than fits
    becomes a hole of the same length: both stand for what is not taken, so that collecting refuses
    them by name. After 10,000 entries it stops.
    """
    with _opened(os.fspath(target), None) as into:
        _copy(source, into, _Left(size=size), _DEPTH)


@contextlib.contextmanager
def _opened(name: str, parent: int | None) -> Iterator[int]:
    descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _copy(source: int, into: int, left: _Left, depth: int) -> None:
    with os.scandir(source) as entries:
        names = [entry.name for _, entry in zip(range(left.entries), entries, strict=False)]
    left.entries -= len(names)
    for name in names:
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
            _copy_file(name, source, into, status.st_size, left)
        elif stat.S_ISDIR(status.st_mode) and depth > 0:
            os.mkdir(name, 0o755, dir_fd=into)
            with _opened(name, source) as below, _opened(name, into) as copy:
                _copy(below, copy, left, depth - 1)
        else:
            os.mkfifo(name, 0o600, dir_fd=into)


def _copy_file(name: str, parent: int, into: int, size: int, left: _Left) -> None:
    reading = os.open(name, _FILE, dir_fd=parent)
    try:
        if not stat.S_ISREG(os.fstat(reading).st_mode):  # swapped since it was looked at
            os.mkfifo(name, 0o600, dir_fd=into)
            return
        writing = os.open(name, _NEW, 0o644, dir_fd=into)
        try:
            _copy_bytes(reading, writing, size, left)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _copy_bytes(reading: int, writing: int, size: int, left: _Left) -> None:
    if size > left.size:
        with contextlib.suppress(OSError):  # longer than this file system can say
            os.truncate(writing, size)
        return
    left.size -= size
    offset = 0
    while offset < size and (count := os.sendfile(writing, reading, offset, size - offset)):
        offset += count
