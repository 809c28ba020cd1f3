"""The simulation itself: a plan and a random generator in, an observed survey and its truth out."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.conditioning import BaseStation
from quetzalcore.geophysics.simulation.acquisition import Day, instrument_errors_nt, random_day
from quetzalcore.geophysics.simulation.bodies import MagneticField
from quetzalcore.geophysics.simulation.flight import Flight, fly
from quetzalcore.geophysics.simulation.frame import Frame
from quetzalcore.geophysics.simulation.plan import SimulationPlan
from quetzalcore.geophysics.simulation.surroundings import random_surroundings
from quetzalcore.geophysics.simulation.terrain import random_terrain
from quetzalcore.geophysics.simulation.truth import TrueBody
from quetzalcore.geophysics.simulation.world import World
from quetzalcore.geophysics.survey import HeightRole, Survey

__all__ = ["SimulatedSurvey", "simulate"]

Array = NDArray[np.float64]

_BASE_NOISE_NT = 0.05


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
        Draws the ground, the weak geology, the day, the flying and every error.
    """
    terrain = random_terrain(rng, mean_m=plan.ground_m, relief_m=plan.relief_m)
    frame = Frame(plan.crs)
    earth = frame.field_at(plan)
    world = World(
        plan=plan,
        terrain=terrain,
        earth=earth,
        frame=frame,
        surroundings=random_surroundings(plan, earth, terrain, rng),
    )
    flight = fly(plan, terrain, rng)
    day = random_day(plan.start_time_s, plan.errors, rng)
    recorded = (flight.easting_m, flight.northing_m, flight.upward_m)
    observed = _sensed_nt(world, flight, day) + instrument_errors_nt(flight, plan.errors, rng)
    return SimulatedSurvey(
        survey=_survey(plan, flight, frame, observed),
        base=_base(world, day, flight, rng),
        anomaly_nt=world.anomaly_nt(world.crust_field(recorded)),
        bodies=tuple(world.truth(body, recorded) for body in plan.bodies),
        main_field=earth,
    )


def _sensed_nt(world: World, flight: Flight, day: Day) -> Array:
    """Return the total field where and when it was sensed, (n,) nT."""
    place = (flight.sensed_easting_m, flight.sensed_northing_m, flight.sensed_upward_m)
    field = world.crust_field(place) + world.surroundings.culture_field(*place)
    return world.main_nt(place) + world.anomaly_nt(field) + day.variation_nt(flight.sensed_time_s)


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


def _base(world: World, day: Day, flight: Flight, rng: np.random.Generator) -> BaseStation:
    """Record the day at a quiet place south of the area, from before take-off to after landing."""
    plan = world.plan
    time = np.arange(flight.time_s[0] - 600, flight.time_s[-1] + 600, plan.base_interval_s)
    east = np.array([plan.centre_easting_m - 0.7 * plan.extent_m])
    north = np.array([plan.centre_northing_m - 0.7 * plan.extent_m])
    place = (east, north, world.terrain.height_m(east, north) + 2.0)
    level = world.main_nt(place) + world.anomaly_nt(world.crust_field(place))
    noise = rng.normal(0.0, _BASE_NOISE_NT, len(time))
    return BaseStation(time_s=time, tmi_nt=level + day.variation_nt(time) + noise)
