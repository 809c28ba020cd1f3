"""What the kind ``mag_survey`` takes: the tree of ``survey.toml``, and which input file plays which role."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Literal

from pydantic import Field, model_validator

from quetzalcore.jobs.model import Resources
from quetzalcore.workloads.kind import Kind
from quetzalcore.workloads.mag_survey.config import SurveyConfig
from quetzalcore.workloads.parameters import Parameters
from quetzalcore.workloads.wasm.kind import ColumnName, ModuleParams
from quetzalcore.workloads.wasm.modules import FileName

__all__ = ["KIND", "CustomStep", "MagSurveyParams", "SurveyInputs", "survey_memory_mib"]

_BASE_MIB = 700  # imports, and a survey's grids at the default cell size
_BYTES_A_STATION = 440  # measured: 1.1 GB at 1e6 stations, 5 GB at 1e7
_PRODUCT_BYTES = 430  # a station, of all products
_MARGIN = 1.25
_MOST_STATIONS = 20_000_000  # the readers thin what is larger
_ROW_BYTES = {".xz": 2.0, ".bz2": 3.0, ".zst": 4.0, ".gz": 6.0, ".zip": 6.0, ".parquet": 15.0}
_PLAIN_ROW_BYTES = 40.0
_ONE_CORE_STATIONS = 100_000


class SurveyInputs(Parameters):
    """Input files by role, under the names that they were uploaded with."""

    survey: FileName | None = Field(default=None, description="Default: the only file left over.")
    base_station: FileName | None = None
    calibration: FileName | None = Field(default=None, description="Compensation flight.")
    dem: FileName | None = Field(default=None, description="Ground elevation grid.")
    known_bodies: FileName | None = Field(
        default=None,
        description="Bodies that were there, as a simulation writes them; the result compares.",
    )


class CustomStep(ModuleParams):
    """A client's module between two stages of the survey."""

    at: Literal["conditioned", "gridded"] = Field(
        default="conditioned",
        description="After conditioning, over the readings; or after gridding, over the grid.",
    )
    channels: tuple[ColumnName, ...] = Field(
        default=(), max_length=50,
        description="Further columns that the module is shown after the reading, not changed.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _channels_of_stations(self) -> CustomStep:
        if self.at == "gridded" and self.channels:
            raise ValueError("leave channels out: a grid has none")
        return self


class MagSurveyParams(SurveyConfig):
    """The whole job; every key of ``survey.toml`` but file paths, which are named under ``inputs``."""

    inputs: SurveyInputs = SurveyInputs()
    custom_step: CustomStep | None = None

    @model_validator(mode="after")
    def _no_paths(self) -> MagSurveyParams:
        for role in ("base_station", "calibration", "dem"):
            if getattr(self.input, role) is not None:
                raise ValueError(f"upload the file and give its name as inputs.{role}")
        return self


def survey_memory_mib(params: Mapping[str, Any], sizes: Mapping[str, int]) -> int:
    """Estimate the memory of a survey from its files; an attempt that runs out is given twice as much."""
    return int(
        _MARGIN * (_BASE_MIB + _stations(params, sizes) * _BYTES_A_STATION / 2**20)
    ) + _module_mib(params)


def _stations(params: Mapping[str, Any], sizes: Mapping[str, int]) -> float:
    """Guess the rows of the survey's file, or of every file where none is named as the survey."""
    named = params["inputs"]["survey"]
    found = {name: size for name, size in sizes.items() if named in (None, name)}
    rows = (
        size / _ROW_BYTES.get(PurePath(name).suffix.lower(), _PLAIN_ROW_BYTES)
        for name, size in found.items()
    )
    return min(sum(rows), _MOST_STATIONS)


def _module_mib(params: Mapping[str, Any]) -> int:
    step = params["custom_step"]
    return 0 if step is None else int(step["memory_mib"])


def _resources(params: Mapping[str, Any], sizes: Mapping[str, int]) -> Resources:
    return Resources(
        cpus=1.0 if _stations(params, sizes) < _ONE_CORE_STATIONS else 2.0,
        memory_mib=survey_memory_mib(params, sizes),
        scratch_mib=512 + int(_stations(params, sizes) * _PRODUCT_BYTES / 2**20),
    )


def _assume(params: Mapping[str, Any], today: dt.date) -> Mapping[str, Any]:
    """Take today's main field where neither its direction nor a date is given; a survey's own times go before it."""
    field = params["field"]
    known = (params["input"]["date"], field["date"])
    direction = (field["inclination_deg"], field["declination_deg"])
    needed = known == (None, None) and None in direction
    return {"field.date": today.isoformat()} if needed else {}


KIND = Kind(
    name="mag_survey",
    version="1",
    title="A magnetic survey to grids, depths, drill targets and a report",
    params=MagSurveyParams,
    run="quetzalcore.workloads.mag_survey.task:run",
    inputs=(1, 8),
    tier="numeric",
    resources=_resources,
    assume=_assume,
    wall_s=3600.0,
    waits=True,
    stages=("grid", "depth", "targets", "report"),
    example={
        "inputs": {"survey": "survey.csv", "base_station": "base.csv"},
        "input": {"crs": "EPSG:32754", "date": "2024-05-14"},
        "targets": {"top_n": 10},
    },
)
