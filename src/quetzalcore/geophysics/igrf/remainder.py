"""How far a Chebyshev interpolant of the main field can be from it: a proven bound.

The chain of reasoning is in ``docs/science/igrf.md``. In short: continue one coordinate into the
complex plane, bound the series term by term there, and use the bound on a Bernstein ellipse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.igrf.coefficients import DEGREE, model
from quetzalcore.geophysics.igrf.synthesis import (
    EQUATORIAL_RADIUS_M,
    FLATTENING,
    REFERENCE_RADIUS_M,
)

__all__ = ["Axis", "Box", "Choice", "choose_degrees", "lebesgue"]

Floats = NDArray[np.float64]

_E2 = FLATTENING * (2 - FLATTENING)
_POLAR_RADIUS_M = EQUATORIAL_RADIUS_M * (1 - FLATTENING)
_DEGREES = np.arange(1, DEGREE + 1)
_ANGLES = np.geomspace(0.02, 1.5, 24)  # imaginary parts to try, radians
_HEIGHTS = np.geomspace(0.01, 0.5, 16)  # imaginary parts to try, of the Earth's radius


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One coordinate's interval, in the coordinate's own unit."""

    centre: float
    half: float

    @property
    def ends(self) -> tuple[float, float]:
        """Give the least and the greatest value."""
        return self.centre - self.half, self.centre + self.half


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a polynomial is to hold: decimal years, metres, degrees; one epoch interval only."""

    year: Axis
    height_m: Axis
    longitude_deg: Axis
    latitude_deg: Axis

    @property
    def axes(self) -> tuple[Axis, Axis, Axis, Axis]:
        """Give the axes in the polynomial's order: year, height, longitude, latitude."""
        return self.year, self.height_m, self.longitude_deg, self.latitude_deg


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Polynomial degrees by axis, and the greatest error of that interpolant, in its own unit."""

    degrees: tuple[int, int, int, int]
    remainder: float


def choose_degrees(box: Box, *, power: int, tolerance: float) -> Choice:
    """Choose the smallest degrees whose proven remainder is about ``tolerance``.

    Parameters
    ----------
    box : Box
    power : int
        1 for a component in nT, 2 for the squared intensity in nT^2. Also the exact degree in time.
    tolerance : float
        In the same unit.
    """
    norms = _degree_norms(box.year)
    time_degree = power if box.year.half > 0 else 0
    amplification = lebesgue(time_degree) * 2.5**3  # refined below, once the degrees are known
    each = tolerance / (3 * amplification)
    chosen = [
        _choose(*_height(box, norms, power), tolerance=each),
        _choose(*_longitude(box, norms, power), tolerance=each),
        _choose(*_latitude(box, norms, power), tolerance=each),
    ]
    degrees = (time_degree, chosen[0][0], chosen[1][0], chosen[2][0])
    factor = math.prod(lebesgue(degree) for degree in degrees)
    return Choice(degrees=degrees, remainder=factor * sum(error for _, error in chosen))


def lebesgue(degree: int) -> float:
    """Bound the Lebesgue constant of interpolation at ``degree + 1`` Chebyshev points."""
    return 1 + 2 / math.pi * math.log(degree + 1)


def _choose(rho: Floats, peak: Floats, *, tolerance: float) -> tuple[int, float]:
    """Return the least degree over all ellipses, and its error 4 M rho^-n / (rho - 1)."""
    usable = np.isfinite(peak) & (rho > 1)
    if not usable.any():
        return 0, math.inf
    log_rho = np.log(rho[usable])
    log_scale = np.log(4 * peak[usable]) - np.log(rho[usable] - 1)
    needed = np.ceil((log_scale - math.log(tolerance)) / log_rho)
    degree = max(0, int(needed.min()))
    return degree, float(np.exp((log_scale - degree * log_rho).min()))


def _degree_norms(year: Axis) -> Floats:
    """Return the root sum of squares of each degree's coefficients, the larger of both ends: (13,).

    Between the ends coefficients are linear in time and a norm is convex, so it cannot be larger.
    """
    norms = []
    for end in year.ends:
        g, h = model().at(end)
        norms.append(np.sqrt((g**2 + h**2).sum(axis=0))[1:])
    return np.asarray(np.maximum(norms[0], norms[1]), dtype=np.float64)


def _series(norms: Floats, stretch_m: Floats, square_m2: Floats) -> Floats:
    """Bound the field where |Re z| + |Im z| <= stretch and |z . z| >= square; infinite if that is 0.

    Degree n contributes (n + 1) G_n a^(n+2) stretch^(n+1) / square^(n + 3/2).
    """
    n = _DEGREES[:, np.newaxis]
    safe = np.where(square_m2 > 0, square_m2, np.nan)
    root = np.sqrt(safe)
    terms = (n + 1) * norms[:, np.newaxis] * (REFERENCE_RADIUS_M / root) ** (n + 2)
    peak = (terms * (stretch_m / root) ** (n + 1)).sum(axis=0)
    return np.where(np.isfinite(peak), peak, np.inf)


def _rho(imaginary: Floats, half: float) -> Floats:
    """Return the Bernstein ellipse whose imaginary half-axis is given; none for a point."""
    ratio = imaginary / half
    return ratio + np.sqrt(1 + ratio**2)


def _longitude(box: Box, norms: Floats, power: int) -> tuple[Floats, Floats]:
    """Complex longitude: z . z stays r^2, and |Re z| + |Im z| <= r exp(alpha)."""
    alpha = _ANGLES
    radius = np.full_like(alpha, _POLAR_RADIUS_M + box.height_m.ends[0])
    field = _series(norms, radius * np.exp(alpha), radius**2)
    turning = np.exp(alpha) if power == 1 else 1.0  # the local axes are continued, too
    return _rho(alpha, math.radians(box.longitude_deg.half)), field**power * turning


def _latitude(box: Box, norms: Floats, power: int) -> tuple[Floats, Floats]:
    """Complex latitude: as on a sphere, but for the ellipsoid's part delta, bounded apart."""
    beta = _ANGLES
    low, high = (EQUATORIAL_RADIUS_M + end for end in box.height_m.ends)
    excess = 1 / np.sqrt(1 - _E2 * np.cosh(beta) ** 2) - 1
    size = np.sqrt(np.cosh(2 * beta))
    delta = EQUATORIAL_RADIUS_M * size * (excess + _E2 * (1 + excess))
    stretch = high * np.exp(beta) + math.sqrt(2) * delta
    square = low**2 - 2 * low * size * delta - delta**2
    turning = np.exp(beta) if power == 1 else 1.0
    field = _series(norms, stretch, square)
    return _rho(beta, math.radians(box.latitude_deg.half)), field**power * turning


def _height(box: Box, norms: Floats, power: int) -> tuple[Floats, Floats]:
    """Complex height: z = x + i gamma n; the ellipse reaches below the box, too."""
    gamma = _HEIGHTS * REFERENCE_RADIUS_M
    below = np.hypot(gamma, box.height_m.half)
    radius = np.maximum(_POLAR_RADIUS_M + box.height_m.centre - below, 0.0)
    field = _series(norms, radius + gamma, radius**2 - gamma**2)
    return _rho(gamma, box.height_m.half), field**power
