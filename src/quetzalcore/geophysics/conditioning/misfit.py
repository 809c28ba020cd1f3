"""How large the errors behind crossover misfits are, told from the misfits themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.conditioning.crossing import Crossovers
from quetzalcore.geophysics.quality.noise import MAD_TO_SIGMA
from quetzalcore.geophysics.survey import Bools, Floats

__all__ = ["ErrorModel", "estimate_errors", "misfit_deviation_nt", "refined", "tie_factors"]

_LEAST_NT = 0.05
_BINS = 8  # of equal count, by gradient
_FITS = 10
_CLIP = 4.0  # robust deviations
_ENOUGH_PAIRS, _MANY_PAIRS = 30, 60
_CALM = 0.5  # quantile of the gradient: drift is looked for where position matters least
_FAR_ON_TIE = (4, 5, 6)  # beyond the strike length of one anomaly, which mimics drift
_CAUTION = 1.0  # standard errors that are taken off every variance before it is believed
_TRUST = 0.5  # of the first estimate: an adjustment that fits better than that fits noise
_LEAST_FREEDOM = 0.3
_FEWEST = 10  # crossovers on a tie, to judge how far to trust it
_WORST, _BEST = 10.0, 0.3


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

    Each tie's median comes off first. Errors of single readings and positions do not repeat from
    one tie to the next, the level of a traverse does: the covariance of crossovers half a line apart
    on one traverse is the variance of levels, what neighbours have beyond it is drift. Likewise the
    covariance four to six apart along a tie is the tie's drift (nearer ones share an anomaly, and with
    it the effect of one error of position). Covariances come from crossovers in the calmer half
    of the gradients, and a standard error is taken off each: what the misfits do not
    show is not corrected. A tie's drift, which dozens of crossovers fix, may be at least as
    large as the error of one reading. What is left divides into a part that does not depend on the
    gradient and one proportional to it.
    """
    misfit = found.misfit_nt - _group_medians(found.misfit_nt, found.tie)
    calm = found.gradient_nt_m <= np.quantile(found.gradient_nt_m, _CALM)
    on_traverse = _Sequence.of(misfit, found.traverse, found.traverse_along_m, calm)
    on_tie = _Sequence.of(misfit, found.tie, found.tie_along_m, calm)
    near, far = on_traverse.covariance((1,)), on_traverse.covariance(on_traverse.far())
    level = far if np.isfinite(far) else near
    constant = max(level, 0.0)
    drift = max(near - level, 0.0) if np.isfinite(near) else 0.0
    tie_drift = max(on_tie.covariance(_FAR_ON_TIE), 0.0)
    flat, position = _split(misfit, found.gradient_nt_m)
    explained = np.nan_to_num(constant) + drift + np.nan_to_num(tie_drift)
    reading = np.sqrt(max(flat**2 - explained, (_BEST * flat) ** 2, _LEAST_NT**2))
    return ErrorModel(
        reading_nt=float(reading),
        position_m=position,
        traverse_constant_nt=float(np.sqrt(np.nan_to_num(constant))),
        traverse_drift_nt=float(np.sqrt(drift)),
        tie_drift_nt=max(float(np.sqrt(np.nan_to_num(tie_drift))), float(reading)),
    )


def refined(model: ErrorModel, found: Crossovers, left_nt: Floats) -> ErrorModel:
    """Estimate the errors of reading and position again from what an adjustment left, (c,) nT."""
    lines = len(np.unique(found.traverse)) + len(np.unique(found.tie))
    freedom = max(1.0 - lines / len(found), _LEAST_FREEDOM)
    reading, position = _split(left_nt / np.sqrt(freedom), found.gradient_nt_m)
    reading, position = (
        max(reading, _TRUST * model.reading_nt),
        max(position, _TRUST * model.position_m),
    )
    return replace(model, reading_nt=reading, position_m=position)


