"""Synthetic geology with known classes, and how well stated probabilities match it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.deposits.discrimination import class_probabilities
from quetzalcore.geophysics.deposits.evidence import Evidence
from quetzalcore.geophysics.deposits.petrophysics import (
    GEOMETRIES,
    Lognormal,
    Petrophysics,
    Prior,
    SourceClass,
)
from quetzalcore.geophysics.deposits.sampling import draw_magnetization

__all__ = [
    "EvidenceNoise",
    "Reliability",
    "ReliabilityBin",
    "brier_score",
    "reliability",
    "synthetic_geology",
    "synthetic_reliability",
]

Floats = NDArray[np.float64]
_STATUS = "uncalibrated"
_NOTE = (
    "Measured on synthetic geology drawn from the same petrophysics; no drilled or mapped labels"
    " support the probabilities in the field."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceNoise:
    """How far observation strays from truth, as one standard deviation each."""

    susceptibility_sigma_dex: float = 0.3
    angle_sigma_deg: float = 15.0
    size_sigma_dex: float = 0.25
    depth_sigma_dex: float = 0.15
    missing_share: float = 0.2
    right_shape_share: float = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Stated against true: of ``count`` probabilities between two bounds, how many came true."""

    lower: float
    upper: float
    count: int
    mean_probability: float
    observed_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """A reliability diagram and scores on held-out synthetic samples.

    ``brier`` is the mean over samples of the squared distance between the probability vector and
    the truth (0 best, 2 worst; Brier 1950); ``brier_of_prior`` is what the prior alone scores;
    ``status`` stays "uncalibrated" for as long as no field labels support the number.
    """

    bins: tuple[ReliabilityBin, ...]
    brier: float
    brier_of_prior: float
    accuracy: float
    samples: int
    status: str = _STATUS
    note: str = _NOTE


def synthetic_geology(
    petrophysics: Petrophysics,
    *,
    prior: Prior,
    count: int,
    rng: np.random.Generator,
    noise: EvidenceNoise | None = None,
) -> tuple[Evidence, NDArray[np.intp]]:
    """Sample classes, their physical properties, and noisy evidence of them.

    Returns
    -------
    evidence : Evidence
        Of ``count`` sources, with values missing at random.
    truth : (count,) intp
        Index of the true class in ``petrophysics.names``.
    """
    spread = noise or EvidenceNoise()
    truth = rng.choice(len(prior.names), size=count, p=prior.array())
    chi, angle, width, aspect, depth, culture = (np.empty(count) for _ in range(6))
    shape = np.empty(count, dtype=np.intp)
    for index, source in enumerate(petrophysics.classes):
        rows = np.flatnonzero(truth == index)
        drawn = draw_magnetization(source, rng.random((len(rows), 5)))
        chi[rows], angle[rows] = drawn.apparent_susceptibility_si, drawn.angle_deg
        width[rows] = _draw(source.width_m, len(rows), rng)
        aspect[rows] = _draw(source.aspect, len(rows), rng)
        depth[rows] = _draw(source.depth_m, len(rows), rng)
        culture[rows] = rng.random(len(rows)) < source.culture_flag
        shape[rows] = _observe_shape(source, len(rows), rng, spread)
    wide = width * _blur(count, spread.size_sigma_dex, rng)
    evidence = Evidence(
        apparent_susceptibility_si=_hide(
            chi * _blur(count, spread.susceptibility_sigma_dex, rng), rng, spread
        ),
        susceptibility_sigma_dex=spread.susceptibility_sigma_dex,
        magnetization_angle_deg=_hide(
            _fold(angle + rng.normal(0.0, spread.angle_sigma_deg, count)), rng, spread
        ),
        angle_sigma_deg=spread.angle_sigma_deg,
        width_m=_hide(wide, rng, spread),
        aspect_ratio=_hide(
            _at_least_one(aspect * _blur(count, spread.size_sigma_dex, rng)), rng, spread
        ),
        depth_m=_hide(depth * _blur(count, spread.depth_sigma_dex, rng), rng, spread),
        size_sigma_dex=spread.size_sigma_dex,
        depth_sigma_dex=spread.depth_sigma_dex,
        culture=_hide(culture, rng, spread),
        geometry=[GEOMETRIES[k] for k in shape],
    )
    return evidence, truth


