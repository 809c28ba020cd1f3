"""The simulation itself: a plan and a random generator in, an observed survey and its truth out."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.conditioning import BaseStation
from quetzalcore.geophysics.forward import direction
from quetzalcore.geophysics.simulation.acquisition import Day, instrument_errors_nt, random_day
from quetzalcore.geophysics.simulation.bodies import (
    Body,
    MagneticField,
    body_field,
    magnetization_am,
)
from quetzalcore.geophysics.simulation.flight import Flight, fly
from quetzalcore.geophysics.simulation.frame import Frame
from quetzalcore.geophysics.simulation.plan import SimulationPlan
from quetzalcore.geophysics.simulation.surroundings import Surroundings, random_surroundings
from quetzalcore.geophysics.simulation.terrain import Terrain, random_terrain
from quetzalcore.geophysics.survey import HeightRole, Survey

__all__ = ["SimulatedSurvey", "TrueBody", "simulate"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrueBody:
    """What a good interpretation should find.

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedSurvey:
    """An observed survey and the truth behind it.

    Parameters
    ----------
    survey : Survey
        As recorded, with every error: raw total field, ellipsoidal height, channels
        ``radar_altimeter_m`` (clearance) and ``ground_m``.
    base : BaseStation
    anomaly_nt : (n,) float64
        The noise-free total-field anomaly of bodies and geology at each recorded place.
    bodies : tuple of TrueBody
    main_field : MagneticField
        At the middle of the area, on the survey's axes.
    """

    survey: Survey
    base: BaseStation
    anomaly_nt: Array
    bodies: tuple[TrueBody, ...]
    main_field: MagneticField


def simulate(plan: SimulationPlan, rng: np.random.Generator) -> SimulatedSurvey:
    """Simulate a survey; the same plan and generator state give the same survey.

    Parameters
    ----------
    plan : SimulationPlan
    rng : numpy.random.Generator
        Draws the ground, the weather of the day, the flying and every error.
    """
    terrain = random_terrain(rng, mean_m=plan.ground_m, relief_m=plan.relief_m)
    flight = fly(plan, terrain, rng)
    day = random_day(plan.start_time_s, plan.errors, rng)
    surroundings = random_surroundings(plan, terrain, rng)
    frame = Frame(plan.crs)
    earth = frame.field_at(plan)
    bodies = [_truth(body, earth, terrain, flight) for body in plan.bodies]
    world = _World(plan=plan, terrain=terrain, earth=earth, frame=frame, surroundings=surroundings)
    recorded = (flight.easting_m, flight.northing_m, flight.upward_m)
    sensed = (flight.sensed_easting_m, flight.sensed_northing_m, flight.sensed_upward_m)
    observed = (
        world.main_nt(*sensed)
        + world.anomaly_nt(*sensed, with_culture=True)
        + day.variation_nt(flight.sensed_time_s)
        + instrument_errors_nt(flight, plan.errors, rng)
    )
    return SimulatedSurvey(
        survey=_survey(plan, flight, frame, observed),
        base=_base(world, day, flight, rng),
        anomaly_nt=world.anomaly_nt(*recorded, with_culture=False),
        bodies=tuple(bodies),
        main_field=earth,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _World:
    plan: SimulationPlan
    terrain: Terrain
    earth: MagneticField
    frame: Frame
    surroundings: Surroundings

    def main_nt(self, easting_m: Array, northing_m: Array, upward_m: Array) -> Array:
        longitude, latitude = self.frame.geographic(easting_m, northing_m)
        field = self.plan.main_field(longitude, latitude, upward_m, self.plan.year)
        return np.asarray(field.total_nt, dtype=np.float64)

    def anomaly_nt(
        self, easting_m: Array, northing_m: Array, upward_m: Array, *, with_culture: bool
    ) -> Array:
        where = {"easting_m": easting_m, "northing_m": northing_m, "upward_m": upward_m}
        sources = [
            *self.surroundings.geology,
            *self.surroundings.culture[: None if with_culture else 0],
        ]
        parts = [
            body_field(body, self.earth, ground_m=_ground(body, self.terrain), **where)
            for body in (*self.plan.bodies, *sources)
        ]
        return total_field_anomaly_nt(self.earth, np.sum(parts, axis=0))


def total_field_anomaly_nt(earth: MagneticField, field_nt: Array) -> Array:
    """Return |F + b| - |F| of an anomalous field, (3, n) nT: exact, not its projection on F."""
    along = direction(earth.inclination_deg, earth.declination_deg) @ field_nt
    squared = np.square(field_nt).sum(axis=0)
    rise = 2 * along * earth.total_nt + squared
    return np.asarray(rise / (np.sqrt(earth.total_nt**2 + rise) + earth.total_nt))


def _ground(body: Body, terrain: Terrain) -> float:
    return float(terrain.height_m(np.array([body.easting_m]), np.array([body.northing_m]))[0])


def _truth(body: Body, earth: MagneticField, terrain: Terrain, flight: Flight) -> TrueBody:
    field = body_field(
        body,
        earth,
        ground_m=_ground(body, terrain),
        easting_m=flight.easting_m,
        northing_m=flight.northing_m,
        upward_m=flight.upward_m,
    )
    anomaly = total_field_anomaly_nt(earth, np.asarray(field))
    return TrueBody(
        name=body.name,
        kind=body.kind,
        easting_m=body.easting_m,
        northing_m=body.northing_m,
        strike_deg=body.strike_deg,
        length_m=float(np.ptp(body.parts_m[:, 2:4])) if len(body.parts_m) else 0.0,
        ground_m=_ground(body, terrain),
        depth_to_top_m=body.depth_to_top_m,
        depth_to_centre_m=body.depth_to_centre_m,
        susceptibility_si=body.susceptibility_si,
        magnetization_am=magnetization_am(body, earth),
        source_class=body.source_class,
        amplitude_nt=float(np.ptp(anomaly)),
    )


def _survey(plan: SimulationPlan, flight: Flight, frame: Frame, observed_nt: Array) -> Survey:
    longitude, latitude = frame.geographic(flight.easting_m, flight.northing_m)
    return Survey(
        easting_m=flight.easting_m,
        northing_m=flight.northing_m,
        tmi_nt=observed_nt,
        line=flight.line,
        line_names=flight.line_names,
        crs=plan.crs,
        height_m=flight.upward_m,
        height_role=HeightRole.ELLIPSOIDAL,
        time_s=flight.time_s,
        longitude_deg=longitude,
        latitude_deg=latitude,
        channels=MappingProxyType(
            {
                "radar_altimeter_m": flight.upward_m - flight.ground_m,
                "ground_m": flight.ground_m,
            }
        ),
    )


def _base(world: _World, day: Day, flight: Flight, rng: np.random.Generator) -> BaseStation:
    """Record the day at a quiet place south of the area, from before take-off to after landing."""
    plan = world.plan
    time = np.arange(flight.time_s[0] - 600, flight.time_s[-1] + 600, plan.base_interval_s)
    east = np.array([plan.centre_easting_m - 0.7 * plan.extent_m])
    north = np.array([plan.centre_northing_m - 0.7 * plan.extent_m])
    up = world.terrain.height_m(east, north) + 2.0
    level = world.main_nt(east, north, up) + world.anomaly_nt(east, north, up, with_culture=False)
    noise = rng.normal(0.0, 0.05, len(time))
    return BaseStation(time_s=time, tmi_nt=level + day.variation_nt(time) + noise)
