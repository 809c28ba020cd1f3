"""From a fitted moment to direction, angle to the inducing field, and apparent susceptibility."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.targets.anomaly import BodyShape, Polarity
from quetzalcore.geophysics.targets.body import BodyFit

__all__ = [
    "Direction",
    "apparent_susceptibility",
    "direction_of",
    "field_vector",
    "polarity_of",
    "source_size",
]

Floats = NDArray[np.float64]
_MU0 = 4e-7 * np.pi
_NT = 1e-9
_POSITIVE_DEG, _NEGATIVE_DEG = 60.0, 120.0
_ANGLE_FLOOR_DEG = 5.0  # bodies are not dipoles: no fit knows a direction better
_RESOLVED_DEG = 35.0
# Full width at half maximum of the analytic signal over depth, for a point, a line, a thin sheet:
# 2 sqrt(2^(1/n) - 1) with the signal falling as (x^2 + z^2)^-n and n = 2, 3/2, 1 (the pipe, n = 3/2).
_SPREAD = {
    BodyShape.BALL: 1.287,
    BodyShape.LINE: 1.533,
    BodyShape.PIPE: 1.533,
    BodyShape.SHEET: 2.0,
    BodyShape.UNRESOLVED: 1.5,
}
_NARROWEST = 0.3  # of the depth: below this, width and susceptibility cannot be told apart
_RESOLVABLE = 0.7  # of the depth: above this, the outline shows the body's own width


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
    sigma = float(np.hypot(np.degrees(np.arctan(spread)), np.degrees(0.3 * misfit)))
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


def source_size(
    shape: BodyShape, *, width_m: float, length_m: float, depth_m: float
) -> tuple[float, float, bool]:
    """Take the spread that depth adds off an outline: ``(width, length, resolved)`` of the source.

    Widths add as squares. Where the outline is no wider than a thin body's at this depth, the width
    is only an upper bound and ``resolved`` is False.
    """
    spread = _SPREAD[shape] * depth_m
    width = float(np.sqrt(max(width_m**2 - spread**2, 0.0)))
    resolved = width >= _RESOLVABLE * depth_m
    width = max(width, _RESOLVABLE * depth_m)
    length = float(np.sqrt(max(length_m**2 - spread**2, 0.0)))
    return width, max(length, width), resolved


def apparent_susceptibility(
    fit: BodyFit, *, width_m: float, length_m: float, resolved: bool, field_nt: float
) -> tuple[float, tuple[float, float]]:
    """Turn a moment and a size into total magnetisation over inducing field, SI, with an interval.

    A ball has the volume of a sphere (no higher than it is deep), a line that of a cylinder, a pipe
    and a sheet the cross-section of an ellipse and a rectangle for each metre of depth. Where the
    width is not resolved it may be as small as 0.3 depths: the interval says so.
    """
    largest = width_m
    smallest = 0.5 * width_m if resolved else _NARROWEST / _RESOLVABLE * width_m
    middle = width_m if resolved else float(np.sqrt(largest * smallest))
    moment = float(np.linalg.norm(fit.moment))
    error = float(np.sqrt(np.trace(fit.moment_covariance)) / moment)

    def magnetization_ratio(width: float) -> float:
        volume = _volume(fit.shape, width, max(length_m, width), fit.depth_m)
        return moment / volume * _MU0 / (field_nt * _NT)

    factor = 1.0 + min(error, 3.0)
    low = magnetization_ratio(largest * (1.3 if resolved else 1.0)) / factor
    high = magnetization_ratio(smallest) * factor
    return magnetization_ratio(middle), (low, high)


def _volume(shape: BodyShape, width: float, length: float, depth: float) -> float:
    """Volume, m^3; for pipe and sheet, which have no bottom, the cross-section in m^2."""
    height = min(width, 2.0 * depth)
    if shape is BodyShape.BALL:
        return float(np.pi / 6.0 * width * length * height)
    if shape is BodyShape.LINE:
        return float(np.pi / 4.0 * width * height * length)
    if shape is BodyShape.PIPE:
        return float(np.pi / 4.0 * width * length)
    return width * length
