"""What the kind ``igrf`` takes: points as a list, as columns, or one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from quetzalcore.jobs.model import Resources
from quetzalcore.workloads.kind import Kind
from quetzalcore.workloads.parameters import Parameters

__all__ = ["KIND", "MOST_POINTS", "IgrfParams"]

MOST_POINTS = 100_000
_FIRST, _LAST = dt.date(1900, 1, 1), dt.date(2029, 12, 31)
_NAMES = {
    "longitude_deg": ("longitude_deg", "longitude", "lon"),
    "latitude_deg": ("latitude_deg", "latitude", "lat"),
    "height_m": ("height_m", "height"),
    "date": ("date",),
}


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


Longitude = Annotated[float, Field(ge=-360, le=360)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Height = Annotated[float, Field(ge=-3_000_000, le=10_000_000)]
Date = Annotated[dt.date, Field(ge=_FIRST, le=_LAST)]
_Listed = BeforeValidator(_listed)
_Column = Field(min_length=1, max_length=MOST_POINTS)


class IgrfParams(Parameters):
    """Columns of one length, or of one value for all points; ``points`` may be given instead."""

    longitude_deg: Annotated[tuple[Longitude, ...], _Listed, _Column] = Field(
        validation_alias=AliasChoices(*_NAMES["longitude_deg"]),
        description="WGS 84, east positive; one or a list.",
    )
    latitude_deg: Annotated[tuple[Latitude, ...], _Listed, _Column] = Field(
        validation_alias=AliasChoices(*_NAMES["latitude_deg"]),
        description="Geodetic, north positive.",
    )
    height_m: Annotated[tuple[Height, ...], _Listed, _Column] = Field(
        default=(0.0,),
        validation_alias=AliasChoices(*_NAMES["height_m"]),
        description="Above the WGS 84 ellipsoid.",
    )
    date: Annotated[tuple[Date, ...], _Listed, _Column] = Field(
        description="UTC, 1900-01-01 to 2029-12-31."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_points(cls, given: object) -> object:
        """Turn ``points`` into columns; a date beside them holds for those that have none."""
        if not (isinstance(given, Mapping) and "points" in given):
            return given
        rest = {key: value for key, value in given.items() if key != "points"}
        points = given["points"]
        if set(rest) - {"date", "height_m", "height"}:
            raise ValueError("give either points or columns, not both")
        if not isinstance(points, list | tuple) or not points:
            raise ValueError("give points as a list with at least one point")
        if len(points) > MOST_POINTS:
            raise ValueError(f"give at most {MOST_POINTS:,} points in one job")
        return _columns(points, rest)

    @model_validator(mode="after")
    def _one_length(self) -> IgrfParams:
        lengths = {len(getattr(self, name)) for name in _NAMES} - {1}
        if len(lengths) > 1:
            raise ValueError(
                f"give columns of one length or single values: there are {sorted(lengths)} values"
            )
        return self


def _columns(points: list[Any] | tuple[Any, ...], rest: Mapping[str, Any]) -> dict[str, list[Any]]:
    known = {alias for aliases in _NAMES.values() for alias in aliases}
    columns: dict[str, list[Any]] = {name: [] for name in _NAMES}
    for number, point in enumerate(points, start=1):
        if not isinstance(point, Mapping) or set(point) - known:
            raise ValueError(f"write point {number} as an object of {', '.join(_NAMES)}")
        whole = {"height_m": 0.0, **rest, **point}
        for name, aliases in _NAMES.items():
            value = next((whole[alias] for alias in reversed(aliases) if alias in whole), None)
            if value is None:
                raise ValueError(f"give point {number} a {name}")
            columns[name].append(value)
    return columns


def _resources(params: Mapping[str, Any], _sizes: Mapping[str, int]) -> Resources:
    points = max(len(params[name]) for name in _NAMES)
    return Resources(cpus=1.0, memory_mib=512 + points // 400, scratch_mib=64)


KIND = Kind(
    name="igrf",
    version="1",
    title="The Earth's main field (IGRF-14) at points",
    params=IgrfParams,
    run="quetzalcore.workloads.igrf.run:run",
    tier="numeric",
    resources=_resources,
    wall_s=120.0,
    forkable=True,
    waits=True,
    example={"longitude_deg": -43.7, "latitude_deg": -23.5, "height_m": 700, "date": "2024-01-01"},
)
