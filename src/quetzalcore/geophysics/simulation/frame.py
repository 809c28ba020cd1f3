"""The survey's axes on the Earth: geographic positions, and the field's direction from grid north."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyproj import Proj, Transformer

from quetzalcore.geophysics.simulation.bodies import MagneticField
from quetzalcore.geophysics.simulation.plan import SimulationPlan

__all__ = ["Frame"]

Array = NDArray[np.float64]


class Frame:
    """One projected coordinate reference system."""

    def __init__(self, crs: str) -> None:
        self._to_geographic = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        self._projection = Proj(crs)

    def geographic(self, easting_m: Array, northing_m: Array) -> tuple[Array, Array]:
        """Return longitude and latitude, (n,) degrees on WGS 84."""
        longitude, latitude = self._to_geographic.transform(easting_m, northing_m)
        return np.asarray(longitude), np.asarray(latitude)

    def field_at(self, plan: SimulationPlan) -> MagneticField:
        """Return the main field in the middle of the area; declination is from grid north."""
        longitude, latitude = self.geographic(
            np.array([plan.centre_easting_m]), np.array([plan.centre_northing_m])
        )
        height = np.array([plan.ground_m + plan.clearance_m])
        field = plan.main_field(longitude, latitude, height, plan.year)
        turned = self._projection.get_factors(longitude[0], latitude[0]).meridian_convergence
        return MagneticField(
            inclination_deg=float(np.ravel(field.inclination_deg)[0]),
            declination_deg=float(np.ravel(field.declination_deg)[0]) - float(turned),
            total_nt=float(np.ravel(field.total_nt)[0]),
        )
