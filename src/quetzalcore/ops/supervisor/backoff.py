"""How long to wait before what died is started again."""

from __future__ import annotations

__all__ = ["FAILING", "backoff_s"]

FAILING = 5
"""After so many quick deaths in a row a process counts as failing, and is tried slowly."""

_FIRST_S = 0.25
_SLOW_S = 30.0


def backoff_s(failures: int, *, jitter: float) -> float:
    """Give the wait after the n-th quick death in a row; ``jitter`` from 0 to 1 takes up to half of it away.

    It doubles from a quarter of a second, and is half a minute once the process counts as failing.
    """
    if failures <= 0:
        return 0.0
    longest = _SLOW_S if failures >= FAILING else _FIRST_S * 2.0 ** (failures - 1)
    return longest * (1.0 - 0.5 * jitter)
