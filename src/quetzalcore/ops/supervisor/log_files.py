"""Logs that do not grow without end: a file that is renamed when it is full, and a reader that follows it there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

__all__ = ["RotatingFile", "kept_names", "read_lines"]

LOG_BYTES = 10 * 2**20
KEPT = 4
_POLL_S = 0.05
_MODE = 0o600


class RotatingFile:
    """A log that is written as it comes; ``NAME.1`` is the one before, and ``kept`` old ones are kept.

    It changes files between lines only, so that no line is cut in two. Writing never fails: where the disk is
    full, ``lost_bytes`` counts what could not be written.
    """

    def __init__(self, path: Path, *, most_bytes: int = LOG_BYTES, kept: int = KEPT) -> None:
        self.path = path
        self.lost_bytes = 0
        self._most_bytes = most_bytes
        self._kept = kept
        self._line_open = False
        self._descriptor = _opened(path)
        self._size = os.fstat(self._descriptor).st_size

    def write(self, data: bytes) -> None:
        """Write what came, which may begin and end within a line."""
        while data:
            head, data = self._portion(data)
            if head:
                self._put(head)
            if data and not self.rotate():
                self._put(data)  # better a log that is too long than one that ends
                return

    def rotate(self) -> bool:
        """Begin a new file; False if that cannot be."""
        names = kept_names(self.path, self._kept)
        try:
            for old, new in zip(names[-2::-1], names[:0:-1], strict=True):
                if old.exists():
                    old.replace(new)
            self.reopen()
        except OSError:
            return False
        return True

    def reopen(self) -> None:
        """Go on in the file that now has the name, after somebody else has moved the old one."""
        fresh = _opened(self.path)
        os.close(self._descriptor)
        self._descriptor = fresh
        self._size = os.fstat(fresh).st_size
        self._line_open = False

    def fileno(self) -> int:
        """Give the descriptor of the file that is written now."""
        return self._descriptor

    def close(self) -> None:
        """Write no more."""
        os.close(self._descriptor)

    def _portion(self, data: bytes) -> tuple[bytes, bytes]:
        """Split into what still goes into this file, up to the end of a line, and the rest."""
        if self._size + len(data) <= self._most_bytes:
            return data, b""
        room = max(0, self._most_bytes - self._size)
        end = data.rfind(b"\n", 0, room) + 1
        if not end and (self._line_open or not self._size):
            end = data.find(b"\n") + 1 or len(data)  # a line goes on, or is longer than a file
        return data[:end], data[end:]

    def _put(self, data: bytes) -> None:
        try:
            written = os.write(self._descriptor, data)
        except OSError:
            written = 0
        self.lost_bytes += len(data) - written
        self._size += written
        self._line_open = not data.endswith(b"\n")


def kept_names(path: Path, kept: int = KEPT) -> tuple[Path, ...]:
    """Give the names that a log and its predecessors have, the newest first."""
    return (path, *(path.with_name(f"{path.name}.{number}") for number in range(1, kept + 1)))


def read_lines(
    path: Path,
    *,
    last: int,
    follow: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[str]:
    """Give the last lines of a log, wherever rotation has put them, and then those that come."""
    log: IO[bytes] = path.open("rb")
    try:
        *lines, rest = log.read().split(b"\n")
        if rest and not follow:
            lines, rest = [*lines, rest], b""
        for older in kept_names(path)[1:]:
            if len(lines) < last and older.is_file():
                lines = older.read_bytes().splitlines() + lines
        yield from (_text(line) for line in lines[-last:])
        while follow:
            log, rest, lines = _more(path, log, rest)
            yield from (_text(line) for line in lines)
            if not lines:
                sleep(_POLL_S)
    finally:
        log.close()


def _more(path: Path, log: IO[bytes], rest: bytes) -> tuple[IO[bytes], bytes, list[bytes]]:
    """Read what has come; at the end of a file that has been renamed, go on in the one after it."""
    successor = _successor(
        path, log
    )  # looked for first: what came before the renaming is read below
    *lines, rest = (rest + log.read()).split(b"\n")
    if successor is not None:
        log.close()
        log = successor
    return log, rest, lines


def _successor(path: Path, log: IO[bytes]) -> IO[bytes] | None:
    """Open the file that follows an open log which was renamed; None while it has kept its name."""
    mine = os.fstat(log.fileno())
    newer: IO[bytes] | None = None
    for name in kept_names(path):
        try:
            candidate = name.open("rb")
        except FileNotFoundError:
            continue
        if os.path.samestat(os.fstat(candidate.fileno()), mine):
            candidate.close()
            return newer
        if newer is not None:
            newer.close()
        newer = candidate
    return newer  # it was forgotten meanwhile: go on in the oldest that is kept


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _MODE)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
