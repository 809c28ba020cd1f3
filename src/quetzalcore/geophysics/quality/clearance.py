"""How high the sensor was above the ground, where a survey says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quetzalcore.geophysics.survey import Floats, HeightRole, Survey

__all__ = ["Clearance", "find_clearance", "measured_clearance"]

_NAMES = ("radar_altimeter", "laser_altimeter", "radalt", "radar", "clearance", "agl")
_ASSUMED_M = 80.0  # the usual height of airborne surveys
_ASSUMED_LINES = 0.6  # line spacings: surveys with closer lines fly lower
_LEAST_M = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clearance:
    """Height of the sensor above the ground.

    Parameters
    ----------
    source : str
        What it was taken from, in words; "" where it is assumed.
    of_rows_m : (n,) float64
        Of every row, metres; the usual one where it is not known.
    usual_m : float
        Median, metres, at least 1.
    """

    source: str
    of_rows_m: Floats
    usual_m: float


def find_clearance(survey: Survey, *, line_spacing_m: float) -> Clearance:
    """Return the measured clearance, or assume 80 m, or 0.6 line spacings where that is less.

    Parameters
    ----------
    survey : Survey
    line_spacing_m : float
        Metres; NaN where it is not known.
    """
    source, measured = measured_clearance(survey)
    if measured is None or not np.isfinite(measured).any():
        assumed = max(float(np.fmin(_ASSUMED_M, _ASSUMED_LINES * line_spacing_m)), _LEAST_M)
        return Clearance(source="", of_rows_m=np.full(len(survey), assumed), usual_m=assumed)
    usual = max(float(np.nanmedian(measured)), _LEAST_M)
    return Clearance(
        source=source,
        of_rows_m=np.where(np.isfinite(measured), measured, usual),
        usual_m=usual,
    )


def measured_clearance(survey: Survey) -> tuple[str, Floats | None]:
    """Return what holds the clearance, in words, and the clearance, (n,) metres; ("", None) if nothing.

    That is the height where its role says so, else the first channel that is named as an altimeter
    and whose median is positive. NaN means unknown.
    """
    if survey.height_m is not None and survey.height_role is HeightRole.CLEARANCE:
        return "the height column", survey.height_m
    for name, values in survey.channels.items():
        known = values[np.isfinite(values)]
        if name.lower().startswith(_NAMES) and len(known) and np.median(known) > 0.0:
            return name, values
    return "", None
