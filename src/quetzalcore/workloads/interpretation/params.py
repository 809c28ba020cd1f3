"""A magnetic anomaly field as parameters: values at locations, or a grid that an earlier job made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from quetzalcore.jobs.model import Resources
from quetzalcore.workloads.parameters import Parameters
from quetzalcore.workloads.wasm.modules import FileName

__all__ = ["FEWEST_VALUES", "MOST_VALUES", "AnomalyFieldParams", "assume_date", "field_resources"]

FEWEST_VALUES, MOST_VALUES = 16, 200_000
_PAIRS = (("easting", "northing"), ("easting_m", "northing_m"), ("longitude", "latitude"),
          ("longitude_deg", "latitude_deg"), ("lon", "lat"), ("x", "y"))  # fmt: skip


def _pair(given: object) -> object:
    """Take a location as an object too: ``{"easting": ..., "northing": ...}``."""
    if isinstance(given, Mapping):
        for names in _PAIRS:
            if set(names) <= set(given):
                return tuple(given[name] for name in names)
    return given


Location = Annotated[tuple[float, float], BeforeValidator(_pair)]


class AnomalyFieldParams(Parameters):
    """Where the field comes from, and what is known of the main field and the sensor."""

    values: tuple[float | None, ...] = Field(
        default=(), max_length=MOST_VALUES,
        description="Anomalies, nT, the main field removed; null is missing.",
    )  # fmt: skip
    locations: tuple[Location, ...] = Field(
        default=(), max_length=MOST_VALUES,
        description="One for each value: [easting, northing] in metres, or [longitude, latitude].",
    )  # fmt: skip
    grid: FileName | None = Field(
        default=None, description="Instead: an input file such as an earlier job's grids/tmi.tif."
    )
    crs: str | None = Field(
        default=None, max_length=10_000,
        description="Of the locations; without it degrees are WGS 84 and metres are local.",
    )  # fmt: skip
    date: dt.date | None = Field(default=None, description="Of the survey, for the main field.")
    assumed_date: dt.date | None = Field(
        default=None,
        description="Stands in where date is left out; default: the day of submission.",
    )
    inclination_deg: float | None = Field(default=None, ge=-90, le=90)
    declination_deg: float | None = Field(
        default=None, ge=-180, le=180, description="From true north."
    )
    intensity_nt: float | None = Field(default=None, ge=15_000, le=80_000)
    noise_nt: float | None = Field(
        default=None, gt=0, le=1e5, description="Default: 1 % of the values' spread."
    )
    cell_size_m: float | None = Field(default=None, gt=0, le=1e6)
    sensor_height_m: float | None = Field(
        default=None, ge=0, le=10_000,
        description="Above ground; without it depths are below the sensor.",
    )  # fmt: skip
    commodity: str | None = Field(default=None, max_length=100, description="Sets the prior.")
    geology: str | None = Field(default=None, max_length=100, description="Sets the prior.")

    def check_field(self) -> None:
        """Demand one source of the field; for use in validators of kinds."""
        if self.grid is not None and (self.values or self.locations):
            raise ValueError("give either a grid or values with locations, not both")
        if self.grid is None and len(self.values) < FEWEST_VALUES:
            raise ValueError(
                f"give a grid, or at least {FEWEST_VALUES} values with their locations: there are "
                f"{len(self.values)}"
            )
        if len(self.values) != len(self.locations):
            raise ValueError(
                f"give one location for each value: there are {len(self.values)} values and "
                f"{len(self.locations)} locations"
            )


def assume_date(params: Mapping[str, Any], today: dt.date) -> Mapping[str, Any]:
    """Take today's main field where neither its direction nor a date is given."""
    known = (params["date"], params["assumed_date"])
    direction = (params["inclination_deg"], params["declination_deg"])
    needed = known == (None, None) and None in direction
    return {"assumed_date": today.isoformat()} if needed else {}


def field_resources(params: Mapping[str, Any], sizes: Mapping[str, int]) -> Resources:
    """Ask for memory by the number of values or the size of the grid's file."""
    return Resources(
        cpus=1.0,
        memory_mib=768
        + len(params["values"]) // 400
        + min(40 * (sum(sizes.values()) >> 20), 15_000),
        scratch_mib=128,
    )
