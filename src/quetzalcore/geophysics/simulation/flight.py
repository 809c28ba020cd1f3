"""Where and when the aircraft flew: lines, ties, turns, and a height that follows the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.simulation.plan import SimulationPlan
from quetzalcore.geophysics.simulation.terrain import Terrain
from quetzalcore.geophysics.survey import Floats, Ints

__all__ = ["Flight", "fly"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flight:
    """Every reading's place and time, (n,), in the order of acquisition.

    ``sensed_*`` is where and when the value was sensed, which the lag sets before the record.
    """

    easting_m: Floats
    northing_m: Floats
    upward_m: Floats
    ground_m: Floats
    time_s: Floats
    heading_rad: Floats
    line: Ints
    line_names: tuple[str, ...]
    sensed_easting_m: Floats
    sensed_northing_m: Floats
    sensed_upward_m: Floats
    sensed_time_s: Floats


def fly(plan: SimulationPlan, terrain: Terrain, rng: np.random.Generator) -> Flight:
    """Fly all lines west to east, then all ties south to north, each way in turn."""
    half = plan.extent_m / 2
    lines = np.arange(-half, half + 1, plan.line_spacing_m)
    ties = np.arange(-half, half + 1, plan.tie_spacing_m)
    tracks = [(x, 0.0 if i % 2 == 0 else np.pi, f"L{1000 + 10 * i}") for i, x in enumerate(lines)]
    tracks += [
        (y, np.pi / 2 if i % 2 == 0 else -np.pi / 2, f"T{9000 + 10 * i}")
        for i, y in enumerate(ties)
    ]
    start = plan.start_time_s
    pieces = []
    for index, (offset, heading, _) in enumerate(tracks):
        piece = _one_line(plan, terrain, rng, offset=offset, heading=heading, start_s=start)
        start = float(piece["time_s"][-1]) + plan.turn_s * rng.uniform(0.9, 1.3)
        pieces.append(piece | {"line": np.full(len(piece["time_s"]), index, dtype=np.int32)})
    columns = {name: np.concatenate([p[name] for p in pieces]) for name in pieces[0]}
    return Flight(line_names=tuple(name for _, _, name in tracks), **columns)


def _one_line(
    plan: SimulationPlan,
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    offset: float,
    heading: float,
    start_s: float,
) -> dict[str, NDArray[np.float64]]:
    count = int(plan.extent_m / plan.speed_ms * plan.sample_rate_hz) + 1
    time = np.arange(count) / plan.sample_rate_hz
    early = (
        np.arange(-200, count + 200) / plan.sample_rate_hz
    )  # room for the lag, and for smoothing
    wander = _smooth(rng, len(early), 12.0 * plan.sample_rate_hz) * 3.0
    climb = _smooth(rng, len(early), 8.0 * plan.sample_rate_hz) * 4.0
    along = plan.speed_ms * early - plan.extent_m / 2
    east = plan.centre_easting_m + offset * np.cos(heading) ** 2 + along * np.sin(heading)
    north = plan.centre_northing_m + offset * np.sin(heading) ** 2 + along * np.cos(heading)
    east = east + wander * np.cos(heading)
    north = north + wander * np.sin(heading)
    ground = terrain.height_m(east, north)
    # An aircraft cannot follow every dip: it flies over a smoothed ground.
    draped = _boxed(ground, int(5 * plan.sample_rate_hz)) + plan.clearance_m + climb
    up = np.maximum(draped, ground + plan.clearance_m / 2)

    def at(when: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.interp(when, early, values)

    sensed = time - plan.errors.lag_s
    return {
        "easting_m": at(time, east),
        "northing_m": at(time, north),
        "upward_m": at(time, up),
        "ground_m": at(time, ground),
        "time_s": start_s + time,
        "heading_rad": np.full(count, heading),
        "sensed_easting_m": at(sensed, east),
        "sensed_northing_m": at(sensed, north),
        "sensed_upward_m": at(sensed, up),
        "sensed_time_s": start_s + sensed,
    }


def _smooth(rng: np.random.Generator, count: int, length: float) -> NDArray[np.float64]:
    """Draw a smooth curve of zero mean and unit variance that forgets itself over ``length``."""
    knots = rng.normal(size=int(count / length) + 5)
    position = np.arange(count) / length + rng.uniform()
    low = position.astype(np.intp)
    phase = (1 - np.cos(np.pi * (position - low))) / 2
    return knots[low] * (1 - phase) + knots[low + 1] * phase


def _boxed(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    padded = np.pad(values, width, mode="edge")
    return np.convolve(padded, np.full(2 * width + 1, 1 / (2 * width + 1)), mode="valid")
