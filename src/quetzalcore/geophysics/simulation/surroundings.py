"""What lies around the bodies: weak geology that nobody drills for, and what people built."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.simulation.bodies import Body, box
from quetzalcore.geophysics.simulation.plan import SimulationPlan
from quetzalcore.geophysics.simulation.terrain import Terrain

__all__ = ["Surroundings", "random_surroundings"]

Array = NDArray[np.float64]

_NOTHING = np.zeros((0, 6))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surroundings:
    """Bodies that are no targets."""

    geology: tuple[Body, ...]
    culture: tuple[Body, ...]


def random_surroundings(
    plan: SimulationPlan, terrain: Terrain, rng: np.random.Generator
) -> Surroundings:
    """Draw a magnetic basement, weak lenses in the cover, a pipeline and clusters of buildings."""
    return Surroundings(geology=_geology(plan, rng), culture=_culture(plan, rng))


def _geology(plan: SimulationPlan, rng: np.random.Generator) -> tuple[Body, ...]:
    """Weak lenses whose field has a standard deviation of about ``geology_nt``, over basement blocks."""
    if plan.geology_nt == 0:
        return ()
    lenses = [
        _block(
            plan,
            rng,
            size=rng.uniform(80, 350, 2),
            top=rng.uniform(40, 200),
            height=150,
            susceptibility=2e-4 * plan.geology_nt * rng.normal(),
        )
        for _ in range(60)
    ]
    basement = [
        _block(
            plan,
            rng,
            size=rng.uniform(2000, 5000, 2),
            top=rng.uniform(1200, 2500),
            height=4000,
            susceptibility=3e-3 * plan.geology_nt * rng.normal(),
        )
        for _ in range(6)
    ]
    return (*lenses, *basement)


def _block(
    plan: SimulationPlan,
    rng: np.random.Generator,
    *,
    size: Array,
    top: float,
    height: float,
    susceptibility: float,
) -> Body:
    east, north = rng.uniform(-0.65, 0.65, 2) * plan.extent_m
    return Body(
        name="geology",
        kind="prism",
        easting_m=plan.centre_easting_m + east,
        northing_m=plan.centre_northing_m + north,
        depth_to_top_m=top,
        depth_to_centre_m=top + height / 2,
        susceptibility_si=susceptibility,
        source_class="unknown",
        parts_m=box(float(size[0]), float(size[1]), top_m=top, height_m=height),
        strike_deg=float(rng.uniform(0, 180)),
    )


def _culture(plan: SimulationPlan, rng: np.random.Generator) -> tuple[Body, ...]:
    """A pipeline across the area and clusters of steel buildings, as spheres of iron on the ground."""
    if plan.culture == 0:
        return ()
    half = plan.extent_m / 2
    along = np.arange(-half, half, 40.0)
    east = plan.centre_easting_m + 0.45 * half + 0.12 * along
    north = plan.centre_northing_m + along
    iron = [
        _iron(e, n, radius=0.55 * rng.lognormal(0.0, 0.35))
        for e, n in zip(east, north, strict=True)
    ]
    for _ in range(plan.culture - 1):
        spot = rng.uniform(-0.4, 0.4, 2) * plan.extent_m
        for offset in rng.normal(0.0, 35.0, (6, 2)):
            e, n = spot + offset
            iron.append(
                _iron(
                    plan.centre_easting_m + e,
                    plan.centre_northing_m + n,
                    radius=1.6 * rng.lognormal(0.0, 0.3),
                )
            )
    return tuple(iron)


def _iron(easting_m: float, northing_m: float, *, radius: float) -> Body:
    return Body(
        name="culture",
        kind="sphere",
        easting_m=float(easting_m),
        northing_m=float(northing_m),
        depth_to_top_m=0.0,
        depth_to_centre_m=float(radius),
        susceptibility_si=100.0,
        source_class="cultural",
        parts_m=_NOTHING,
        radius_m=float(radius),
    )
