"""What a survey costs: line kilometres times rates, item by item."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.economics.rates import Rate, Rates
from quetzalcore.geophysics.economics.request import CostRequest, Method

__all__ = ["expected_cost_usd", "line_km", "sample_costs"]

Floats = NDArray[np.float64]
_FIXED = ("processing_fixed", "reporting", "permits")
_SURCHARGES = {
    Method.GRADIOMETRY: "gradiometry_surcharge",
    Method.RADIOMETRICS: "radiometrics_surcharge",
}


def line_km(
    area_km2: float, spacing_m: float, *, tie_fraction: float = 0.10, edge_fraction: float = 0.07
) -> float:
    """Return the line kilometres of a survey: area / spacing x (1 + tie + edge).

    The defaults make 1.17, which two published surveys flew.

    Raises
    ------
    BadParameter
        If area or spacing is not positive, or a fraction is negative.
    """
    good = area_km2 > 0 and spacing_m > 0 and tie_fraction >= 0 and edge_fraction >= 0
    if not (good and math.isfinite(area_km2 / spacing_m * (1 + tie_fraction + edge_fraction))):
        raise BadParameter(
            f"area {area_km2} km2, spacing {spacing_m} m, ties {tie_fraction}, edge {edge_fraction}",
            hint="give an area and a spacing above 0 and fractions of at least 0",
        )
    return area_km2 / (spacing_m / 1000) * (1 + tie_fraction + edge_fraction)


def sample_costs(
    request: CostRequest, rates: Rates, rng: np.random.Generator, *, spacing_m: float
) -> dict[str, Floats]:
    """Draw every item's cost, US dollars, each (draws,): the sum of the items is the survey's cost.

    Rates are drawn independently of one another.
    """
    return _items(request, rates, lambda rate: rate.sample(request.draws, rng), spacing_m)


def expected_cost_usd(request: CostRequest, rates: Rates, *, spacing_m: float) -> float:
    """Return the expected cost of the survey, US dollars, in closed form."""
    items = _items(request, rates, lambda rate: np.array([rate.mean]), spacing_m)
    return float(sum(item[0] for item in items.values()))


def _items(
    request: CostRequest, rates: Rates, take: Callable[[Rate], Floats], spacing_m: float
) -> dict[str, Floats]:
    """Assemble the items from one value, or many, of each rate.

    Every product is of different, independent rates, so that means of rates give the mean cost.
    """
    platform = request.platform.value.replace("-", "_")
    length = line_km(
        request.area_km2,
        spacing_m,
        tie_fraction=request.tie_fraction,
        edge_fraction=request.edge_fraction,
    )
    acquisition = length * take(rates[f"acquisition_{platform}"])
    items = {
        "mobilisation": take(rates[f"mobilisation_{platform}"]),
        "acquisition": acquisition,
    }
    for method, surcharge in _SURCHARGES.items():
        if method in request.methods:
            items[method.value] = acquisition * take(rates[surcharge])
    items["standby"] = acquisition * take(rates["standby"])
    items["processing"] = length * take(rates["processing_per_km"])
    items.update({name: take(rates[name]) for name in _FIXED})
    items["contingency"] = _sum(items) * take(rates["contingency"])
    return items


def _sum(items: Mapping[str, Floats]) -> Floats:
    return np.asarray(np.sum(list(items.values()), axis=0), dtype=np.float64)
