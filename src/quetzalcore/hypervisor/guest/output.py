"""What a task prints becomes lines of its job's log, up to a cap; beyond it is read and forgotten."""

from __future__ import annotations

import _thread
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Capture"]

_KEPT_BYTES = 1 << 20
_LINE_BYTES = 8 << 10
_CHUNK = 1 << 16
_DRAIN_S = 0.5


class Capture:
    """Descriptors 1 and 2 as a pipe that a thread reads; ``line`` is called with every line."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line
        self._left = _KEPT_BYTES
        self._done = _thread.allocate_lock()
        self._done.acquire()
        reading, writing = os.pipe()
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(writing)
        self._reading = reading
        _thread.start_new_thread(self._read, ())

    def close(self) -> None:
        """Send what was printed so far; what a child prints later goes nowhere."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):  # the task has closed or replaced it
                continue
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        self._done.acquire(timeout=_DRAIN_S)

    def _read(self) -> None:
        kept = b""
        try:
            while data := os.read(self._reading, _CHUNK):
                kept = self._split(kept + data) if self._left > 0 else b""
            if kept:
                self._send(kept)
        except OSError:
            return  # the task has closed our end: it prints to nobody
        finally:
            self._done.release()

    def _split(self, data: bytes) -> bytes:
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._send(line)
        if len(rest) > _LINE_BYTES:
            self._send(rest)
            return b""
        return rest

    def _send(self, line: bytes) -> None:
        if self._left <= 0:
            return
        self._left -= len(line) + 1
        if self._left <= 0:
            self._line("What the task printed beyond 1 MiB is left out.")
            return
        for start in range(0, max(1, len(line)), _LINE_BYTES):
            self._line(line[start : start + _LINE_BYTES].decode("utf-8", "replace"))
