"""Whether survey lines cross a body, and whether they see it above the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from quetzalcore.errors import BadParameter

__all__ = [
    "Detection",
    "Shape",
    "Target",
    "amplitude_nt",
    "crossing_probability",
    "detection_probability",
]

Floats = NDArray[np.float64]

_OFFSETS = 129  # odd, for Simpson's rule
_ALONG = np.linspace(-4.0, 4.0, 321)  # positions along the line, in distances to the body


class Shape(StrEnum):
    """The outline of a body in plan, for the chance that a line crosses it."""

    CIRCLE = "circle"
    LINE = "line"
    RECTANGLE = "rectangle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The body that is looked for; its anomaly is that of an equivalent sphere.

    Parameters
    ----------
    shape : Shape
        Outline in plan, of random azimuth.
    length_m : float
        Diameter of a circle, length of a line or rectangle, metres.
    width_m : float
        Width of a rectangle, metres.
    radius_m : float, optional
        Radius of the sphere that stands for the body's anomaly. Default: half the diameter of a circle,
        or the circle of equal area for a rectangle; a line needs it stated.
    depth_to_centre_m : float
        Below ground, metres.
    susceptibility_si : float
        Self-demagnetisation of a sphere is included.
    """

    shape: Shape = Shape.CIRCLE
    length_m: float = 200.0
    width_m: float = 0.0
    radius_m: float | None = None
    depth_to_centre_m: float = 150.0
    susceptibility_si: float = 0.05

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises
        ------
        BadParameter
            If a size is not positive where the shape needs it.
        """
        sizes = {"length_m": self.length_m, "depth_to_centre_m": self.depth_to_centre_m}
        if self.shape is Shape.RECTANGLE:
            sizes["width_m"] = self.width_m
        if self.shape is Shape.LINE or self.radius_m is not None:
            sizes["radius_m"] = self.radius_m or 0.0
        for name, value in sizes.items():
            if not (math.isfinite(value) and value > 0):
                raise BadParameter(
                    f"the target's {name} is {value}", hint=f"give {name} in metres, above 0"
                )

    @property
    def sphere_radius_m(self) -> float:
        """Give the radius of the sphere that stands for the body."""
        if self.radius_m is not None:
            return self.radius_m
        if self.shape is Shape.RECTANGLE:
            return math.sqrt(self.length_m * self.width_m / math.pi)
        return self.length_m / 2

    @property
    def mean_width_m(self) -> float:
        """Give the extent across lines, averaged over azimuths."""
        if self.shape is Shape.CIRCLE:
            return self.length_m
        if self.shape is Shape.LINE:
            return 2 * self.length_m / math.pi
        return 2 * (self.length_m + self.width_m) / math.pi

    @property
    def plan_area_m2(self) -> float:
        """Give what a vertical hole has to hit: the outline, or the sphere's for a line."""
        if self.shape is Shape.RECTANGLE:
            return self.length_m * self.width_m
        radius = self.length_m / 2 if self.shape is Shape.CIRCLE else self.sphere_radius_m
        return math.pi * radius**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Chances that a survey finds a body that is there.

    Parameters
    ----------
    crossing : float
        A line crosses the outline.
    visible_if_crossed : float
        The anomaly stands out of the noise, given a crossing.
    combined : float
        Both.
    without_crossing : float
        The anomaly stands out on the nearest line, crossing or not: what a geophysicist, who sees
        flanks too, may hope for.
    amplitude_nt : float
        Largest anomaly on a line straight above.
    """

    crossing: float
    visible_if_crossed: float
    combined: float
    without_crossing: float
    amplitude_nt: float


def crossing_probability(target: Target, line_spacing_m: float) -> float:
    """Return the chance that parallel lines cross a body of random place and azimuth, at most 1.

    Circle D/S, line 2L/(pi S), rectangle 2(L+W)/(pi S). Exact where the body is shorter than the
    spacing; for longer ones the capped formula is slightly too hopeful.

    References
    ----------
    Agocs, W. B. (1955). Line spacing effect and determination of optimum spacing illustrated by
    Marmora, Ontario, magnetic anomaly. Geophysics, 20(4), 871-885.
    """
    _check_positive("line_spacing_m", line_spacing_m)
    return min(1.0, target.mean_width_m / line_spacing_m)


def amplitude_nt(
    target: Target,
    offset_m: Floats,
    *,
    sensor_height_m: float,
    field_nt: float = 50_000.0,
    inclination_deg: float = 65.0,
) -> Floats:
    """Return the largest absolute total-field anomaly on north-south lines past the body, nT.

    Parameters
    ----------
    target : Target
        As an induced sphere: a dipole along the main field.
    offset_m : (n,) float64
        Horizontal distance from the line to the body's centre.
    sensor_height_m : float
        Above ground.
    field_nt, inclination_deg : float
        Main field; its declination is taken as along the line.

    References
    ----------
    Blakely, R. J. (1995). Potential Theory in Gravity and Magnetic Applications. Cambridge.
    """
    down = target.depth_to_centre_m + sensor_height_m
    chi = target.susceptibility_si
    strength = target.sphere_radius_m**3 / 3 * chi / (1 + chi / 3) * field_nt
    north = down * _ALONG
    square = north**2 + down**2 + np.asarray(offset_m)[:, np.newaxis] ** 2
    inclination = math.radians(inclination_deg)
    along = north * math.cos(inclination) - down * math.sin(inclination)
    anomaly = strength * (3 * along**2 / square - 1) / square**1.5
    return np.asarray(np.abs(anomaly).max(axis=1), dtype=np.float64)


def detection_probability(
    target: Target,
    line_spacing_m: float,
    *,
    sensor_height_m: float = 30.0,
    noise_nt: float = 1.0,
    threshold: float = 3.0,
    field_nt: float = 50_000.0,
    inclination_deg: float = 65.0,
) -> Detection:
    """Combine the chance of a crossing with that of an anomaly above the noise.

    The nearest line passes at an offset that is uniform up to half the spacing. At each offset the
    anomaly is seen where its amplitude plus Gaussian noise exceeds ``threshold`` standard deviations;
    that chance is integrated over the offsets, for a crossing up to half the body's mean width.

    Parameters
    ----------
    target : Target
    line_spacing_m, sensor_height_m : float
    noise_nt : float
        Standard deviation of noise, geological included, where the anomaly is picked.
    threshold : float
        In standard deviations.
    field_nt, inclination_deg : float
        Main field.

    Raises
    ------
    BadParameter
        If spacing or noise is not positive.
    """
    _check_positive("noise_nt", noise_nt)
    crossing = crossing_probability(target, line_spacing_m)

    def seen(limit_m: float) -> float:
        offsets = np.linspace(0.0, limit_m, _OFFSETS)
        heights = amplitude_nt(
            target,
            offsets,
            sensor_height_m=sensor_height_m,
            field_nt=field_nt,
            inclination_deg=inclination_deg,
        )
        return _mean(ndtr(heights / noise_nt - threshold))

    visible = seen(min(target.mean_width_m, line_spacing_m) / 2)
    above = amplitude_nt(
        target,
        np.zeros(1),
        sensor_height_m=sensor_height_m,
        field_nt=field_nt,
        inclination_deg=inclination_deg,
    )
    return Detection(
        crossing=crossing,
        visible_if_crossed=visible,
        combined=crossing * visible,
        without_crossing=seen(line_spacing_m / 2),
        amplitude_nt=float(above[0]),
    )


def _mean(values: Floats) -> float:
    """Average evenly spaced values by Simpson's rule."""
    weights = np.full(values.size, 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    return float(weights @ values / weights.sum())


def _check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise BadParameter(f"{name} is {value}", hint=f"give {name} above 0")
