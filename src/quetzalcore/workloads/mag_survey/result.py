"""The result document of ``mag_survey``: the names and nesting that clients rely on."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

from quetzalcore.workloads.mag_survey.folder import Artifact
from quetzalcore.workloads.mag_survey.record import StageRecord

__all__ = [
    "DepthSummary",
    "GridProduct",
    "Provenance",
    "Qc",
    "SurveyInfo",
    "SurveyResult",
    "SurveyStats",
    "to_json",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyStats:
    """Moments of the anomaly after conditioning, nT."""

    mean_anomaly_nT: float  # noqa: N815 -- the API's name
    max_anomaly_nT: float  # noqa: N815 -- the API's name
    min_anomaly_nT: float  # noqa: N815 -- the API's name
    std_anomaly_nT: float  # noqa: N815 -- the API's name


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyInfo:
    """What was surveyed."""

    num_stations: int
    line_km: float
    area_km2: float
    crs: str | None
    file_format: str
    igrf_corrected: bool
    igrf_model: str | None
    inclination_deg: float
    declination_deg: float
    survey_stats: SurveyStats


@dataclass(frozen=True, slots=True, kw_only=True)
class Qc:
    """How good it is."""

    noise_nT: float  # noqa: N815 -- the API's name
    spikes: int
    duplicates: int
    gaps: int
    line_spacing_m: float
    station_spacing_m: float
    traverses: int
    ties: int
    height_m: Mapping[str, float | str]
    rejected_rows: int
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridProduct:
    """One grid file."""

    name: str
    artifact: str
    unit: str
    cell_size_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthSummary:
    """One depth method's solutions."""

    method: str
    solutions: int
    artifact: str
    median_depth_m: float | None
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What is needed to run it again."""

    version: str
    params: Mapping[str, Any]
    inputs: Sequence[Mapping[str, Any]]
    packages: Mapping[str, str]
    device: str
    started_at: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyResult:
    """The whole document, as ``result.json`` holds it."""

    survey_info: SurveyInfo
    qc: Qc
    stages: Sequence[StageRecord]
    grids: Sequence[GridProduct]
    depth: DepthSummary | None
    depth_methods: Sequence[DepthSummary]
    mineral_discrimination: Mapping[str, Any]
    drill_targets: Sequence[Mapping[str, Any]]
    artifacts: Sequence[Artifact]
    provenance: Provenance


def to_json(value: Any) -> Any:  # noqa: ANN401 -- any tree of value objects
    """Turn a tree of value objects into JSON's types; NaN and infinities become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str | bool | int | None):
        return value
    return _leaf(value)


def _leaf(value: Any) -> Any:  # noqa: ANN401 -- as above
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return to_json(value.tolist())
    return [to_json(item) for item in value]
