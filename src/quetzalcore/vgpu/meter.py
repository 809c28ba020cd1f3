"""What is done on a device: counted for the device itself and for the lease that is open around it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from quetzalcore.vgpu.device import Usage

__all__ = ["Meter", "leased_meter", "metering"]


class Meter:
    """Counts operations, from any thread; it is busy while at least one of them runs."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._running = 0
        self._since = 0.0
        self._busy_s = 0.0
        self._transforms = 0
        self._pairs = 0

    @contextmanager
    def running(self, *, transforms: int = 0, pairs: int = 0) -> Iterator[None]:
        """Count an operation while the block runs; blocks within blocks and beside them count once."""
        with self._lock:
            self._transforms += transforms
            self._pairs += pairs
            self._running += 1
            if self._running == 1:
                self._since = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._busy_s += self._clock() - self._since

    def usage(self) -> Usage:
        """Report what has ended, and how many were begun."""
        with self._lock:
            return Usage(busy_s=self._busy_s, transforms=self._transforms, pairs=self._pairs)


_LEASED: ContextVar[Meter | None] = ContextVar("quetzalcore_meter", default=None)


def leased_meter() -> Meter | None:
    """Give the meter of the lease that is open here."""
    return _LEASED.get()


@contextmanager
def metering(meter: Meter | None) -> Iterator[None]:
    """Let everything that is done inside the block, on this thread and its kernels', be counted there."""
    token = _LEASED.set(meter)
    try:
        yield
    finally:
        _LEASED.reset(token)
