"""Each traverse beside its two neighbours, and how their directions of flight differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quetzalcore.geophysics.quality.lines import LineKind, LineSummary
from quetzalcore.geophysics.quality.profiles import Profiles, line_profiles
from quetzalcore.geophysics.quality.spacing import line_spacing_m
from quetzalcore.geophysics.survey import Bools, Floats, Survey

__all__ = ["SHARED_LINES", "Neighbours", "neighbours_of", "ordered_traverses", "traverse_runs"]

# Votes of neighbouring lines share lines: where directions alternate, the mean of n votes that each hold
# an error of their own line and half of two others scatters this much more than their spread / sqrt(n).
SHARED_LINES = (8.0 / 3.0) ** 0.5

_FAR = 1.7  # usual spacings: neighbours farther away than this are not neighbours


def traverse_runs(survey: Survey, lines: tuple[LineSummary, ...]) -> Bools:
    """Mark the runs of the survey that are traverses, (k,)."""
    wanted = [line.index for line in lines if line.kind is LineKind.TRAVERSE]
    edges = np.flatnonzero(np.diff(survey.line)) + 1
    return np.isin(survey.line[np.append(0, edges)], wanted)


def ordered_traverses(
    survey: Survey, lines: tuple[LineSummary, ...], *, bin_m: float
) -> tuple[Profiles, float]:
    """Return the traverses' profiles from one side of the survey to the other, and their spacing."""
    wanted = traverse_runs(survey, lines)
    profiles = line_profiles(survey, wanted, bin_m=bin_m)
    seen = np.isfinite(profiles.across_m)
    middle = np.where(seen, profiles.across_m, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return profiles.only(np.argsort(middle, kind="stable")), line_spacing_m(survey, wanted)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Neighbours:
    """How much the line before and the line after each line count at its place, (k, m) each.

    Parameters
    ----------
    before, after : (k, m) float64
        Weights that sum to one: linear interpolation to the line's own across-coordinate, so that a
        uniform slope across the lines leaves nothing. NaN where either neighbour is missing or far.
    """

    before: Floats
    after: Floats

    def says(self, values: Floats) -> Floats:
        """Interpolate values (k, m) or (k, 1) of the neighbours to each line, (k, m)."""
        told = np.full(self.before.shape, np.nan)
        told[1:-1] = values[:-2] * self.before[1:-1] + values[2:] * self.after[1:-1]
        return told

    def contrast(self, profiles: Profiles) -> Floats:
        """Return each line's direction (+1 or -1) less its neighbours', (k, m): 0 where all agree."""
        way = np.where(profiles.forward, 1.0, -1.0)[:, None]
        contrast: Floats = way - self.says(way)
        return contrast


def neighbours_of(profiles: Profiles, spacing_m: float) -> Neighbours:
    """Weigh the lines before and after each line, in the order of the profiles."""
    across = profiles.across_m
    share = np.full(across.shape, np.nan)
    if len(profiles) > 2:  # noqa: PLR2004 -- the first and the last have one neighbour
        left, right = across[1:-1] - across[:-2], across[2:] - across[1:-1]
        with np.errstate(invalid="ignore", divide="ignore"):
            near = np.maximum(np.abs(left), np.abs(right)) < _FAR * spacing_m
            near &= left * right > 0.0
            share[1:-1] = np.where(near, left / (left + right), np.nan)
    return Neighbours(before=1.0 - share, after=share)
