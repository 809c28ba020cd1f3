"""Cubic interpolation on a regular axis: which four nodes surround a position, and their weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.survey import Floats, Ints

__all__ = ["cubic_weights", "linear_weights"]


def cubic_weights(position: Floats, nodes: int) -> tuple[Ints, Floats]:
    """Return the first of four nodes and the Lagrange weights of each position.

    Parameters
    ----------
    position : (n,) float64
        In cells from the first node. Beyond the axis' ends the end polynomial is continued.
    nodes : int
        Length of the axis, at least 4.

    Returns
    -------
    first : (n,) int32
    weights : (n, 4) float64
        They sum to 1, are exact for cubics, and are 0 and 1 on a node.
    """
    first = np.clip(np.floor(position).astype(np.int32) - 1, 0, nodes - 4)
    t = position - first
    t1, t2, t3 = t - 1.0, t - 2.0, t - 3.0
    weights = np.stack(
        [t1 * t2 * t3 / -6.0, t * t2 * t3 / 2.0, t * t1 * t3 / -2.0, t * t1 * t2 / 6.0], axis=1
    )
    return first.astype(np.int32), weights


def linear_weights(position: Floats, nodes: int) -> tuple[Ints, NDArray[np.float64]]:
    """Return the first of two nodes and the linear weights of each position, as above."""
    first = np.clip(np.floor(position).astype(np.int32), 0, nodes - 2)
    t = position - first
    return first.astype(np.int32), np.stack([1.0 - t, t], axis=1)
