"""Combine the depths that several methods give for one anomaly into one, with an interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.targets.anomaly import DepthEstimate, DepthSolutions

__all__ = ["below_reference", "combine_depths", "solutions_inside", "spanning"]

Floats = NDArray[np.float64]
_Z90 = 1.2815515655446004  # an 80 % interval
_FLOOR = 0.1  # no magnetic depth is better than a tenth: the body is not the model
_CEILING = 1.0  # a factor of e either way: nobody believes less than that
_MAD_TO_SIGMA = 1.4826
_LEAST = 1e-3


def solutions_inside(
    solutions: Sequence[DepthSolutions], *, centre_m: tuple[float, float], reach_m: float
) -> tuple[DepthEstimate, ...]:
    """Give each method's median depth below the sensor within ``reach_m`` of a place.

    The standard deviation is the larger of the solutions' scatter (median absolute deviation) and
    their own median sigma. Methods with no solution there are left out.
    """
    estimates = []
    for each in solutions:
        distance = np.hypot(each.easting_m - centre_m[0], each.northing_m - centre_m[1])
        inside = (distance <= reach_m) & (each.depth_below_sensor_m > 0)
        depths = each.depth_below_sensor_m[inside]
        if not len(depths):
            continue
        middle = float(np.median(depths))
        scatter = float(_MAD_TO_SIGMA * np.median(np.abs(depths - middle)))
        own = 0.0 if each.sigma_m is None else _middle(each.sigma_m[inside])
        least = 0.3 * middle if len(depths) == 1 else 0.15 * middle
        sigma = max(scatter, own, least)
        estimates.append(
            DepthEstimate(method=each.method, depth_m=middle, sigma_m=sigma, count=len(depths))
        )
    return tuple(estimates)


def _middle(sigma_m: Floats) -> float:
    """Return the median of what is known, 0 where nothing is."""
    known = sigma_m[np.isfinite(sigma_m)]
    return float(np.median(known)) if len(known) else 0.0


def combine_depths(
    estimates: Sequence[DepthEstimate],
) -> tuple[float, tuple[float, float]]:
    """Combine depths below the sensor: ``(depth, (shallow, deep))``, the interval about 80 %.

    On logarithms, because depth errors are relative: the weighted median (weights 1 / sigma), so
    that one wild method does not pull it; the spread is the larger of the formal one and half the
    scatter between methods, never under a tenth and never over a factor of e. At least one estimate is needed.
    """
    log_depth = np.log([each.depth_m for each in estimates])
    sigma = np.array([max(each.sigma_m / each.depth_m, _FLOOR) for each in estimates])
    middle = _weighted_median(log_depth, 1.0 / sigma)
    formal = float(1.0 / np.sqrt(np.sum(1.0 / sigma**2)))
    weights = 1.0 / sigma / np.sum(1.0 / sigma)
    between = float(np.sqrt(np.sum(weights * (log_depth - middle) ** 2)))
    spread = min(max(formal, 0.5 * between, _FLOOR), _CEILING)
    depth = float(np.exp(middle))
    low, high = depth * np.exp(-_Z90 * spread), depth * np.exp(_Z90 * spread)
    return depth, (float(low), float(high))


def spanning(interval_m: tuple[float, float], rival: DepthEstimate | None) -> tuple[float, float]:
    """Widen an interval so that it also holds another reading's 80 % of the same field."""
    if rival is None:
        return interval_m
    low, high = combine_depths([rival])[1]
    return min(interval_m[0], low), max(interval_m[1], high)


def below_reference(depth_m: float, *, sensor_height_m: float) -> float:
    """Turn a depth below the sensor into one below the reference, which is never negative."""
    return max(depth_m - sensor_height_m, _LEAST)


def _weighted_median(values: Floats, weights: Floats) -> float:
    """Interpolated, so that two equal voices give their mean."""
    order = np.argsort(values)
    ordered, mass = values[order], weights[order]
    place = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
    return float(np.interp(0.5, place, ordered))
