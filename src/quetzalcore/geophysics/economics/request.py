"""What a cost analysis is asked: the survey, the body looked for, and what a discovery is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from quetzalcore.errors import BadParameter, Where
from quetzalcore.geophysics.economics.detection import Target

__all__ = ["CostRequest", "Method", "Platform", "ProjectType"]

Choice = TypeVar("Choice", bound=StrEnum)


class ProjectType(StrEnum):
    """The kinds of project that can be costed."""

    MAG_SURVEY = "mag_survey"


class Platform(StrEnum):
    """What carries the sensor."""

    DRONE = "drone"
    HELICOPTER = "helicopter"
    FIXED_WING = "fixed-wing"
    GROUND = "ground"


class Method(StrEnum):
    """What is measured; magnetometry is always there, the others are a surcharge on it."""

    MAGNETOMETRY = "magnetometry"
    GRADIOMETRY = "gradiometry"
    RADIOMETRICS = "radiometrics"


SENSOR_HEIGHT_M = {
    Platform.DRONE: 30.0,
    Platform.HELICOPTER: 40.0,
    Platform.FIXED_WING: 80.0,
    Platform.GROUND: 2.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRequest:
    """One cost analysis; plain strings are accepted for the named choices.

    Parameters
    ----------
    project_type : ProjectType
    area_km2 : float
    methods : tuple of Method
    line_spacing_m : float, optional
        Default: the spacing with the greatest detection probability per dollar.
    tie_fraction, edge_fraction : float
        Line-km of ties, and of turns and borders, over those of plain traverses.
    platform : Platform
    sensor_height_m : float, optional
        Above ground; default by platform.
    target : Target
        The body that is looked for.
    noise_nt, threshold : float
        See :func:`detection_probability`.
    field_nt, inclination_deg : float
        Main field.
    follow_up_holes : int
        Holes that test the survey's targets, in the comparison with blind drilling.
    hole_depth_m : float, optional
        Default: the bottom of the target's sphere.
    prior_probability, discovery_value_usd : float, optional
        Chance that the body is there, and the worth of finding it; both or neither. Without
        them the value of information is left out: it would be made up.
    draws : int
        Monte Carlo draws, 1000 to 1,000,000.

    Raises
    ------
    BadParameter
        If a value is out of range or a choice is not known.
    """

    project_type: ProjectType = ProjectType.MAG_SURVEY
    area_km2: float
    methods: tuple[Method, ...] = (Method.MAGNETOMETRY,)
    line_spacing_m: float | None = None
    tie_fraction: float = 0.10
    edge_fraction: float = 0.07
    platform: Platform = Platform.DRONE
    sensor_height_m: float | None = None
    target: Target = field(default_factory=Target)
    noise_nt: float = 2.0
    threshold: float = 3.0
    field_nt: float = 50_000.0
    inclination_deg: float = 65.0
    follow_up_holes: int = 3
    hole_depth_m: float | None = None
    prior_probability: float | None = None
    discovery_value_usd: float | None = None
    draws: int = 20_000

    def __post_init__(self) -> None:
        """Turn strings into choices and check every range."""
        choices: dict[str, object] = {
            "project_type": _choice(ProjectType, self.project_type, "project_type"),
            "platform": _choice(Platform, self.platform, "platform"),
            "methods": tuple(_choice(Method, name, "methods") for name in self.methods),
        }
        for name, value in choices.items():
            object.__setattr__(self, name, value)
        if Method.MAGNETOMETRY not in self.methods:
            raise BadParameter(
                "the methods lack magnetometry",
                hint="add magnetometry",
                where=Where(field="methods"),
            )
        for name, low, high in _RANGES:
            _in_range(name, getattr(self, name), low, high)
        if (self.prior_probability is None) != (self.discovery_value_usd is None):
            raise BadParameter(
                "prior_probability and discovery_value_usd go together",
                hint="give both for the value of information, or neither",
            )

    @property
    def height_m(self) -> float:
        """Give the sensor's height above ground."""
        return (
            SENSOR_HEIGHT_M[self.platform] if self.sensor_height_m is None else self.sensor_height_m
        )

    @property
    def hole_m(self) -> float:
        """Give the length of one vertical hole."""
        bottom = self.target.depth_to_centre_m + self.target.sphere_radius_m
        return bottom if self.hole_depth_m is None else self.hole_depth_m


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("area_km2", 1e-4, 1e6),
    ("line_spacing_m", 1.0, 100_000.0),
    ("tie_fraction", 0.0, 2.0),
    ("edge_fraction", 0.0, 10.0),
    ("sensor_height_m", 0.0, 10_000.0),
    ("noise_nt", 1e-4, 1e5),
    ("threshold", 0.0, 20.0),
    ("field_nt", 15_000.0, 80_000.0),
    ("inclination_deg", -90.0, 90.0),
    ("follow_up_holes", 0, 10_000),
    ("hole_depth_m", 1.0, 10_000.0),
    ("prior_probability", 0.0, 1.0),
    ("discovery_value_usd", 0.0, 1e15),
    ("draws", 1000, 1_000_000),
)


def _choice(kind: type[Choice], value: str, name: str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(kind)
        raise BadParameter(
            f"{value!r} is not known", hint=f"choose from {known}", where=Where(field=name)
        ) from None


def _in_range(name: str, value: float | None, low: float, high: float) -> None:
    if value is None:
        return
    if not (math.isfinite(value) and low <= value <= high):
        raise BadParameter(
            f"the value is {value}",
            hint=f"give a number from {low:g} to {high:g}",
            where=Where(field=name),
        )
