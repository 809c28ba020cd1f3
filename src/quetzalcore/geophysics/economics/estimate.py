"""One cost analysis from request to result."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from quetzalcore.geophysics.economics.decisions import (
    BlindDrilling,
    InformationValue,
    SpacingChoice,
    compare_blind_drilling,
    detection_at,
    expected_value_of_information,
    optimal_spacing,
)
from quetzalcore.geophysics.economics.detection import Detection
from quetzalcore.geophysics.economics.rates import Rate, Rates
from quetzalcore.geophysics.economics.request import CostRequest
from quetzalcore.geophysics.economics.survey_cost import line_km, sample_costs

__all__ = ["CostResult", "DrillingComparison", "Quantiles", "estimate", "to_dict"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """A cost as a range, US dollars."""

    p10: float
    p50: float
    p90: float
    mean: float

    @classmethod
    def of(cls, values: Floats) -> Quantiles:
        """Summarise draws."""
        p10, p50, p90 = (float(value) for value in np.quantile(values, [0.1, 0.5, 0.9]))
        return cls(p10=p10, p50=p50, p90=p90, mean=float(values.mean()))


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillingComparison:
    """Blind drilling to the same chance of a hit, against the survey with its follow-up holes."""

    hit_per_hole: float
    holes: float
    hole_depth_m: float
    follow_up_holes: int
    drilling_usd: Quantiles
    survey_and_follow_up_usd: Quantiles
    survey_cheaper_probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CostResult:
    """The whole analysis.

    ``spacing_was_optimised`` says whether ``line_spacing_m`` was asked for or chosen here; ``rates``
    are those that were used, with their sources; ``assumptions`` say what the numbers rest on.
    """

    line_spacing_m: float
    spacing_was_optimised: bool
    line_km: float
    total_usd: Quantiles
    usd_per_line_km: Quantiles
    breakdown_usd: dict[str, Quantiles]
    detection: Detection
    optimal_spacing: SpacingChoice
    drilling: DrillingComparison
    information: InformationValue | None
    rates: dict[str, Rate]
    assumptions: tuple[str, ...]


def estimate(request: CostRequest, rates: Rates, rng: np.random.Generator) -> CostResult:
    """Estimate cost, detection, best spacing, blind drilling and, where asked, the value of information.

    Parameters
    ----------
    request : CostRequest
    rates : Rates
        From :func:`load_rates`.
    rng : numpy.random.Generator
        The same state gives the same result.
    """
    best = optimal_spacing(request, rates)
    spacing = best.spacing_m if request.line_spacing_m is None else request.line_spacing_m
    items = sample_costs(request, rates, rng, spacing_m=spacing)
    total = np.sum(list(items.values()), axis=0)
    length = line_km(
        request.area_km2,
        spacing,
        tie_fraction=request.tie_fraction,
        edge_fraction=request.edge_fraction,
    )
    detection = detection_at(request, spacing)
    drilling = compare_blind_drilling(
        request, rates, rng, probability=detection.combined, survey_usd=total
    )
    return CostResult(
        line_spacing_m=spacing,
        spacing_was_optimised=request.line_spacing_m is None,
        line_km=length,
        total_usd=Quantiles.of(total),
        usd_per_line_km=Quantiles.of(total / length),
        breakdown_usd={name: Quantiles.of(values) for name, values in items.items()},
        detection=detection,
        optimal_spacing=best,
        drilling=_comparison(request, drilling),
        information=_information(request, rates, detection, float(total.mean())),
        rates=dict(rates.by_name),
        assumptions=_assumptions(request, rates),
    )


def to_dict(result: CostResult) -> dict[str, Any]:
    """Return the result as plain JSON values: NaN and infinity become None, tuples lists."""
    plain = _plain(asdict(result))
    assert isinstance(plain, dict)  # noqa: S101 -- a dataclass is a dict
    return plain


def _plain(value: Any) -> Any:  # noqa: ANN401 -- JSON is any of these
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _comparison(request: CostRequest, drilling: BlindDrilling) -> DrillingComparison:
    return DrillingComparison(
        hit_per_hole=drilling.hit_per_hole,
        holes=drilling.holes,
        hole_depth_m=request.hole_m,
        follow_up_holes=request.follow_up_holes,
        drilling_usd=Quantiles.of(drilling.drilling_usd),
        survey_and_follow_up_usd=Quantiles.of(drilling.survey_usd),
        survey_cheaper_probability=float(np.mean(drilling.survey_usd < drilling.drilling_usd)),
    )


def _information(
    request: CostRequest, rates: Rates, detection: Detection, survey_usd: float
) -> InformationValue | None:
    """Value the survey's answer; the programme that it decides on is the follow-up drilling."""
    if request.prior_probability is None or request.discovery_value_usd is None:
        return None
    holes = request.follow_up_holes * request.hole_m * rates["drilling_per_m"].mean
    return expected_value_of_information(
        prior_probability=request.prior_probability,
        discovery_value_usd=request.discovery_value_usd,
        drilling_usd=holes + rates["drilling_mobilisation"].mean,
        survey_usd=survey_usd,
        detection=detection.combined,
        false_alarm=float(ndtr(-request.threshold)),
    )


def _assumptions(request: CostRequest, rates: Rates) -> tuple[str, ...]:
    """Say what the numbers rest on."""
    target = request.target
    assumed = sum("assumption" in rate.source for rate in rates.by_name.values())
    return (
        f"{assumed} of {len(rates.by_name)} rates are assumptions, not quotes: replace them by yours",
        "rates vary independently of one another",
        f"target: {target.shape.value} {target.length_m:g} m at a random place and azimuth",
        f"its centre {target.depth_to_centre_m:g} m deep, induced, {target.susceptibility_si:g} SI",
        f"noise {request.noise_nt:g} nT, picked above {request.threshold:g} standard deviations",
        f"one of {request.follow_up_holes} follow-up holes hits a detected body: none is spent on barren ones",
        "blind holes are laid at random: whoever knows outcrop or geochemistry needs far fewer",
    )
