"""What a survey costs, what it finds for the money, and whether it is worth it."""

from __future__ import annotations

from quetzalcore.geophysics.economics.decisions import (
    BlindDrilling,
    InformationValue,
    SpacingChoice,
    compare_blind_drilling,
    expected_value_of_information,
    optimal_spacing,
)
from quetzalcore.geophysics.economics.detection import (
    Detection,
    Shape,
    Target,
    amplitude_nt,
    crossing_probability,
    detection_probability,
)
from quetzalcore.geophysics.economics.estimate import (
    CostResult,
    DrillingComparison,
    Quantiles,
    estimate,
    to_dict,
)
from quetzalcore.geophysics.economics.rates import Rate, Rates, load_rates
from quetzalcore.geophysics.economics.request import CostRequest, Method, Platform, ProjectType
from quetzalcore.geophysics.economics.survey_cost import (
    expected_cost_usd,
    line_km,
    sample_costs,
)

__all__ = [
    "BlindDrilling",
    "CostRequest",
    "CostResult",
    "Detection",
    "DrillingComparison",
    "InformationValue",
    "Method",
    "Platform",
    "ProjectType",
    "Quantiles",
    "Rate",
    "Rates",
    "Shape",
    "SpacingChoice",
    "Target",
    "amplitude_nt",
    "compare_blind_drilling",
    "crossing_probability",
    "detection_probability",
    "estimate",
    "expected_cost_usd",
    "expected_value_of_information",
    "line_km",
    "load_rates",
    "optimal_spacing",
    "sample_costs",
    "to_dict",
]
