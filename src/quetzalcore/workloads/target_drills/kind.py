"""What the kind ``target_drills`` takes."""

from __future__ import annotations

from pydantic import AliasChoices, Field, model_validator

from quetzalcore.workloads.interpretation.params import (
    AnomalyFieldParams,
    assume_date,
    field_resources,
)
from quetzalcore.workloads.kind import Kind

__all__ = ["KIND", "TargetDrillsParams"]


class TargetDrillsParams(AnomalyFieldParams):
    """A field, how many targets are wanted, and how weak they may be."""

    top_n: int = Field(default=10, ge=1, le=1000)
    min_anomaly_nt: float | None = Field(
        default=None, ge=0, validation_alias=AliasChoices("min_anomaly_nt", "min_anomaly"),
        description="Weakest anomaly to rank; default: five times the noise.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_source(self) -> TargetDrillsParams:
        self.check_field()
        return self


KIND = Kind(
    name="target_drills",
    version="1",
    title="Ranked drill targets of magnetic anomalies",
    params=TargetDrillsParams,
    run="quetzalcore.workloads.target_drills.run:run",
    inputs=(0, 1),
    tier="numeric",
    resources=field_resources,
    assume=assume_date,
    wall_s=300.0,
    waits=True,
    example={"grid": "tmi.tif", "date": "2024-05-14", "top_n": 5, "min_anomaly": 50},
)
