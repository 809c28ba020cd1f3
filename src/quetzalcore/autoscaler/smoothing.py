"""Means: of what is there, and over the last while, so that one sample decides nothing."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterable

__all__ = ["Smooth", "mean"]


def mean(values: Iterable[float]) -> float | None:
    """Give the mean; None of nothing."""
    found = list(values)
    return sum(found) / len(found) if found else None


class Smooth:
    """The mean of what was measured within a window; None before it was measured for ``least_s`` on end."""

    def __init__(self, window_s: float, *, least_s: float = 0.0) -> None:
        self._window = dt.timedelta(seconds=window_s)
        self._least = dt.timedelta(seconds=least_s)
        self._samples: deque[tuple[dt.datetime, float]] = deque()

    def add(self, now: dt.datetime, value: float | None) -> float | None:
        """Take in a sample, and give the mean with it; None says that there was nothing to measure."""
        if value is None:
            self._samples.clear()
            return None
        self._samples.append((now, value))
        while now - self._samples[0][0] > self._window:
            self._samples.popleft()
        if now - self._samples[0][0] < self._least:
            return None
        return sum(sample for _, sample in self._samples) / len(self._samples)
