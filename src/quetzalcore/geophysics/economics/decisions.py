"""What to do with costs and chances: the best spacing, drilling blind instead, and what knowing is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.economics.detection import Detection, detection_probability
from quetzalcore.geophysics.economics.rates import Rates
from quetzalcore.geophysics.economics.request import CostRequest
from quetzalcore.geophysics.economics.survey_cost import expected_cost_usd

__all__ = [
    "BlindDrilling",
    "InformationValue",
    "SpacingChoice",
    "compare_blind_drilling",
    "detection_at",
    "expected_value_of_information",
    "optimal_spacing",
]

Floats = NDArray[np.float64]

_CANDIDATES = 81
_FINEST_OF_WIDTH = 0.1  # candidates run from a tenth of the body's width to ten of it
_WIDEST_OF_WIDTH = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpacingChoice:
    """A line spacing, its chance of finding the body, its expected cost, and the alternatives.

    ``table`` holds ``(spacing_m, probability, expected_cost_usd)`` of every candidate.
    """

    spacing_m: float
    probability: float
    expected_cost_usd: float
    table: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlindDrilling:
    """Two ways to the same chance of a hit: a survey with follow-up holes, or holes alone.

    Parameters
    ----------
    hit_per_hole : float
        Chance that one vertical hole at a random place hits the body.
    holes : float
        Holes that reach the survey's chance; infinite where no number does.
    drilling_usd, survey_usd : (draws,) float64
        Cost of the one and of the other way.
    """

    hit_per_hole: float
    holes: float
    drilling_usd: Floats
    survey_usd: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationValue:
    """What a survey's answer is worth to somebody who may drill, US dollars.

    Parameters
    ----------
    without_usd : float
        Expected value of the better of drilling and not drilling, knowing only the prior.
    with_usd : float
        Expected value when the survey's answer is known first, its cost not counted.
    information_usd, perfect_usd : float
        The gain, and the gain from an answer that is always right.
    net_usd : float
        The gain less the survey's cost.
    posterior_if_found, posterior_if_not : float
        Chance that the body is there after either answer; NaN where the answer cannot occur.
    """

    without_usd: float
    with_usd: float
    information_usd: float
    perfect_usd: float
    net_usd: float
    posterior_if_found: float
    posterior_if_not: float


def detection_at(request: CostRequest, spacing_m: float) -> Detection:
    """Return the detection probability of the request's survey at a line spacing."""
    return detection_probability(
        request.target,
        spacing_m,
        sensor_height_m=request.height_m,
        noise_nt=request.noise_nt,
        threshold=request.threshold,
        field_nt=request.field_nt,
        inclination_deg=request.inclination_deg,
    )


def optimal_spacing(
    request: CostRequest, rates: Rates, *, spacings_m: Sequence[float] | None = None
) -> SpacingChoice:
    """Choose the line spacing with the greatest detection probability per expected dollar.

    Parameters
    ----------
    request : CostRequest
        Its own spacing is not looked at.
    rates : Rates
    spacings_m : sequence of float, optional
        Candidates; by default 81 from a tenth of the body's mean width to ten times it, none closer
        than 1 m. Of equals the widest is taken.
    """
    width = request.target.mean_width_m
    finest = max(1.0, _FINEST_OF_WIDTH * width)
    candidates = (
        np.geomspace(finest, max(finest, _WIDEST_OF_WIDTH * width), _CANDIDATES).round(2)
        if spacings_m is None
        else np.asarray(spacings_m, dtype=np.float64)
    )
    table = tuple(
        (
            float(spacing),
            detection_at(request, float(spacing)).combined,
            expected_cost_usd(request, rates, spacing_m=float(spacing)),
        )
        for spacing in candidates
    )
    best = max(table, key=lambda row: (row[1] / row[2], row[0]))
    return SpacingChoice(
        spacing_m=best[0], probability=best[1], expected_cost_usd=best[2], table=table
    )


def compare_blind_drilling(
    request: CostRequest,
    rates: Rates,
    rng: np.random.Generator,
    *,
    probability: float,
    survey_usd: Floats,
) -> BlindDrilling:
    """Compare a survey and its follow-up holes with holes at random until the chance is the same.

    Parameters
    ----------
    request : CostRequest
    rates : Rates
    rng : numpy.random.Generator
    probability : float
        The survey's chance of finding the body, 0 to 1. Above 0.999 it counts as 0.999: certainty
        takes infinitely many random holes.
    survey_usd : (draws,) float64
        Cost of the survey alone.
    """
    hit = min(1.0, request.target.plan_area_m2 / (request.area_km2 * 1e6))
    holes = _holes_for(min(probability, 0.999), hit)
    per_hole = request.hole_m * rates["drilling_per_m"].sample(len(survey_usd), rng)
    mobilisation = rates["drilling_mobilisation"].sample(len(survey_usd), rng)
    follow_up = mobilisation + request.follow_up_holes * per_hole
    return BlindDrilling(
        hit_per_hole=hit,
        holes=holes,
        drilling_usd=mobilisation + holes * per_hole,
        survey_usd=survey_usd + (follow_up if request.follow_up_holes else 0.0),
    )


def expected_value_of_information(
    *,
    prior_probability: float,
    discovery_value_usd: float,
    drilling_usd: float,
    survey_usd: float,
    detection: float,
    false_alarm: float,
) -> InformationValue:
    """Work the decision tree: survey, see an answer, then drill or walk away.

    Parameters
    ----------
    prior_probability : float
        Chance that the body is there, before the survey.
    discovery_value_usd : float
        Worth of a discovery before drilling is paid; drilling finds the body if it is there.
    drilling_usd, survey_usd : float
    detection, false_alarm : float
        Chances that the survey says "there" when it is and when it is not.

    Raises
    ------
    BadParameter
        If a chance is not from 0 to 1.
    """
    for name, chance in (
        ("prior_probability", prior_probability),
        ("detection", detection),
        ("false_alarm", false_alarm),
    ):
        if not 0 <= chance <= 1:
            raise BadParameter(f"{name} is {chance}", hint="give a chance from 0 to 1")

    def best(joint: float, chance: float) -> float:
        return max(0.0, joint * discovery_value_usd - chance * drilling_usd)

    found_there = prior_probability * detection
    found = found_there + (1 - prior_probability) * false_alarm
    missed_there = prior_probability - found_there
    without = best(prior_probability, 1.0)
    informed = best(found_there, found) + best(missed_there, 1 - found)
    return InformationValue(
        without_usd=without,
        with_usd=informed,
        information_usd=max(0.0, informed - without),
        perfect_usd=best(prior_probability, prior_probability) - without,
        net_usd=informed - without - survey_usd,
        posterior_if_found=_ratio(found_there, found),
        posterior_if_not=_ratio(missed_there, 1 - found),
    )


def _holes_for(probability: float, hit: float) -> float:
    if probability <= 0:
        return 0.0
    return (
        1.0 if hit >= 1 else max(1.0, float(np.ceil(math.log1p(-probability) / math.log1p(-hit))))
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan
