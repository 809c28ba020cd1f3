"""What the kind is called, takes and needs. The gateway imports this: nothing heavy may be imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from quetzalcore.jobs.model import Resources
from quetzalcore.workloads.kind import Kind
from quetzalcore.workloads.parameters import Parameters


class LineStatisticsParams(Parameters):
    """The parameters, checked when a job is submitted; unknown ones and NaN are refused."""

    crs: str | None = Field(default=None, description="Of projected input, as EPSG:32754.")
    columns: dict[str, str] = Field(default_factory=dict, description="role = column name")
    percentile: float = Field(default=50.0, ge=0, le=100)


def resources(_params: Mapping[str, Any], sizes: Mapping[str, int]) -> Resources:
    """Ask for what a job of this size needs; ``sizes`` has the bytes of each of its files."""
    return Resources(cpus=1.0, memory_mib=512 + 4 * (sum(sizes.values()) >> 20), scratch_mib=64)


KIND = Kind(
    name="line_statistics",
    version="1",  # raise it whenever the same input may give another result
    title="The spread of every line of a survey",
    params=LineStatisticsParams,
    run="line_statistics.run:run",
    inputs=(1, 1),
    tier="numeric",  # a warm VM that has NumPy and SciPy imported
    resources=resources,
    wall_s=300.0,
    waits=True,
    example={"percentile": 90},
)
