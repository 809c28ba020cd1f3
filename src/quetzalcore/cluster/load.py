"""How busy this host is, measured at most once a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

__all__ = ["HostLoad", "Load"]

_FRESH_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Percentages of the host's cores and memory that are in use, by whomever."""

    cpu_percent: float = 0.0
    memory_percent: float = 0.0


class HostLoad:
    """Measures; the first look has nothing to compare with and says that nothing runs."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._at = monotonic()
        self._load = Load()
        psutil.cpu_percent()

    def __call__(self) -> Load:
        """Give the load over the last second or more."""
        now = self._monotonic()
        if now - self._at >= _FRESH_S:
            self._at = now
            self._load = Load(
                cpu_percent=psutil.cpu_percent(),
                memory_percent=psutil.virtual_memory().percent,
            )
        return self._load
