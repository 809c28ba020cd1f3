"""Probability of each source class given what was observed: Bayes' rule, nothing learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.deposits.evidence import Evidence
from quetzalcore.geophysics.deposits.petrophysics import (
    GEOMETRIES,
    Lognormal,
    Petrophysics,
    Prior,
    SourceClass,
)
from quetzalcore.geophysics.deposits.sampling import Magnetization, draw_magnetization, even_numbers

__all__ = ["ClassProbability", "class_probabilities", "discriminate", "discriminate_all"]

Floats = NDArray[np.float64]
_DRAWS = 1024  # magnetisations a class: doubling them moves probabilities by less than 0.01
_CHUNK = 4096  # anomalies at a time: 32 MB a class
_SIGMA_CHI_DEX = 0.3  # where the observer gave none
_SIGMA_Q_DEX = 0.2
_SIGMA_ANGLE_DEG = 15.0
_FLOOR_DEX = 0.1  # narrower kernels would see the draws one by one
_FLOOR_ANGLE_DEG = 8.0
_SHAPE_RELIABILITY = 0.7  # how often an observed shape is the true one, not a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassProbability:
    """One source class and its probability; ``status`` says what the number is worth."""

    name: str
    probability: float
    status: str = "uncalibrated"


def discriminate(
    evidence: Evidence, petrophysics: Petrophysics, *, prior: Prior
) -> tuple[ClassProbability, ...]:
    """Return the probability of every class for one anomaly, most probable first; they sum to 1.

    Parameters
    ----------
    evidence : Evidence
        What was observed of one anomaly; what is None or NaN is marginalised.
    petrophysics : Petrophysics
        From :func:`load_priors`.
    prior : Prior
        From :meth:`Petrophysics.with_prior`.

    Raises
    ------
    BadParameter
        If the evidence is of more than one anomaly, or the prior names other classes.

    Notes
    -----
    Magnetics constrain magnetisation, depth and geometry; they name no mineral and no grade. No
    field labels support these numbers: ``status`` is "uncalibrated".
    """
    rows = discriminate_all(evidence, petrophysics, prior=prior)
    if len(rows) != 1:
        raise BadParameter(
            f"the evidence is of {len(rows)} anomalies", hint="use discriminate_all for many"
        )
    return rows[0]


def discriminate_all(
    evidence: Evidence, petrophysics: Petrophysics, *, prior: Prior
) -> tuple[tuple[ClassProbability, ...], ...]:
    """Return what :func:`discriminate` does, for each of n anomalies."""
    names = petrophysics.names
    return tuple(
        tuple(
            ClassProbability(name=names[k], probability=float(row[k]))
            for k in np.argsort(-row, kind="stable")
        )
        for row in class_probabilities(evidence, petrophysics, prior=prior)
    )


def class_probabilities(evidence: Evidence, petrophysics: Petrophysics, *, prior: Prior) -> Floats:
    """Return probabilities, (n, classes) in the order of ``petrophysics.names``; rows sum to 1."""
    if prior.names != petrophysics.names:
        raise BadParameter(
            "the prior names other classes than the petrophysics",
            hint="make it with this petrophysics' with_prior",
        )
    table = evidence.columns()
    shapes = evidence.shapes(len(table["depth_m"]))
    with np.errstate(invalid="ignore"):  # NaN is "not observed" and ends as a factor of 1
        log_likelihood = np.column_stack(
            [_log_likelihood(each, table, shapes, evidence) for each in petrophysics.classes]
        )
    with np.errstate(divide="ignore"):  # a prior of 0 is -inf, which stays 0
        log_posterior = log_likelihood + np.log(prior.array())
    log_posterior -= log_posterior.max(axis=1, keepdims=True)
    posterior = np.exp(log_posterior)
    probabilities: Floats = posterior / posterior.sum(axis=1, keepdims=True)
    return probabilities


def _log_likelihood(
    source: SourceClass, table: dict[str, Floats], shapes: NDArray[np.intp], evidence: Evidence
) -> Floats:
    sizes = _log_size(source, table, evidence.size_sigma_dex)
    depth = _log_normal(np.log10(table["depth_m"]), source.depth_m, evidence.depth_sigma_dex)
    return (
        _log_magnetization(source, table)
        + sizes
        + np.nan_to_num(depth)
        + _log_shape(source, shapes)
        + _log_culture(source, table["culture"])
    )


def _log_magnetization(source: SourceClass, table: dict[str, Floats]) -> Floats:
    """Average the kernels of what was observed over magnetisations drawn from the class."""
    drawn = draw_magnetization(source, even_numbers(_DRAWS, 5))
    total = np.empty(len(table["depth_m"]))
    for start in range(0, len(total), _CHUNK):
        rows = slice(start, start + _CHUNK)
        part = {name: values[rows, None] for name, values in table.items()}
        log_kernel = _log_kernels(drawn, part)
        peak = log_kernel.max(axis=1, keepdims=True)
        total[rows] = peak[:, 0] + np.log(np.mean(np.exp(log_kernel - peak), axis=1))
    return total


def _log_kernels(drawn: Magnetization, part: dict[str, Floats]) -> Floats:
    chi_sigma = _sigma(part["susceptibility_sigma_dex"], _SIGMA_CHI_DEX, _FLOOR_DEX)
    q_sigma = _sigma(part["koenigsberger_sigma_dex"], _SIGMA_Q_DEX, _FLOOR_DEX)
    angle_sigma = _sigma(part["angle_sigma_deg"], _SIGMA_ANGLE_DEG, _FLOOR_ANGLE_DEG)
    chi = np.log10(part["apparent_susceptibility_si"]) - np.log10(drawn.apparent_susceptibility_si)
    q = np.log10(part["koenigsberger"]) - np.log10(drawn.koenigsberger)
    angle = _log_folded(part["magnetization_angle_deg"], drawn.angle_deg, angle_sigma, 180.0)
    total: Floats = (
        np.nan_to_num(_log_gauss(chi, chi_sigma))
        + np.nan_to_num(_log_gauss(q, q_sigma))
        + np.nan_to_num(angle)
    )
    return total


def _log_size(source: SourceClass, table: dict[str, Floats], sigma_dex: float) -> Floats:
    width, length = np.log10(table["width_m"]), np.log10(table["length_m"])
    aspect = np.where(np.isnan(length - width), np.log10(table["aspect_ratio"]), length - width)
    known_aspect = ~np.isnan(aspect)
    spread = np.hypot(source.aspect.sigma_dex, sigma_dex)
    log_aspect = np.logaddexp(
        _log_gauss(aspect - source.aspect.mean_dex, spread),
        _log_gauss(-aspect - source.aspect.mean_dex, spread),
    )
    # With neither width nor aspect, a length alone says how large; otherwise width and aspect do.
    width_or = np.where(np.isnan(width) & known_aspect, length - aspect, width)
    log_width = _log_normal(width_or, source.width_m, sigma_dex)
    total_spread = np.hypot(np.hypot(source.width_m.sigma_dex, source.aspect.sigma_dex), sigma_dex)
    middle = source.width_m.mean_dex + source.aspect.mean_dex
    length_alone = np.isnan(width_or) & ~known_aspect
    log_length = np.where(length_alone, _log_gauss(length - middle, total_spread), 0.0)
    total: Floats = np.nan_to_num(log_aspect) + np.nan_to_num(log_width) + np.nan_to_num(log_length)
    return total


def _log_shape(source: SourceClass, shapes: NDArray[np.intp]) -> Floats:
    shares = np.array([source.geometry[name] for name in GEOMETRIES])
    seen = _SHAPE_RELIABILITY * shares + (1.0 - _SHAPE_RELIABILITY) / len(GEOMETRIES)
    return np.where(shapes < 0, 0.0, np.log(seen[shapes]))


def _log_culture(source: SourceClass, flag: Floats) -> Floats:
    rate = source.culture_flag
    chance = np.where(flag > 0.5, rate, 1.0 - rate)  # noqa: PLR2004 -- a flag is 0 or 1
    return np.where(np.isnan(flag), 0.0, np.log(chance))


def _log_normal(log_value: Floats, quantity: Lognormal, sigma_dex: float) -> Floats:
    return _log_gauss(log_value - quantity.mean_dex, np.hypot(quantity.sigma_dex, sigma_dex))


def _log_gauss(residual: Floats, sigma: Floats | float) -> Floats:
    density: Floats = -0.5 * (residual / sigma) ** 2 - np.log(sigma * np.sqrt(2.0 * np.pi))
    return density


def _log_folded(value: Floats, centre: Floats, sigma: Floats, end: float) -> Floats:
    """Log density of a normal error about ``centre`` that is folded back into 0 to ``end``."""
    direct = np.logaddexp(_log_gauss(value - centre, sigma), _log_gauss(value + centre, sigma))
    folded: Floats = np.logaddexp(direct, _log_gauss(value + centre - 2.0 * end, sigma))
    return folded


def _sigma(given: Floats, default: float, floor: float) -> Floats:
    return np.maximum(np.where(np.isnan(given), default, given), floor)
