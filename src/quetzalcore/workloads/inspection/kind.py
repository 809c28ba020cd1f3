"""What the kind ``inspect`` takes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from quetzalcore.jobs.model import Resources
from quetzalcore.workloads.kind import Kind
from quetzalcore.workloads.mag_survey.config import HeightRoleName
from quetzalcore.workloads.parameters import Parameters

__all__ = ["KIND", "InspectParams"]


class InspectParams(Parameters):
    """What is known of the file; everything else is guessed and said."""

    columns: dict[str, str] = Field(default_factory=dict, description="role = column name")
    units: dict[str, str] = Field(default_factory=dict, description="role = unit")
    delimiter: str | None = Field(default=None, max_length=1)
    crs: str | None = Field(default=None, max_length=10_000)
    date: dt.date | None = None
    height_role: HeightRoleName | None = None


def _resources(_params: Mapping[str, Any], sizes: Mapping[str, int]) -> Resources:
    """Ask for what an inspection needs: it reads batch by batch, so size hardly counts."""
    return Resources(
        cpus=1.0, memory_mib=768, scratch_mib=256 + min(sum(sizes.values()) >> 20, 4096)
    )


KIND = Kind(
    name="inspect",
    version="1",
    title="Look into a survey file: columns, units, lines, coordinate system, first rows",
    params=InspectParams,
    run="quetzalcore.workloads.inspection.run:run",
    inputs=(1, 2),
    tier="numeric",
    resources=_resources,
    wall_s=600.0,
    waits=True,
    example={"crs": "EPSG:32754"},
)