def tie_factors(found: Crossovers, left_nt: Floats, deviation_nt: Floats) -> Floats:
    """Return how much worse than the usual tie each crossover's tie is, (c,): 1 is usual."""
    scaled = np.abs(left_nt) / deviation_nt
    overall = max(float(np.median(scaled)), _LEAST_NT)
    factors = np.ones(int(found.tie.max()) + 1)
    for tie in np.unique(found.tie):
        mine = scaled[found.tie == tie]
        if len(mine) >= _FEWEST:
            factors[tie] = np.clip(np.median(mine) / overall, _BEST, _WORST)
    return factors[found.tie]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sequence:
    """Misfits in the order in which their lines meet them."""

    misfit_nt: Floats
    line: NDArray[np.intp]
    calm: Bools

    @classmethod
    def of(cls, misfit_nt: Floats, line: NDArray[np.intp], along_m: Floats, calm: Bools) -> Self:
        order = np.lexsort((along_m, line))
        return cls(misfit_nt=misfit_nt[order], line=line[order], calm=calm[order])

    def covariance(self, lags: tuple[int, ...]) -> float:
        """Return the covariance of crossovers so far apart on one line, less its error.

        Misfits are clipped at four robust deviations. Where fewer than thirty calm pairs are there, all
        count; NaN where there are fewer than two. Where there are many, the covariance by medians
        must agree: the smaller of the two counts.
        """
        pairs = np.concatenate([self._pairs(lag) for lag in lags])
        calm = self.calm[pairs].all(axis=1)
        pairs = pairs[calm] if calm.sum() >= _ENOUGH_PAIRS else pairs
        if len(pairs) < 2:  # noqa: PLR2004 -- a pair has no spread
            return float("nan")
        values = self.misfit_nt[pairs]
        most = _CLIP * MAD_TO_SIGMA * float(np.median(np.abs(values)))
        first, second = np.clip(values, -most, most).T
        error = float(np.sqrt(np.mean(first**2) * np.mean(second**2) / len(pairs)))
        shared = float(np.mean(first * second))
        if len(pairs) >= _MANY_PAIRS:
            shared = min(shared, _robust_covariance(values[:, 0], values[:, 1]))
        return shared - _CAUTION * error

    def far(self) -> tuple[int, ...]:
        """Return how many crossovers apart half to three quarters of a usual line is, two at least."""
        usual = float(np.median(np.unique(self.line, return_counts=True)[1]))
        low = max(2, int(usual / 2.0))
        return tuple(range(low, max(low + 1, int(0.75 * usual)) + 1))

    def _pairs(self, lag: int) -> NDArray[np.intp]:
        """Return places (p, 2) of crossovers ``lag`` apart on one line."""
        first = np.flatnonzero(self.line[lag:] == self.line[:-lag])
        return np.column_stack([first, first + lag])


def _robust_covariance(first: Floats, second: Floats) -> float:
    plus, minus = (MAD_TO_SIGMA * np.median(np.abs(x)) for x in (first + second, first - second))
    return float(plus**2 - minus**2) / 4.0


def _group_medians(values: Floats, group: NDArray[np.intp]) -> Floats:
    """Return the median of its group at every value."""
    medians = np.zeros(int(group.max()) + 1)
    for one in np.unique(group):
        medians[one] = np.median(values[group == one])
    return medians[group]


def _split(misfit: Floats, gradient: Floats) -> tuple[float, float]:
    """Divide misfits into a flat part, nT, and a part proportional to the gradient, metres.

    Fits variance = flat^2 + (position gradient)^2 to the robust variances of eight classes of gradient,
    by least squares weighted by the fit itself, with both parts at least zero.
    """
    from scipy.optimize import nnls  # noqa: PLC0415 -- slow import

    classes = np.array_split(np.argsort(gradient, kind="stable"), min(_BINS, len(gradient)))
    variance = np.array([(MAD_TO_SIGMA * np.median(np.abs(misfit[rows]))) ** 2 for rows in classes])
    steep = np.array([np.median(gradient[rows]) ** 2 for rows in classes])
    parts = np.zeros(2)
    fit = np.full(len(classes), max(float(np.median(variance)), _LEAST_NT**2))
    for _ in range(_FITS):
        parts, _ = nnls(np.column_stack([1.0 / fit, steep / fit]), variance / fit)
        fit = np.maximum(parts[0] + parts[1] * steep, _LEAST_NT**2)
    flat, position = np.sqrt(parts)
    return max(float(flat), _LEAST_NT), float(position)
