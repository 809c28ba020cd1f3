"""The result document of ``mag_survey``: the names and nesting that clients rely on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quetzalcore.workloads.json_document import to_json
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
