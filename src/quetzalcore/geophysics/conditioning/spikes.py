"""Removal of spikes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.conditioning.step import StepResult, measure
from quetzalcore.geophysics.quality.geometry import Runs, distance_along_m, pieces_of, runs_of
from quetzalcore.geophysics.quality.noise import fourth_difference_nt, spike_rows
from quetzalcore.geophysics.survey import Floats, Survey

__all__ = ["despike", "despiked"]

_PASSES = 3  # a spike beside a larger one shows only when that is gone


def despike(survey: Survey, *, threshold: float = 8.0, floor_nt: float = 0.5) -> StepResult:
    """Replace spikes of one or two readings by a cubic through their neighbours on the line.

    What counts as a spike is said in :func:`quetzalcore.geophysics.quality.noise.spike_rows`: it must
    stand out of the local roughness *and* have the shape in the fourth difference that wrong
    samples make, so that an anomaly sampled at four rows or more across its width is never
    touched. NaN readings stay NaN.

    Parameters
    ----------
    threshold : float
        In local standard deviations of the fourth difference; above 1.
    floor_nt : float
        Smaller spikes are left alone, nT.

    Raises
    ------
    BadParameter
        If ``threshold`` is not above 1.

    References
    ----------
    Reeves, C. V. (2005). Aeromagnetic Surveys: Principles, Practice and Interpretation. Geosoft.
    """
    if threshold <= 1.0:
        raise BadParameter(
            f"the spike threshold is {threshold:g} standard deviations",
            hint="give at least a few, for example 8",
        )
    tmi, rows = despiked(survey, survey.tmi_nt, threshold=threshold, floor_nt=floor_nt)
    details = {"threshold": threshold, "floor_nt": floor_nt, "spikes": len(rows)}
    return measure("despike", survey, tmi_nt=tmi, details=details)


def despiked(
    survey: Survey, values: Floats, *, threshold: float, floor_nt: float
) -> tuple[Floats, NDArray[np.intp]]:
    """Return any channel (n,) without its spikes, and the rows that were replaced."""
    runs = runs_of(survey)
    pieces = pieces_of(survey, runs)
    along = distance_along_m(survey, pieces)
    clean = values
    replaced = np.zeros(0, dtype=np.intp)
    for _ in range(_PASSES):
        difference = fourth_difference_nt(clean, pieces)
        found = spike_rows(difference, pieces, threshold=threshold, floor_nt=floor_nt)
        if not len(found):
            break
        replaced = np.union1d(replaced, found)
        clean = _bridge(clean, along, pieces, found)
    return clean, replaced


def _bridge(values: Floats, along: Floats, pieces: Runs, rows: NDArray[np.intp]) -> Floats:
    """Replace ``rows`` by the cubic through the two good readings on each side."""
    good = ~np.isnan(values)
    good[rows] = False
    bridged = values.copy()
    of_row = np.searchsorted(pieces.stop, rows, side="right")
    for row, piece in zip(rows, of_row, strict=True):
        low = max(int(pieces.start[piece]), row - 8)
        high = min(int(pieces.stop[piece]), row + 9)
        near = low + np.flatnonzero(good[low:high])
        knots = np.concatenate([near[near < row][-2:], near[near > row][:2]])
        if len(knots) > 1:
            bridged[row] = _through(along[knots] - along[row], values[knots])
    return bridged


def _through(offset_m: Floats, values: Floats) -> float:
    """Evaluate at 0 the polynomial through the points (Lagrange); a mean where they coincide."""
    apart = offset_m[:, None] - offset_m[None, :]
    np.fill_diagonal(apart, 1.0)
    if (apart == 0.0).any():
        return float(values.mean())
    ratio = -offset_m[None, :] / apart
    np.fill_diagonal(ratio, 1.0)
    return float(values @ ratio.prod(axis=1))
