"""Numbers that stand for "no data"."""

from __future__ import annotations

from collections import Counter

import numpy as np

from quetzalcore.geophysics.survey import Bools, Floats

__all__ = ["DUMMIES", "drop_dummies"]

_HUGE = 1e30  # Geosoft writes -1e32, others 1e32 or 1e38
_NEGATIVE_NINES = tuple(
    -float(f"{'9' * digits}{fraction}")
    for digits in range(4, 9)
    for fraction in ("", ".9", ".99", ".999")
)
# No position, height or field takes these values by chance; they are counted and said.
DUMMIES = (*_NEGATIVE_NINES, -1e6, -1e7, 999_999.0, 9_999_999.0, 99_999_999.0)


def drop_dummies(values: Floats, declared: tuple[float, ...], counted: Counter[float]) -> Floats:
    """Return ``values`` with NaN for every dummy, and count each dummy that was met.

    Parameters
    ----------
    values : (n,) float64
    declared : tuple of float
        Dummies that the file or the user declares; the usual ones are always known.
    counted : Counter
        Raised by the number of times each dummy was met; infinite and huge values count as ``inf``.
    """
    with np.errstate(invalid="ignore"):
        low, high = _range(values)
        bad = np.zeros(len(values), dtype=bool)
        for dummy in dict.fromkeys((*declared, *DUMMIES)):
            if low <= dummy <= high:
                _mark(bad, np.isclose(values, dummy, rtol=1e-9, atol=0.0), dummy, counted)
        if low < -_HUGE or high > _HUGE:
            _mark(bad, np.abs(values) > _HUGE, np.inf, counted)
    return np.where(bad, np.nan, values) if bad.any() else values


def _range(values: Floats) -> tuple[float, float]:
    if not len(values):
        return np.inf, -np.inf
    return float(np.fmin.reduce(values)), float(np.fmax.reduce(values))


def _mark(bad: Bools, hit: Bools, dummy: float, counted: Counter[float]) -> None:
    times = int(hit.sum())
    if times:
        counted[dummy] += times
        bad |= hit
