"""Tie-line levelling: a robust adjustment of the crossovers."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.conditioning.crossing import (
    Crossovers,
    CrossoverStats,
    crossover_stats,
    crossovers,
)
from quetzalcore.geophysics.conditioning.drift import DriftBasis, drift_basis
from quetzalcore.geophysics.conditioning.misfit import (
    ErrorModel,
    estimate_errors,
    misfit_deviation_nt,
    refined,
    tie_factors,
)
from quetzalcore.geophysics.conditioning.step import StepResult, change_between
from quetzalcore.geophysics.quality.geometry import Runs, distance_along_m, runs_of
from quetzalcore.geophysics.quality.lines import LineKind, LineSummary
from quetzalcore.geophysics.survey import Floats, Survey

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["LevellingResult", "LineCorrection", "adjust", "level_ties"]

_HUBER = 1.5
_ROUNDS = 8
_PASSES = 3
_SETTLED_NT = 5e-3
_FEWEST = 3
_TIE_CONSTANT_NT = 1e4  # ties may stand anywhere: their constants are all but free


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCorrection:
    """What was added to one line.

    Parameters
    ----------
    line : str
        Name.
    kind : LineKind
        Traverse or tie.
    crossovers : int
        Crossovers on it.
    mean_nt, min_nt, max_nt : float
        Correction over its rows, nT.
    """

    line: str
    kind: LineKind
    crossovers: int
    mean_nt: float
    min_nt: float
    max_nt: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevellingResult(StepResult):
    """A step with its crossovers.

    Parameters
    ----------
    before, after : CrossoverStats
        Tie minus traverse before and after.
    corrections : tuple of LineCorrection
        One for every run of a line, in the order of the rows.
    """

    before: CrossoverStats
    after: CrossoverStats
    corrections: tuple[LineCorrection, ...]


def level_ties(
    survey: Survey,
    lines: tuple[LineSummary, ...],
    *,
    knot_m: float | None = None,
    errors: ErrorModel | None = None,
) -> LevellingResult:
    """Level traverses and ties to each other at their crossovers.

    Every line gets a constant and a slow drift (a cubic B-spline with knots ``knot_m`` apart), found
    together by least squares with Huber weights on

        (traverse + its correction) - (tie + its correction) = 0

    Ties' constants are free, so ties that stand off as a whole move to the traverses. Everything
    else is held to zero by what the data say of its size: the error model (see
    :func:`estimate_errors`) has one deviation each for constants and drifts, and crossovers
    in steep gradients, where a small error of position is a large misfit, count less. A
    traverse's correction is as smooth as its spline: wavelengths shorter than about two knots stay
    exactly as they were. Lines without a crossover, and ``other`` lines, stay as they are.

    Parameters
    ----------
    survey : Survey
        NaN readings stay NaN.
    lines : tuple of LineSummary
        From :func:`classify_lines`.
    knot_m : float, optional
        Distance between knots, metres; by default twice the median distance between crossovers along
        the traverses.
    errors : ErrorModel, optional
        Fixes the deviations instead of estimating them.

    Raises
    ------
    BadSurvey
        If there are no ties, or fewer than three crossovers.
    BadParameter
        If ``knot_m`` is not positive.

    References
    ----------
    Luyendyk, A. P. J. (1997). Processing of airborne magnetic data. AGSO Journal of Australian Geology
    and Geophysics, 17(2), 31-38.
    Green, A. A. (1983). A comparison of adjustment procedures for leveling aeromagnetic survey
    data. Geophysics, 48(6), 745-753.
    Huber, P. J. (1964). Robust estimation of a location parameter. Annals of Mathematical Statistics,
    35(1), 73-101.
    Eilers, P. H. C., & Marx, B. D. (1996). Flexible smoothing with B-splines and penalties.
    Statistical Science, 11(2), 89-121.
    """
    found = _enough(survey, lines)
    runs = runs_of(survey)
    knot = knot_m if knot_m is not None else _usual_knot_m(found)
    if knot <= 0.0:
        raise BadParameter(f"the knot distance is {knot:g} m", hint="give a positive distance")
    basis = drift_basis(runs.length_m, knot_m=knot)
    if errors is not None:
        unknowns, model = adjust(found, basis, errors, passes=1)
    else:
        unknowns, model = adjust(found, basis, estimate_errors(found))
    correction = _corrections(survey, runs, basis, unknowns, found)
    return _result(survey, lines, runs, found, correction, _details(model, knot))


def adjust(
    found: Crossovers, basis: DriftBasis, model: ErrorModel, *, passes: int = _PASSES
) -> tuple[Floats, ErrorModel]:
    """Solve for every run's constant and splines, nT, and refine the errors of reading and position.

    Each pass solves by iteratively reweighted least squares, then estimates the errors and the quality
    of each tie again from what was left; one pass takes the model as it is.
    """
    from scipy.sparse import csr_array  # noqa: PLC0415 -- slow import

    design, prior = _design(found, basis), _prior(found, basis, model)
    matrix = csr_array(design, shape=(len(found), basis.unknowns))
    deviation = misfit_deviation_nt(found, model)
    unknowns = _solve(matrix, found.misfit_nt, deviation, prior)
    final = model
    for _ in range(passes - 1):
        left = found.misfit_nt - matrix @ unknowns
        final = refined(model, found, left)
        deviation = misfit_deviation_nt(found, final)
        deviation *= tie_factors(found, left, deviation)
        unknowns = _solve(matrix, found.misfit_nt, deviation, prior)
    return unknowns, final


def _solve(matrix: csr_array, misfit_nt: Floats, deviation_nt: Floats, prior_nt: Floats) -> Floats:
    """Minimise Huber's loss of misfits plus the squares of the unknowns, each over its deviation."""
    from scipy.sparse import diags_array  # noqa: PLC0415 -- slow imports
    from scipy.sparse.linalg import splu  # noqa: PLC0415

    weight = np.ones(len(misfit_nt))
    unknowns = np.zeros(len(prior_nt))
    for _ in range(_ROUNDS):
        scaled = matrix.T.multiply((weight / deviation_nt**2)[None, :])
        normal = scaled @ matrix + diags_array(1.0 / prior_nt**2)
        solver = splu(normal.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
        new = solver.solve(scaled @ misfit_nt)
        step = float(np.abs(new - unknowns).max())
        unknowns = new
        if step < _SETTLED_NT:
            break
        off = np.abs(misfit_nt - matrix @ unknowns) / deviation_nt
        weight = np.minimum(1.0, _HUBER / np.maximum(off, 1e-12))
    return np.asarray(unknowns)


def _design(
    found: Crossovers, basis: DriftBasis
) -> tuple[Floats, tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Give the crossover equations: traverse's correction minus tie's, as (values, (rows, columns))."""
    columns_a, weights_a = basis.weights(found.traverse, found.traverse_along_m)
    columns_b, weights_b = basis.weights(found.tie, found.tie_along_m)
    columns = np.concatenate([columns_a, columns_b], axis=1)
    values = np.concatenate([weights_a, -weights_b], axis=1)
    rows = np.repeat(np.arange(len(found)), columns.shape[1])
    return values.ravel(), (rows, columns.ravel())


def _prior(found: Crossovers, basis: DriftBasis, model: ErrorModel) -> Floats:
    """Give every unknown its deviation about zero, nT."""
    runs = len(basis.pieces)
    tie = np.zeros(runs, dtype=bool)
    tie[found.tie] = True
    constant = np.where(tie, _TIE_CONSTANT_NT, model.traverse_constant_nt)
    drift = np.where(tie, model.tie_drift_nt, model.traverse_drift_nt)
    prior = np.repeat(drift, np.diff(basis.first))
    prior[basis.first[:-1]] = constant
    floored: Floats = np.maximum(prior, 1e-6)
    return floored


def _enough(survey: Survey, lines: tuple[LineSummary, ...]) -> Crossovers:
    if not any(line.kind is LineKind.TIE for line in lines):
        raise BadSurvey(
            "the survey has no tie lines, so there are no crossovers to level by",
            hint="skip tie-line levelling and use microlevelling",
        )
    found = crossovers(survey, lines)
    if len(found) < _FEWEST:
        raise BadSurvey(
            f"ties cross traverses at {len(found)} places with readings",
            hint="check the coordinates of the ties, or skip tie-line levelling",
        )
    return found


def _usual_knot_m(found: Crossovers) -> float:
    order = np.lexsort((found.traverse_along_m, found.traverse))
    step = np.diff(found.traverse_along_m[order])[np.diff(found.traverse[order]) == 0]
    return 2.0 * float(np.median(step)) if len(step) else np.inf


def _corrections(
    survey: Survey, runs: Runs, basis: DriftBasis, unknowns: Floats, found: Crossovers
) -> Floats:
    """Return what is added to every row, (n,) nT; 0 on runs without a crossover."""
    correction = np.zeros(len(survey))
    along = distance_along_m(survey, runs)
    for run in np.union1d(found.traverse, found.tie):
        rows = slice(int(runs.start[run]), int(runs.stop[run]))
        correction[rows] = basis.evaluate(unknowns, int(run), along[rows])
    return correction


def _result(
    survey: Survey,
    lines: tuple[LineSummary, ...],
    runs: Runs,
    found: Crossovers,
    correction: Floats,
    details: dict[str, float | str | int],
) -> LevellingResult:
    tmi = survey.tmi_nt + correction
    change = change_between(survey.tmi_nt, tmi)
    after = crossovers(survey.with_tmi(tmi), lines)
    crossed = np.bincount(found.traverse, minlength=len(runs))
    crossed += np.bincount(found.tie, minlength=len(runs))
    kinds = {line.index: line.kind for line in lines}
    per_line = tuple(
        _summary(
            survey,
            runs,
            i,
            kinds.get(int(runs.line[i]), LineKind.OTHER),
            int(crossed[i]),
            correction,
        )
        for i in range(len(runs))
    )
    alone = sum(line.crossovers == 0 and line.kind is not LineKind.OTHER for line in per_line)
    return LevellingResult(
        name="level_ties",
        tmi_nt=tmi,
        rows_changed=change.rows,
        rms_change_nt=change.rms_nt,
        max_change_nt=change.max_nt,
        details=MappingProxyType(details),
        warnings=(f"{alone} lines cross no tie and were not levelled",) if alone else (),
        before=crossover_stats(found.misfit_nt),
        after=crossover_stats(after.misfit_nt),
        corrections=per_line,
    )


def _summary(
    survey: Survey, runs: Runs, run: int, kind: LineKind, crossed: int, correction: Floats
) -> LineCorrection:
    part = correction[runs.start[run] : runs.stop[run]]
    return LineCorrection(
        line=survey.line_names[runs.line[run]],
        kind=kind,
        crossovers=crossed,
        mean_nt=float(part.mean()),
        min_nt=float(part.min()),
        max_nt=float(part.max()),
    )


def _details(model: ErrorModel, knot_m: float) -> dict[str, float | str | int]:
    return {
        "knot_m": knot_m,
        "reading_nt": model.reading_nt,
        "position_m": model.position_m,
        "traverse_constant_nt": model.traverse_constant_nt,
        "traverse_drift_nt": model.traverse_drift_nt,
        "tie_drift_nt": model.tie_drift_nt,
    }
