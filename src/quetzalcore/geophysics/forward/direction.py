"""Where the Earth's field points, as a unit vector on (easting, northing, upward)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["direction"]


def direction(inclination_deg: float, declination_deg: float) -> NDArray[np.float64]:
    """Return the unit vector of a field direction.

    Parameters
    ----------
    inclination_deg : float
        Positive down.
    declination_deg : float
        Positive east of the northing axis; turn it by the meridian convergence for projected axes.

    Returns
    -------
    (3,) float64
        Easting, northing and upward components.
    """
    inclination, declination = np.radians(inclination_deg), np.radians(declination_deg)
    across = np.cos(inclination)
    return np.array(
        [across * np.sin(declination), across * np.cos(declination), -np.sin(inclination)]
    )
