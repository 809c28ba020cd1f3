"""What lies around the bodies: weak geology that nobody drills for, and what people built."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.forward import dipole_field, direction, prism_field
from quetzalcore.geophysics.simulation.bodies import MagneticField, turned_field
from quetzalcore.geophysics.simulation.plan import SimulationPlan
from quetzalcore.geophysics.simulation.terrain import Terrain

__all__ = ["Surroundings", "random_surroundings"]

Array = NDArray[np.float64]

_GRAIN_DEG = 340.0  # the strike of the country's lenses
_LENSES = 220
_BLOCKS = 8  # of the basement
_JOINT_M = 40.0  # between a pipeline's dipoles
_PIPE_AM2 = 6e3
_HOUSES = 6  # in a cluster
_HOUSE_AM2 = 3e4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surroundings:
    """Sources that are no targets.

    Parameters
    ----------
    origin_m : (3,) float64
        Easting, northing and upward that prisms are relative to.
    prisms_m : (k, 6) float64
    magnetization_am : (k, 3) float64
        Both on axes that are turned to the grain of the country.
    iron_m : (q, 3) float64
        Where dipoles of iron are.
    iron_am2 : (q, 3) float64
        Their moments.
    """

    origin_m: Array
    prisms_m: Array
    magnetization_am: Array
    iron_m: Array
    iron_am2: Array

    def geology_field(self, easting_m: Array, northing_m: Array, upward_m: Array) -> Array:
        """Return the field of lenses and basement, (3, n) nT."""
        relative = np.array([easting_m, northing_m, upward_m]) - self.origin_m[:, None]

        def field(e: Array, n: Array, u: Array) -> tuple[Array, Array, Array]:
            return prism_field(e, n, u, self.prisms_m, self.magnetization_am)

        return turned_field(field, relative, strike_deg=_GRAIN_DEG)

    def culture_field(self, easting_m: Array, northing_m: Array, upward_m: Array) -> Array:
        """Return the field of what people built, (3, n) nT."""
        return np.array(dipole_field(easting_m, northing_m, upward_m, self.iron_m, self.iron_am2))


def random_surroundings(
    plan: SimulationPlan, earth: MagneticField, terrain: Terrain, rng: np.random.Generator
) -> Surroundings:
    """Draw a magnetic basement, weak lenses in the cover, a pipeline and clusters of buildings."""
    lenses = _prisms(rng, _LENSES, width=(40, 160), length=(200, 1500), top=(30, 180), depth=200)
    blocks = _prisms(
        rng, _BLOCKS, width=(0, 2500), length=(3000, 6000), top=(900, 1800), depth=4000
    )
    spread = rng.uniform(-0.7, 0.7, (_LENSES + _BLOCKS, 2)) * plan.extent_m
    prisms = np.vstack([lenses, blocks]) + np.repeat(np.pad(spread, ((0, 0), (0, 1))), 2, axis=1)
    along = direction(earth.inclination_deg, earth.declination_deg - _GRAIN_DEG)
    weight = rng.normal(size=_LENSES + _BLOCKS)
    iron = _iron(plan, terrain, rng)
    raw = Surroundings(
        origin_m=np.array([plan.centre_easting_m, plan.centre_northing_m, plan.ground_m]),
        prisms_m=prisms,
        magnetization_am=weight[:, None] * along,
        iron_m=iron,
        iron_am2=_moments(earth, iron, plan, rng),
    )
    return _scaled(raw, plan, earth)


def _prisms(
    rng: np.random.Generator,
    count: int,
    *,
    width: tuple[float, float],
    length: tuple[float, float],
    top: tuple[float, float],
    depth: float,
) -> Array:
    half_width = rng.uniform(*width, count) / 2 + 10
    half_length = rng.uniform(*length, count) / 2
    upper = -rng.uniform(*top, count)
    return np.column_stack(
        [-half_width, half_width, -half_length, half_length, upper - depth, upper]
    )


def _scaled(raw: Surroundings, plan: SimulationPlan, earth: MagneticField) -> Surroundings:
    """Give lenses and basement the standard deviations over the area that the plan asks for."""
    axis = np.linspace(-plan.extent_m / 2, plan.extent_m / 2, 40)
    easting, northing = (a.ravel() for a in np.meshgrid(axis, axis))
    easting, northing = easting + plan.centre_easting_m, northing + plan.centre_northing_m
    upward = np.full(len(easting), plan.ground_m + plan.clearance_m)
    scaled = raw.magnetization_am.copy()
    along = direction(earth.inclination_deg, earth.declination_deg)
    parts = ((slice(0, _LENSES), plan.geology_nt), (slice(_LENSES, None), plan.regional_nt))
    for rows, wanted_nt in parts:
        only = replace(
            raw, prisms_m=raw.prisms_m[rows], magnetization_am=raw.magnetization_am[rows]
        )
        spread = (along @ only.geology_field(easting, northing, upward)).std()
        scaled[rows] *= wanted_nt / spread
    return replace(raw, magnetization_am=scaled)


def _iron(plan: SimulationPlan, terrain: Terrain, rng: np.random.Generator) -> Array:
    """Place a pipeline across the area, then clusters of buildings, on the ground."""
    if plan.culture == 0:
        return np.zeros((0, 3))
    half = plan.extent_m / 2
    along = np.arange(-half, half, _JOINT_M)
    places = [np.column_stack([along, 0.37 * half + 0.1 * along])]  # across the lines
    places += [
        rng.uniform(-0.45, 0.45, 2) * plan.extent_m + rng.normal(0.0, 30.0, (_HOUSES, 2))
        for _ in range(plan.culture - 1)
    ]
    centre = np.array([plan.centre_easting_m, plan.centre_northing_m])
    flat = np.vstack(places) + centre
    return np.column_stack([flat, terrain.height_m(flat[:, 0], flat[:, 1])])


def _moments(
    earth: MagneticField, iron_m: Array, plan: SimulationPlan, rng: np.random.Generator
) -> Array:
    """Magnetise the iron: half by the field, half at random, as steel is."""
    houses = min(len(iron_m), max(0, plan.culture - 1) * _HOUSES)
    size = np.repeat([_PIPE_AM2, _HOUSE_AM2], [len(iron_m) - houses, houses])
    along = direction(earth.inclination_deg, earth.declination_deg)
    return np.asarray(size[:, None] * (0.5 * along + rng.normal(0.0, 0.5, (len(iron_m), 3))))
