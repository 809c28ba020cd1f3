"""The field over the area, without any error of acquisition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.forward import direction
from quetzalcore.geophysics.simulation.bodies import (
    Body,
    MagneticField,
    body_field,
    magnetization_am,
)
from quetzalcore.geophysics.simulation.frame import Frame
from quetzalcore.geophysics.simulation.plan import SimulationPlan
from quetzalcore.geophysics.simulation.surroundings import Surroundings
from quetzalcore.geophysics.simulation.terrain import Terrain
from quetzalcore.geophysics.simulation.truth import TrueBody

__all__ = ["Place", "World", "total_field_anomaly_nt"]

Array = NDArray[np.float64]
Place = tuple[Array, Array, Array]  # easting, northing, upward, (n,) m


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """Everything magnetic that stands still."""

    plan: SimulationPlan
    terrain: Terrain
    earth: MagneticField
    frame: Frame
    surroundings: Surroundings

    def main_nt(self, place: Place) -> Array:
        """Return the main field's intensity, (n,) nT."""
        easting, northing, upward = place
        longitude, latitude = self.frame.geographic(easting, northing)
        field = self.plan.main_field(longitude, latitude, upward, self.plan.year)
        return np.asarray(field.total_nt, dtype=np.float64)

    def crust_field(self, place: Place) -> Array:
        """Return the field of bodies and geology, (3, n) nT."""
        parts = [self._body_field(body, place) for body in self.plan.bodies]
        return np.asarray(np.sum([*parts, self.surroundings.geology_field(*place)], axis=0))

    def anomaly_nt(self, field_nt: Array) -> Array:
        """Return the total-field anomaly of a field, (3, n) to (n,) nT."""
        return total_field_anomaly_nt(self.earth, field_nt)

    def truth(self, body: Body, place: Place) -> TrueBody:
        """Describe a body, with the amplitude that it has at the places."""
        anomaly = self.anomaly_nt(self._body_field(body, place))
        return TrueBody(
            name=body.name,
            kind=body.kind,
            easting_m=body.easting_m,
            northing_m=body.northing_m,
            strike_deg=body.strike_deg,
            length_m=float(np.ptp(body.parts_m[:, 2:4])) if len(body.parts_m) else 0.0,
            ground_m=self._ground_m(body),
            depth_to_top_m=body.depth_to_top_m,
            depth_to_centre_m=body.depth_to_centre_m,
            susceptibility_si=body.susceptibility_si,
            magnetization_am=magnetization_am(body, self.earth),
            source_class=body.source_class,
            amplitude_nt=float(np.ptp(anomaly)),
        )

    def _body_field(self, body: Body, place: Place) -> Array:
        easting, northing, upward = place
        return body_field(
            body,
            self.earth,
            ground_m=self._ground_m(body),
            easting_m=easting,
            northing_m=northing,
            upward_m=upward,
        )

    def _ground_m(self, body: Body) -> float:
        where = np.array([body.easting_m]), np.array([body.northing_m])
        return float(self.terrain.height_m(*where)[0])


def total_field_anomaly_nt(earth: MagneticField, field_nt: Array) -> Array:
    """Return |F + b| - |F| of an anomalous field, (3, n) nT: exact, not its projection on F."""
    along = direction(earth.inclination_deg, earth.declination_deg) @ field_nt
    squared = np.square(field_nt).sum(axis=0)
    rise = 2 * along * earth.total_nt + squared
    return np.asarray(rise / (np.sqrt(earth.total_nt**2 + rise) + earth.total_nt))
