"""What the kind ``cost_analysis`` takes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Field, model_validator

from quetzalcore.jobs.model import Resources
from quetzalcore.workloads.kind import Kind
from quetzalcore.workloads.parameters import Parameters

__all__ = ["KIND", "CostAnalysisParams", "TargetParams"]

Method = Literal["magnetometry", "gradiometry", "radiometrics"]
Positive = Annotated[float, Field(gt=0, le=1e6)]


class TargetParams(Parameters):
    """The body that is looked for; its anomaly is that of an equivalent sphere."""

    shape: Literal["circle", "line", "rectangle"] = "circle"
    length_m: Positive = Field(default=200.0, description="Diameter of a circle, else its length.")
    width_m: float = Field(default=0.0, ge=0, le=1e6, description="Of a rectangle.")
    radius_m: Positive | None = Field(default=None, description="Of the sphere; a line needs it.")
    depth_to_centre_m: Positive = 150.0
    susceptibility_si: float = Field(default=0.05, gt=-1, le=100)

    @model_validator(mode="after")
    def _sized(self) -> TargetParams:
        if self.shape == "rectangle" and self.width_m == 0:
            raise ValueError("give a rectangle's width_m")
        if self.shape == "line" and self.radius_m is None:
            raise ValueError("give radius_m: a line has no size of its own")
        return self


class CostAnalysisParams(Parameters):
    """One survey to be costed; ranges are those of ``quetzal cost``."""

    project_type: Literal["mag_survey"] = "mag_survey"
    area_km2: float = Field(
        ge=1e-4, le=1e6, validation_alias=AliasChoices("area_km2", "area"),
        description="Area to survey.",
    )  # fmt: skip
    methods: tuple[Method, ...] = Field(
        default=("magnetometry",), min_length=1, max_length=3,
        description="Magnetometry, and what is measured beside it.",
    )  # fmt: skip
    platform: Literal["drone", "helicopter", "fixed-wing", "ground"] = "drone"
    line_spacing_m: float | None = Field(
        default=None, ge=1, le=100_000,
        description="Default: the greatest detection probability per dollar.",
    )  # fmt: skip
    tie_fraction: float = Field(default=0.10, ge=0, le=2)
    edge_fraction: float = Field(default=0.07, ge=0, le=10)
    sensor_height_m: float | None = Field(
        default=None, ge=0, le=10_000, description="Above ground; default by platform."
    )
    target: TargetParams = TargetParams()
    noise_nt: float = Field(default=2.0, ge=1e-4, le=1e5)
    threshold: float = Field(default=3.0, ge=0, le=20, description="In standard deviations.")
    field_nt: float = Field(default=50_000.0, ge=15_000, le=80_000)
    inclination_deg: float = Field(default=65.0, ge=-90, le=90)
    follow_up_holes: int = Field(default=3, ge=0, le=10_000)
    hole_depth_m: float | None = Field(default=None, ge=1, le=10_000)
    prior_probability: float | None = Field(
        default=None, ge=0, le=1, description="That the body is there; goes with the value."
    )
    discovery_value_usd: float | None = Field(default=None, ge=0, le=1e15)
    draws: int = Field(default=20_000, ge=1000, le=1_000_000, description="Monte Carlo draws.")
    seed: int = Field(default=1, ge=0, le=2**63 - 1, description="Of the draws.")

    @model_validator(mode="after")
    def _together(self) -> CostAnalysisParams:
        if "magnetometry" not in self.methods:
            raise ValueError("add magnetometry to the methods")
        if (self.prior_probability is None) != (self.discovery_value_usd is None):
            raise ValueError("give both prior_probability and discovery_value_usd, or neither")
        return self


KIND = Kind(
    name="cost_analysis",
    version="1",
    title="What a survey costs, what it would detect, and whether it pays",
    params=CostAnalysisParams,
    run="quetzalcore.workloads.cost_analysis.run:run",
    tier="numeric",
    resources=lambda params, _bytes: Resources(
        cpus=1.0, memory_mib=512 + int(params["draws"]) // 2500, scratch_mib=64
    ),
    wall_s=120.0,
    forkable=True,
    waits=True,
    example={"project_type": "mag_survey", "area_km2": 10, "methods": ["magnetometry"]},
)
