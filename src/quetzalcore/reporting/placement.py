"""Where numbered symbols go when their places are too close: the important stay, the others step aside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["spread"]

_DIRECTIONS = 16
_RINGS = (1.15, 1.75, 2.4, 3.1)


Frame = tuple[float, float, float, float]


def spread(
    places: NDArray[np.float64], *, apart: float, frame: Frame | None = None
) -> NDArray[np.float64]:
    """Move what would overlap as little as needed.

    Parameters
    ----------
    places : (n, 2) float64
        Most important first; any unit of length.
    apart : float
        Distance that two symbols need, in the same unit.
    frame : (left, bottom, right, top), optional
        What moves stays inside.

    Returns
    -------
    (n, 2) float64
        The first of any crowd keeps its place. One that finds no free place within 3.1 times
        ``apart`` keeps its own and overlaps.
    """
    placed: list[NDArray[np.float64]] = []
    for place in places:
        spots = [place, *(s for s in _candidates(place, apart) if _is_inside(s, frame))]
        free = (spot for spot in spots if _is_free(spot, placed, apart))
        placed.append(next(free, place))
    return np.array(placed).reshape(-1, 2)


def _candidates(place: NDArray[np.float64], apart: float) -> list[NDArray[np.float64]]:
    angles = np.pi / 4 + 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    return [place + ring * apart * step for ring in _RINGS for step in around]


def _is_inside(spot: NDArray[np.float64], frame: Frame | None) -> bool:
    if frame is None:
        return True
    left, bottom, right, top = frame
    return bool(left <= spot[0] <= right and bottom <= spot[1] <= top)


def _is_free(spot: NDArray[np.float64], placed: list[NDArray[np.float64]], apart: float) -> bool:
    return all(float(np.hypot(*(spot - other))) >= apart for other in placed)
