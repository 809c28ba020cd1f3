"""From a fitted moment to its direction, the angle to the inducing field, and a polarity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.targets.anomaly import Polarity
from quetzalcore.geophysics.targets.fitting import BodyFit

__all__ = [
    "Direction",
    "direction_of",
    "field_vector",
    "polarity_of",
]

Floats = NDArray[np.float64]
_POSITIVE_DEG, _NEGATIVE_DEG = 60.0, 120.0
_ANGLE_FLOOR_DEG = 5.0  # bodies are not dipoles: no fit knows a direction better
_RESOLVED_DEG = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """Direction of total magnetisation, degrees; declination from grid north."""

    inclination_deg: float
    declination_deg: float
    angle_deg: float
    angle_sigma_deg: float

    @property
    def resolved(self) -> bool:
        """Whether the angle says more than "anywhere"."""
        return self.angle_sigma_deg <= _RESOLVED_DEG


def field_vector(inclination_deg: float, declination_deg: float) -> Floats:
    """Return the unit vector (easting, northing, upward); inclination is positive down."""
    down, turn = np.radians(inclination_deg), np.radians(declination_deg)
    flat = np.cos(down)
    return np.array([flat * np.sin(turn), flat * np.cos(turn), -np.sin(down)])


def direction_of(fit: BodyFit, field: Floats) -> Direction:
    """Give the moment's direction and its angle to the inducing field, with its uncertainty.

    The uncertainty is the moment's standard deviation across its own direction (the mean of the two
    axes), widened by what the fit leaves unexplained.
    """
    size = float(np.linalg.norm(fit.moment))
    east, north, up = fit.moment / size
    across = np.eye(3) - np.outer(fit.moment, fit.moment) / size**2
    spread = float(np.sqrt(np.trace(across @ fit.moment_covariance @ across) / 2.0)) / size
    misfit = np.sqrt(max(1.0 - fit.explained, 0.0))
    sigma = float(np.hypot(np.degrees(np.arctan(spread)), np.degrees(misfit)))
    return Direction(
        inclination_deg=float(np.degrees(np.arcsin(np.clip(-up, -1.0, 1.0)))),
        declination_deg=float(np.degrees(np.arctan2(east, north))),
        angle_deg=float(np.degrees(np.arccos(np.clip(fit.moment @ field / size, -1.0, 1.0)))),
        angle_sigma_deg=max(sigma, _ANGLE_FLOOR_DEG),
    )


def polarity_of(direction: Direction | None, high_nt: float, low_nt: float) -> Polarity:
    """Name the polarity by the angle where it is resolved, otherwise by the reduced field.

    ``high_nt`` and ``low_nt`` are how far the field reduced to the pole rises above and falls below
    its surroundings, both positive.
    """
    if direction is not None and direction.resolved:
        if direction.angle_deg <= _POSITIVE_DEG:
            return Polarity.POSITIVE
        return Polarity.NEGATIVE if direction.angle_deg >= _NEGATIVE_DEG else Polarity.DIPOLAR
    if low_nt < 0.5 * high_nt:
        return Polarity.POSITIVE
    return Polarity.NEGATIVE if high_nt < 0.5 * low_nt else Polarity.DIPOLAR
