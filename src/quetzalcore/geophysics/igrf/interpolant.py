"""Build the polynomials that stand for the main field in a box, with their guaranteed error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.igrf.chebyshev import Polynomial, coefficients, nodes, shorten
from quetzalcore.geophysics.igrf.coefficients import model
from quetzalcore.geophysics.igrf.remainder import Axis, Box, Choice, choose_degrees
from quetzalcore.geophysics.igrf.synthesis import synthesise

__all__ = ["Interpolant", "for_components", "for_total"]

Floats = NDArray[np.float64]

_MAX_NODES = 20_000
_MAX_TERMS = 400
_INTERPOLATION_SHARE = 0.1  # of the bound; the rest is spent on dropping terms, which saves time
_SYNTHESIS_ROUNDING_NT = 1e-7  # of the exact sum itself, seen to be below 1e-9 nT
_FIRST_GUESS_NT = 20_000.0  # of the intensity; only chooses degrees, the bound uses the real one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interpolant:
    """Polynomials over a box and the error, nT, that their values cannot exceed."""

    polynomials: tuple[Polynomial, ...]
    box: Box
    bound_nt: float
    nodes: int

    @property
    def terms(self) -> int:
        """Count the terms of the longest polynomial."""
        return max(polynomial.terms for polynomial in self.polynomials)


def for_components(box: Box, bound_nt: float) -> Interpolant | None:
    """Build east, north and up; None where the exact sum is the better way."""
    choice = choose_degrees(box, power=1, tolerance=_INTERPOLATION_SHARE * bound_nt)
    values = _values_at_nodes(box, choice)
    if values is None:
        return None
    budget = bound_nt - choice.remainder - 2 * _SYNTHESIS_ROUNDING_NT
    polynomials = tuple(shorten(coefficients(part), budget) for part in values)
    worst = max(p.dropped + p.rounding for p in polynomials)
    return _worth(
        Interpolant(
            polynomials=polynomials,
            box=box,
            bound_nt=choice.remainder + worst + _SYNTHESIS_ROUNDING_NT,
            nodes=math.prod(values[0].shape),
        ),
        bound_nt,
    )


def for_total(box: Box, bound_nt: float) -> Interpolant | None:
    """Build the squared intensity; None where the exact sum is the better way.

    The square is a polynomial in the components, so it has no branch point to stay away from; its
    error divided by the sum of two intensities is the intensity's.
    """
    tolerance = _INTERPOLATION_SHARE * bound_nt * 2 * _FIRST_GUESS_NT
    choice = choose_degrees(box, power=2, tolerance=tolerance)
    values = _values_at_nodes(box, choice)
    if values is None:
        return None
    series = coefficients(values[0] ** 2 + values[1] ** 2 + values[2] ** 2)
    floor = 2 * series.flat[0] - np.abs(series).sum() - choice.remainder  # true square is above
    if floor <= 0:
        return None
    least_nt = math.sqrt(floor)
    allowed_nt = 0.999 * (bound_nt - 2 * _SYNTHESIS_ROUNDING_NT)  # the thousandth is for `error`
    polynomial = shorten(series, allowed_nt * 2 * least_nt - choice.remainder)
    error = choice.remainder + polynomial.dropped + polynomial.rounding
    both_nt = least_nt + math.sqrt(max(0.0, floor - error))  # least true and least computed
    return _worth(
        Interpolant(
            polynomials=(polynomial,),
            box=box,
            bound_nt=error / both_nt + _SYNTHESIS_ROUNDING_NT,
            nodes=series.size,
        ),
        bound_nt,
    )


def _worth(interpolant: Interpolant, bound_nt: float) -> Interpolant | None:
    good = interpolant.bound_nt <= bound_nt and interpolant.terms <= _MAX_TERMS
    return interpolant if good else None


def _values_at_nodes(box: Box, choice: Choice) -> tuple[Floats, Floats, Floats] | None:
    """Sum exactly at the tensor of nodes; None where that is too many, or nothing is proven."""
    shape = tuple(degree + 1 for degree in choice.degrees)
    if not math.isfinite(choice.remainder) or math.prod(shape) > _MAX_NODES:
        return None
    year, height_m, longitude_deg, latitude_deg = (
        _spread(axis, count) for axis, count in zip(box.axes, shape, strict=True)
    )
    place = np.meshgrid(longitude_deg, latitude_deg, height_m, indexing="ij")
    lon, lat, height = (np.moveaxis(part, 2, 0).ravel() for part in place)
    by_year = [synthesise(lon, lat, height, *model().at(float(one))) for one in year]
    east, north, up = (np.reshape(parts, shape) for parts in zip(*by_year, strict=True))
    return east, north, up


def _spread(axis: Axis, count: int) -> Floats:
    return axis.centre + axis.half * nodes(count)
