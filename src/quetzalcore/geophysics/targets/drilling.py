"""Lay a straight drill hole so that it passes through a point at depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.targets.anomaly import Anomaly, BodyShape

__all__ = ["Collar", "DrillHole", "design_hole", "hole_through"]

_VERTICAL_DEG = -90.0
_INCLINED_DEG = -60.0
_STEEP_DEG = -75.0
_SHALLOW_M = 100.0  # a compact body above this is drilled inclined, to cut across it
_BEYOND = 1.15  # of the way to the interval's lower end
_LONG = 2.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Collar:
    """Where a hole starts, at the depth reference (ground, where that is the reference)."""

    easting_m: float
    northing_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillHole:
    """A straight hole.

    ``azimuth_deg`` is clockwise from grid north, 0 to 360; ``dip_deg`` is from horizontal, negative
    down, -90 vertical; ``reasons`` say why it points there.
    """

    collar: Collar
    azimuth_deg: float
    dip_deg: float
    length_m: float
    reasons: tuple[str, ...] = ()

    def position(self, along_m: float) -> tuple[float, float, float]:
        """Return (easting, northing, depth below the collar) after ``along_m`` metres of hole."""
        azimuth, down = np.radians(self.azimuth_deg), np.radians(-self.dip_deg)
        flat = along_m * np.cos(down)
        return (
            float(self.collar.easting_m + flat * np.sin(azimuth)),
            float(self.collar.northing_m + flat * np.cos(azimuth)),
            float(along_m * np.sin(down)),
        )


def hole_through(
    easting_m: float,
    northing_m: float,
    depth_m: float,
    *,
    azimuth_deg: float,
    dip_deg: float,
    bottom_m: float,
    reasons: tuple[str, ...] = (),
) -> DrillHole:
    """Place the collar so that the hole passes through the point and ends at depth ``bottom_m``.

    Raises
    ------
    BadParameter
        If the dip is not from -90 up to below 0, or depths are not 0 < ``depth_m`` <= ``bottom_m``.
    """
    if not _VERTICAL_DEG <= dip_deg < 0.0:
        raise BadParameter(
            f"a hole's dip of {dip_deg} degrees does not point down",
            hint="give a dip from -90 (vertical) to below 0",
        )
    if not 0.0 < depth_m <= bottom_m:
        raise BadParameter(
            f"the hole's target is at {depth_m} m and its end at {bottom_m} m",
            hint="give depths that are positive and in that order",
        )
    azimuth, down = np.radians(azimuth_deg), np.radians(-dip_deg)
    away = 0.0 if dip_deg == _VERTICAL_DEG else depth_m / np.tan(down)
    return DrillHole(
        collar=Collar(
            easting_m=float(easting_m - away * np.sin(azimuth)),
            northing_m=float(northing_m - away * np.cos(azimuth)),
        ),
        azimuth_deg=float(azimuth_deg % 360.0),
        dip_deg=float(dip_deg),
        length_m=float(bottom_m / np.sin(down)),
        reasons=reasons,
    )


def design_hole(anomaly: Anomaly, *, dip_direction_deg: float | None = None) -> DrillHole:
    """Aim a hole at the middle of an anomaly's depth interval.

    Long bodies are drilled across strike at -60 degrees, against the dip where that is known, so
    that the hole meets the body at a high angle. Pipes and deep compact bodies are drilled
    vertically; a shallow compact body steeply across its long axis.

    Parameters
    ----------
    anomaly : Anomaly
    dip_direction_deg : float, optional
        Azimuth towards which the body dips, from mapping or modelling. Magnetics picked on a grid
        do not give it: without it the side is a convention, and ``reasons`` says so.
    """
    shallow, deep = anomaly.depth_interval_m
    middle = 0.5 * (shallow + deep)
    azimuth, dip, reasons = _direction(anomaly, middle, dip_direction_deg)
    return hole_through(
        anomaly.easting_m,
        anomaly.northing_m,
        middle,
        azimuth_deg=azimuth,
        dip_deg=dip,
        bottom_m=_BEYOND * deep,
        reasons=reasons,
    )


def _direction(
    anomaly: Anomaly, middle_m: float, dip_direction_deg: float | None
) -> tuple[float, float, tuple[str, ...]]:
    across = (anomaly.strike_deg + 270.0) % 360.0
    if anomaly.shape is BodyShape.SHEET or anomaly.length_m > _LONG * anomaly.width_m:
        if dip_direction_deg is None:
            return across, _INCLINED_DEG, ("drilled across strike; the dip's side is not known",)
        against = (dip_direction_deg + 180.0) % 360.0
        azimuth = across if _angle_between(across, against) <= 90.0 else (across + 180.0) % 360.0  # noqa: PLR2004 -- a right angle
        return azimuth, _INCLINED_DEG, ("drilled across strike, against the dip",)
    if anomaly.shape is BodyShape.PIPE or middle_m > _SHALLOW_M:
        return 0.0, _VERTICAL_DEG, ("vertical into a compact body",)
    return across, _STEEP_DEG, ("steep, across the long axis of a shallow compact body",)


def _angle_between(first_deg: float, second_deg: float) -> float:
    return abs((first_deg - second_deg + 180.0) % 360.0 - 180.0)
