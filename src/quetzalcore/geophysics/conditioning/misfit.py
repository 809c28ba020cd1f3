"""How large the errors behind crossover misfits are, told from the misfits themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.conditioning.crossing import Crossovers
from quetzalcore.geophysics.quality.noise import MAD_TO_SIGMA
from quetzalcore.geophysics.survey import Floats

__all__ = ["ErrorModel", "estimate_errors", "misfit_deviation_nt"]

_LEAST_NT = 0.05
_PASSES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorModel:
    """Standard deviations of what makes ties and traverses disagree.

    Parameters
    ----------
    reading_nt : float
        Misfit where the field is flat, nT.
    position_m : float
        Error of position (and of height, through the same gradients), metres.
    traverse_constant_nt : float
        Level of a traverse, nT.
    traverse_drift_nt, tie_drift_nt : float
        Slow change along a line, nT.
    """

    reading_nt: float
    position_m: float
    traverse_constant_nt: float
    traverse_drift_nt: float
    tie_drift_nt: float


def misfit_deviation_nt(found: Crossovers, model: ErrorModel) -> Floats:
    """Return the deviation of each misfit when all lines are level, (c,) nT."""
    return np.hypot(model.reading_nt, model.position_m * found.gradient_nt_m)


def estimate_errors(found: Crossovers) -> ErrorModel:
    """Estimate every deviation robustly from the misfits, by moments.

    Each tie's median comes off first; then each traverse's weighted median gives constants, and the
    covariance of neighbouring crossovers along a line gives its drift (errors of single
    readings and positions do not repeat from one crossover to the next, drift does). What is left
    divides into a part that does not depend on the gradient and one proportional to it.
    """
    tie_free = found.misfit_nt - _group_medians(found.misfit_nt, found.tie)
    reading, position = _split(tie_free, found.gradient_nt_m)
    constant = drift_a = drift_b = 0.0
    for _ in range(_PASSES):
        deviation = np.hypot(reading, position * found.gradient_nt_m)
        calm = deviation <= np.median(deviation)
        constant = _constant_nt(tie_free[calm], found.traverse[calm], deviation[calm])
        level = _group_medians_of(tie_free, found.traverse, calm)
        left = tie_free - level
        drift_a = _drift_nt(left, deviation, found.traverse, found.traverse_along_m)
        drift_b = _drift_nt(left, deviation, found.tie, found.tie_along_m)
        reading, position = _split(left, found.gradient_nt_m)
    return ErrorModel(
        reading_nt=reading,
        position_m=position,
        traverse_constant_nt=constant,
        traverse_drift_nt=drift_a,
        tie_drift_nt=drift_b,
    )


def _group_medians(values: Floats, group: NDArray[np.intp]) -> Floats:
    """Return the median of its group at every value."""
    medians = np.zeros(int(group.max()) + 1)
    for one in np.unique(group):
        medians[one] = np.median(values[group == one])
    return medians[group]


def _group_medians_of(values: Floats, group: NDArray[np.intp], calm: NDArray[np.bool_]) -> Floats:
    """Return group medians from the calm values only; 0 for groups that have none."""
    medians = np.zeros(int(group.max()) + 1)
    for one in np.unique(group[calm]):
        medians[one] = np.median(values[calm & (group == one)])
    return medians[group]


def _split(misfit: Floats, gradient: Floats) -> tuple[float, float]:
    """Divide misfits into a flat part, nT, and a part proportional to the gradient, metres."""
    order = np.argsort(gradient, kind="stable")
    quarter = max(len(order) // 4, 1)
    flat, steep = order[:quarter], order[-quarter:]
    reading = max(MAD_TO_SIGMA * float(np.median(np.abs(misfit[flat]))), _LEAST_NT)
    excess = np.median(np.abs(misfit[steep])) * MAD_TO_SIGMA
    slope = float(np.median(gradient[steep]))
    position = np.sqrt(max(float(excess) ** 2 - reading**2, 0.0)) / slope if slope > 0.0 else 0.0
    flat_slope = float(np.median(gradient[flat]))
    reading = np.sqrt(max(reading**2 - (position * flat_slope) ** 2, _LEAST_NT**2))
    return float(reading), float(position)


def _constant_nt(misfit: Floats, traverse: NDArray[np.intp], deviation: Floats) -> float:
    """Return the deviation of the traverses' levels beyond what their crossovers' noise explains."""
    counts = np.bincount(traverse)
    present = np.flatnonzero(counts)
    medians = np.array([np.median(misfit[traverse == one]) for one in present])
    spread = MAD_TO_SIGMA * float(np.median(np.abs(medians - np.median(medians))))
    noise = np.bincount(traverse, deviation**2)[present] / counts[present] ** 2
    return float(np.sqrt(max(spread**2 - 1.57 * float(np.median(noise)), 0.0)))


def _drift_nt(misfit: Floats, deviation: Floats, line: NDArray[np.intp], along_m: Floats) -> float:
    """Return the root of the robust covariance of neighbours along lines (0 where negative)."""
    order = np.lexsort((along_m, line))
    scaled = misfit[order] / deviation[order]
    same = np.diff(line[order]) == 0
    a, b, size = scaled[:-1][same], scaled[1:][same], deviation[order][:-1][same]
    if not len(a):
        return 0.0
    plus, minus = (np.median(np.abs(x)) * MAD_TO_SIGMA for x in (a + b, a - b))
    covariance = float(plus**2 - minus**2) / 4.0
    return float(np.sqrt(max(covariance, 0.0)) * np.median(size))
