"""Each traverse beside its two neighbours: what differs when it was flown the other way."""

from __future__ import annotations

import numpy as np

from quetzalcore.geophysics.quality.lines import LineKind, LineSummary
from quetzalcore.geophysics.quality.profiles import Profiles, line_profiles
from quetzalcore.geophysics.quality.spacing import line_spacing_m
from quetzalcore.geophysics.survey import Bools, Floats, Survey

__all__ = ["between_neighbours", "opposed", "ordered_traverses", "traverse_runs"]

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


def between_neighbours(profiles: Profiles, spacing_m: float) -> Floats:
    """Return what each line's neighbours say of it, (k, m) nT; NaN where either is missing or far.

    The line before and the line after (in the profiles' order) are interpolated linearly to the
    line's own place, so that a uniform slope across the lines leaves nothing.
    """
    value, across = profiles.tmi_nt, profiles.across_m
    says = np.full(value.shape, np.nan)
    left, right = across[1:-1] - across[:-2], across[2:] - across[1:-1]
    apart = left + right
    with np.errstate(invalid="ignore", divide="ignore"):
        near = (np.maximum(np.abs(left), np.abs(right)) < _FAR * spacing_m) & (left * right > 0.0)
        share = np.where(near, left / apart, np.nan)
    says[1:-1] = value[:-2] * (1.0 - share) + value[2:] * share
    return says


def opposed(profiles: Profiles) -> Bools:
    """Mark the lines both of whose neighbours were flown the other way, (k,)."""
    way = profiles.forward
    marked = np.zeros(len(way), dtype=bool)
    marked[1:-1] = (way[:-2] == way[2:]) & (way[1:-1] != way[:-2])
    return marked
