"""Sources from clouds of Euler solutions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.depth.euler import EulerSolutions

__all__ = ["SourceClusters", "cluster"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceClusters:
    """Groups of Euler solutions that agree; every array has shape (n,), most solutions first.

    Parameters
    ----------
    easting_m, northing_m, depth_m : (n,) float64
        Weighted means (weights: one over the variance of depth, floored at 1 % of the depth).
    base_level_nt, structural_index : (n,) float64
        Weighted means; the first is NaN where every member's is.
    horizontal_spread_m, depth_spread_m : (n,) float64
        Weighted standard deviations of the members: the error bar that windows of one source give.
    count : (n,) int64
        Members.
    """

    easting_m: Floats
    northing_m: Floats
    depth_m: Floats
    base_level_nt: Floats
    structural_index: Floats
    horizontal_spread_m: Floats
    depth_spread_m: Floats
    count: NDArray[np.int64]

    def __len__(self) -> int:
        """Count the clusters."""
        return len(self.depth_m)


def cluster(
    solutions: EulerSolutions,
    *,
    radius_m: float,
    depth_ratio: float = 1.3,
    least_count: int = 5,
) -> SourceClusters:
    """Group solutions around the places where they are densest.

    Solutions are counted in boxes of ``radius_m`` by ``radius_m`` by a factor ``depth_ratio`` of
    depth; each box joins the fullest of its 26 neighbours if that is fuller, and so on uphill. So a
    long source is cut into pieces rather than chained into one, and nothing depends on the order.

    Parameters
    ----------
    solutions : EulerSolutions
        From :func:`euler`; only positive depths are used.
    radius_m : float
        Size of a box, metres: about half a window.
    depth_ratio : float
        Above 1.
    least_count : int
        Groups with fewer members are left out.

    Raises
    ------
    BadParameter
        If a parameter is out of range.
    """
    if not (radius_m > 0.0 and depth_ratio > 1.0 and least_count >= 1):
        raise BadParameter(
            f"radius_m is {radius_m}, depth_ratio {depth_ratio}, least_count {least_count}",
            hint="give a radius above 0, a ratio above 1 and a count of 1 or more",
        )
    used = solutions.select(solutions.depth_m > 0.0)
    if not len(used):
        return _means(used, np.zeros(0, dtype=np.intp), least_count)
    boxes = np.stack(
        [
            np.floor(used.easting_m / radius_m),
            np.floor(used.northing_m / radius_m),
            np.floor(np.log(used.depth_m) / math.log(depth_ratio)),
        ],
        axis=1,
    ).astype(np.int64)
    unique, box, count = np.unique(boxes, axis=0, return_inverse=True, return_counts=True)
    top = _uphill(unique, count)
    return _means(used, top[box.reshape(-1)], least_count)


def _uphill(boxes: NDArray[np.int64], count: NDArray[np.int64]) -> Indices:
    """Give each box the box at the top of its hill; ties go to the later one, so that hills end."""
    from scipy.spatial import cKDTree  # noqa: PLC0415 -- only clustering needs it

    pairs = cKDTree(boxes).query_pairs(1.5, p=np.inf, output_type="ndarray")
    rank = np.empty(len(boxes), dtype=np.intp)
    rank[np.lexsort((np.arange(len(boxes)), count))] = np.arange(len(boxes))
    highest = rank.copy()
    np.maximum.at(highest, pairs[:, 0], rank[pairs[:, 1]])
    np.maximum.at(highest, pairs[:, 1], rank[pairs[:, 0]])
    of_rank = np.argsort(rank)
    target = of_rank[highest]
    while True:
        further = target[target]
        if np.array_equal(further, target):
            return np.asarray(target)
        target = further


def _means(used: EulerSolutions, label: Indices, least_count: int) -> SourceClusters:
    _, member, count = np.unique(label, return_inverse=True, return_counts=True)
    member = member.reshape(-1)
    weight = 1.0 / (used.uncertainty_m**2 + (0.01 * used.depth_m) ** 2)
    weight /= weight.max(initial=1e-300)

    def mean(values: Floats, w: Floats = weight) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.bincount(member, w * values, len(count)) / np.bincount(member, w, len(count))

    easting, northing, depth = mean(used.easting_m), mean(used.northing_m), mean(used.depth_m)
    flat = mean((used.easting_m - easting[member]) ** 2 + (used.northing_m - northing[member]) ** 2)
    known = np.isfinite(used.base_level_nt)
    order = np.argsort(-count, kind="stable")
    order = order[count[order] >= least_count]
    return SourceClusters(
        easting_m=easting[order],
        northing_m=northing[order],
        depth_m=depth[order],
        base_level_nt=mean(np.where(known, used.base_level_nt, 0.0), weight * known)[order],
        structural_index=mean(used.structural_index)[order],
        horizontal_spread_m=np.sqrt(flat)[order],
        depth_spread_m=np.sqrt(mean((used.depth_m - depth[member]) ** 2))[order],
        count=count[order].astype(np.int64),
    )