def reliability(probabilities: Floats, truth: NDArray[np.intp], *, bins: int = 10) -> Reliability:
    """Bin stated probabilities (n, classes) and count how often each came true.

    Every class of every sample is one statement; empty bins have NaN for both shares.

    Raises
    ------
    BadParameter
        If shapes do not match or there is no sample.
    """
    if probabilities.ndim != 2 or len(probabilities) != len(truth) or not len(truth):  # noqa: PLR2004 -- a table
        raise BadParameter(
            f"probabilities {probabilities.shape} and truth {truth.shape} do not match",
            hint="give (n, classes) and (n,), n at least 1",
        )
    came_true = np.arange(probabilities.shape[1]) == truth[:, None]
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.digitize(probabilities, edges) - 1, 0, bins - 1)
    base = np.bincount(truth, minlength=probabilities.shape[1]) / len(truth)
    return Reliability(
        bins=tuple(
            _bin(probabilities[place == k], came_true[place == k], edges[k], edges[k + 1])
            for k in range(bins)
        ),
        brier=brier_score(probabilities, truth),
        brier_of_prior=brier_score(np.broadcast_to(base, probabilities.shape), truth),
        accuracy=float(np.mean(probabilities.argmax(axis=1) == truth)),
        samples=len(truth),
    )


def synthetic_reliability(
    petrophysics: Petrophysics, *, prior: Prior, rng: np.random.Generator, count: int = 2000
) -> Reliability:
    """Measure reliability on ``count`` fresh synthetic samples."""
    evidence, truth = synthetic_geology(petrophysics, prior=prior, count=count, rng=rng)
    return reliability(class_probabilities(evidence, petrophysics, prior=prior), truth)


def brier_score(probabilities: Floats, truth: NDArray[np.intp]) -> float:
    """Return the multi-class Brier score of (n, classes) against (n,): 0 best, 2 worst."""
    came_true = np.arange(probabilities.shape[1]) == truth[:, None]
    return float(np.mean(np.sum((probabilities - came_true) ** 2, axis=1)))


def _bin(
    stated: Floats, came_true: NDArray[np.bool_], lower: float, upper: float
) -> ReliabilityBin:
    count = len(stated)
    return ReliabilityBin(
        lower=float(lower),
        upper=float(upper),
        count=count,
        mean_probability=float(stated.mean()) if count else float("nan"),
        observed_share=float(came_true.mean()) if count else float("nan"),
    )


def _draw(quantity: Lognormal, count: int, rng: np.random.Generator) -> Floats:
    return 10.0 ** rng.normal(quantity.mean_dex, quantity.sigma_dex, count)


def _blur(count: int, sigma_dex: float, rng: np.random.Generator) -> Floats:
    return 10.0 ** rng.normal(0.0, sigma_dex, count)


def _observe_shape(
    source: SourceClass, count: int, rng: np.random.Generator, spread: EvidenceNoise
) -> NDArray[np.intp]:
    true = rng.choice(len(GEOMETRIES), size=count, p=[source.geometry[g] for g in GEOMETRIES])
    guess = rng.integers(len(GEOMETRIES), size=count)
    return np.where(rng.random(count) < spread.right_shape_share, true, guess)


def _hide(values: Floats, rng: np.random.Generator, spread: EvidenceNoise) -> Floats:
    return np.where(rng.random(len(values)) < spread.missing_share, np.nan, values)


def _fold(angle_deg: Floats) -> Floats:
    inside = np.abs(angle_deg)
    return np.where(inside > 180.0, 360.0 - inside, inside)  # noqa: PLR2004 -- half a turn


def _at_least_one(ratio: Floats) -> Floats:
    return np.maximum(ratio, 1.0 / ratio)
