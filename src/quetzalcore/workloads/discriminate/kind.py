"""What the kind ``discriminate`` takes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from quetzalcore.jobs.model import Resources
from quetzalcore.workloads.interpretation.params import (
    AnomalyFieldParams,
    assume_date,
    field_resources,
)
from quetzalcore.workloads.kind import Kind
from quetzalcore.workloads.parameters import Parameters

__all__ = ["KIND", "DiscriminateParams", "Observation"]

_MOST_OBSERVATIONS = 10_000
Positive = Annotated[float, Field(gt=0)]
Angle = Annotated[float, Field(ge=0, le=180)]


class Observation(Parameters):
    """What is known of one source; what is null or left out neither helps nor hurts any class."""

    apparent_susceptibility_si: Positive | None = None
    susceptibility_sigma_dex: Positive | None = None
    koenigsberger: Positive | None = None
    koenigsberger_sigma_dex: Positive | None = None
    magnetization_angle_deg: Angle | None = None
    angle_sigma_deg: Positive | None = None
    width_m: Positive | None = None
    length_m: Positive | None = None
    aspect_ratio: Positive | None = None
    depth_m: float | None = None
    culture: bool | None = None
    geometry: Literal["", "equant", "sheet", "pipe", "layer", "culture"] = ""


class DiscriminateParams(AnomalyFieldParams):
    """A field whose anomalies are to be told apart, or sources as they were observed."""

    observations: tuple[Observation, ...] = Field(
        default=(), max_length=_MOST_OBSERVATIONS,
        description="Instead of a field: sources with what is known of each.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_source(self) -> DiscriminateParams:
        if not self.observations:
            self.check_field()
        elif self.values or self.locations or self.grid is not None:
            raise ValueError("give either observations or a field, not both")
        return self


def _resources(params: Mapping[str, Any], sizes: Mapping[str, int]) -> Resources:
    return field_resources(params, sizes)


def _assume(params: Mapping[str, Any], today: dt.date) -> Mapping[str, Any]:
    return {} if params["observations"] else assume_date(params, today)


KIND = Kind(
    name="discriminate",
    version="1",
    title="Source classes of magnetic anomalies, with probabilities",
    params=DiscriminateParams,
    run="quetzalcore.workloads.discriminate.run:run",
    inputs=(0, 1),
    tier="numeric",
    resources=_resources,
    assume=_assume,
    wall_s=300.0,
    waits=True,
    example={"observations": [{"apparent_susceptibility_si": 0.2, "width_m": 150, "depth_m": 80}]},
)
