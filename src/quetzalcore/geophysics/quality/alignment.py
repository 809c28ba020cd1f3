"""Places on neighbouring lines that lie along a straight line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.survey import Bools, Floats, Ints

__all__ = ["Crossings", "aligned"]

_REACH_LINES = 7.5  # line spacings each way
_WIDTH_LINES = 0.35  # line spacings off the straight line
_ANGLES = 60
_OBLIQUE = 0.35  # sine of the smallest angle between a feature and the lines: 20 degrees
_TIMES_CHANCE = 4.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crossings:
    """Where lines may cross something; every array has shape (k,).

    Parameters
    ----------
    easting_m, northing_m : (k,) float64
    line : (k,) int32
        Number of the line.
    heading_deg : (k,) float64
        Of the line there, clockwise from grid north.
    distance_m : (k,) float64
        To the source as it looks along the line.
    limit_m : (k,) float64
        Farthest that the source may lie.
    """

    easting_m: Floats
    northing_m: Floats
    line: Ints
    heading_deg: Floats
    distance_m: Floats
    limit_m: Floats

    def only(self, which: Bools) -> Crossings:
        """Return those that ``which`` (k,) marks."""
        return Crossings(
            easting_m=self.easting_m[which],
            northing_m=self.northing_m[which],
            line=self.line[which],
            heading_deg=self.heading_deg[which],
            distance_m=self.distance_m[which],
            limit_m=self.limit_m[which],
        )


def aligned(
    crossings: Crossings, *, line_spacing_m: float, width_m: float, fewest_lines: int
) -> Bools:
    """Tell which places lie on a straight feature that crosses neighbouring lines, (k,) bool.

    Through each place sixty directions are tried. Others within 7.5 line spacings count where they
    are on other lines and off the direction by at most 0.35 line spacings or ``width_m``, one for
    each line, so that lines without a place are bridged. There must be ``fewest_lines`` lines, its
    own counted, and four times as many others as places strewn at random would give: where they
    lie densely, none is aligned.

    A line that crosses a long source at an angle sees it stretched. Its distance is the apparent
    one times the sine of the angle, and only places that are then within their limit count.
    Features within 20 degrees of the lines cannot be told.

    Parameters
    ----------
    crossings : Crossings
    line_spacing_m : float
        Metres; NaN: nothing is aligned.
    width_m : float
        Least tolerance, metres.
    fewest_lines : int
        Lines that a feature must cross, at least 2.
    """
    from scipy.spatial import cKDTree  # noqa: PLC0415 -- slow import

    count = len(crossings.line)
    found = np.zeros(count, dtype=bool)
    if count < fewest_lines or not np.isfinite(line_spacing_m):
        return found
    xy = np.column_stack([crossings.easting_m, crossings.northing_m])
    reach = _REACH_LINES * line_spacing_m
    width = max(_WIDTH_LINES * line_spacing_m, width_m)
    pairs = cKDTree(xy).query_pairs(reach, output_type="ndarray")
    one, other = _both_ways(pairs, crossings.line)
    east, north = (xy[other] - xy[one]).T
    share = 4.0 * width / (np.pi * reach)  # of the disc that the strip is
    for angle in np.arange(_ANGLES) * np.pi / _ANGLES:
        able = _near_enough(crossings, angle)
        strip = np.flatnonzero(np.abs(east * np.cos(angle) - north * np.sin(angle)) <= width)
        strip = strip[able[one[strip]] & able[other[strip]]]
        lines = _distinct(one[strip], crossings.line[other[strip]], count)
        enough = lines >= fewest_lines - 1
        if enough.any():
            strewn = np.bincount(one[able[one] & able[other]], minlength=count)
            found |= enough & (lines >= _TIMES_CHANCE * share * strewn)
    return found


def _both_ways(pairs: NDArray[np.intp], line: Ints) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs on different lines in both directions, sorted by first place, then line."""
    pairs = pairs[line[pairs[:, 0]] != line[pairs[:, 1]]]
    one = np.concatenate([pairs[:, 0], pairs[:, 1]])
    other = np.concatenate([pairs[:, 1], pairs[:, 0]])
    order = np.lexsort((line[other], one))
    return one[order], other[order]


def _near_enough(crossings: Crossings, angle: float) -> Bools:
    sine = np.abs(np.sin(np.radians(crossings.heading_deg) - angle))
    return np.asarray((sine >= _OBLIQUE) & (crossings.distance_m * sine <= crossings.limit_m))


def _distinct(one: NDArray[np.intp], line: Ints, count: int) -> NDArray[np.intp]:
    """Count the different lines of each first place; pairs sorted by both."""
    new = np.ones(len(one), dtype=bool)
    new[1:] = (one[1:] != one[:-1]) | (line[1:] != line[:-1])
    return np.bincount(one[new], minlength=count)
