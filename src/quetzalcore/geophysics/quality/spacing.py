"""How far apart the lines are, for the survey and for each of its blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.quality.geometry import axis_difference_deg
from quetzalcore.geophysics.quality.profiles import Profiles, line_profiles
from quetzalcore.geophysics.survey import Bools, Floats, Survey

__all__ = ["BlockSpacing", "block_spacings", "line_spacing_m"]

_BINS_PER_LINE = 100
_FAR = 20.0  # line spacings between one traverse and the next in the file: another block
_SAME = 0.1  # relative: blocks whose spacing agrees better than this are one
_FEWEST_LINES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSpacing:
    """A block of traverses that were flown one after another.

    Parameters
    ----------
    first_line, last_line : str
        Names of its first and last traverse in the file.
    lines : int
        Number of traverses.
    spacing_m : float
        Median perpendicular distance between neighbours, metres.
    """

    first_line: str
    last_line: str
    lines: int
    spacing_m: float


def line_spacing_m(survey: Survey, traverses: Bools) -> float:
    """Return the median perpendicular distance between neighbouring, overlapping traverses, metres.

    ``traverses`` (k,) marks the runs to use. NaN where no two of them run side by side. Where two
    blocks overlap, the closer spacing of the overlap counts there.
    """
    return _spacing(_coarse_profiles(survey, traverses))


def block_spacings(survey: Survey, traverses: Bools) -> tuple[BlockSpacing, ...]:
    """Return the spacing of each block, in the order of the file.

    A block ends where the next traverse in the file is far away or heads elsewhere. Blocks of fewer
    than five traverses are left out, and those with equal spacing (within a tenth) are merged.
    """
    profiles = _coarse_profiles(survey, traverses)
    overall = _spacing(profiles)
    if not np.isfinite(overall):
        return ()
    found: list[tuple[NDArray[np.intp], float]] = []
    for members in np.split(np.arange(len(profiles)), _block_edges(profiles, overall)):
        spacing = _spacing(profiles.only(members))
        if len(members) < _FEWEST_LINES or not np.isfinite(spacing):
            continue
        if found and abs(found[-1][1] / spacing - 1.0) <= _SAME:
            found[-1] = (np.append(found[-1][0], members), found[-1][1])
        else:
            found.append((members, spacing))
    names = [survey.line_names[survey.line[start]] for start in profiles.runs.start]
    return tuple(
        BlockSpacing(
            first_line=names[members[0]],
            last_line=names[members[-1]],
            lines=len(members),
            spacing_m=spacing,
        )
        for members, spacing in found
    )


def _coarse_profiles(survey: Survey, traverses: Bools) -> Profiles:
    return line_profiles(survey, traverses, bins=_BINS_PER_LINE)


def _spacing(profiles: Profiles) -> float:
    """Sort the lines at every place along them and take the median step across."""
    across = np.sort(profiles.across_m, axis=0)
    steps = np.diff(across, axis=0)
    steps = steps[np.isfinite(steps) & (steps > 0.0)]
    return float(np.median(steps)) if len(steps) else float("nan")


def _block_edges(profiles: Profiles, spacing: float) -> NDArray[np.intp]:
    with np.errstate(invalid="ignore"):
        seen = np.isfinite(profiles.across_m)
        middle: Floats = np.where(seen, profiles.across_m, 0.0).sum(axis=1) / seen.sum(axis=1)
    heading = profiles.runs.heading_deg
    jump = np.abs(np.diff(middle)) > _FAR * spacing
    turn = axis_difference_deg(heading[1:], heading[:-1]) > 45.0  # noqa: PLR2004 -- another axis
    return np.flatnonzero(jump | turn) + 1
