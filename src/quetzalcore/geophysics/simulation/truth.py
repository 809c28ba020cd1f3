"""What a good interpretation of a simulated survey should find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["TrueBody"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrueBody:
    """One body that was there.

    Parameters
    ----------
    name, kind : str
    easting_m, northing_m : float
        Of the middle of its top.
    strike_deg, length_m : float
        Clockwise from northing, and how long the top is that way (0 for a sphere).
    ground_m : float
        Ellipsoidal height of the ground there.
    depth_to_top_m, depth_to_centre_m : float
        Below that ground.
    susceptibility_si : float
    magnetization_am : (3,) float64
        Induced plus remanent, on (easting, northing, upward).
    source_class : str
        A class of ``quetzalcore.geophysics.deposits``.
    amplitude_nt : float
        Greatest minus least of the body's own anomaly along the flown lines.
    """

    name: str
    kind: str
    easting_m: float
    northing_m: float
    strike_deg: float
    length_m: float
    ground_m: float
    depth_to_top_m: float
    depth_to_centre_m: float
    susceptibility_si: float
    magnetization_am: Array
    source_class: str
    amplitude_nt: float
