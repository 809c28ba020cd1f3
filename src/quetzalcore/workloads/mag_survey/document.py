"""From findings to the result document that ``result.json`` holds."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import quetzalcore
from quetzalcore.geophysics.deposits import ClassProbability
from quetzalcore.geophysics.quality import LineKind
from quetzalcore.geophysics.targets import DrillTarget
from quetzalcore.vgpu import CpuDevice
from quetzalcore.workloads.mag_survey.analysis import Analysis, Request
from quetzalcore.workloads.mag_survey.result import Provenance, Qc, SurveyInfo, SurveyStats, to_json
from quetzalcore.workloads.mag_survey.surroundings import IGRF_NAME
from quetzalcore.workloads.mag_survey.target_finding import TargetSet

__all__ = [
    "CALIBRATION",
    "class_rows",
    "discrimination",
    "drill_targets",
    "provenance",
    "qc",
    "survey_info",
]

_HIGH_PRIORITY = 5
CALIBRATION = {
    "status": "uncalibrated",
    "why": "no drilling or other labels support the probabilities",
}
_PACKAGES = ("numpy", "scipy", "numba", "xarray", "pyproj", "rasterio", "pyarrow")


def survey_info(found: Analysis) -> SurveyInfo:
    """Sum up what was surveyed."""
    known = found.scene.survey.tmi_nt
    known = known[np.isfinite(known)]
    return SurveyInfo(
        num_stations=len(found.inputs.survey),
        line_km=round(found.scene.quality.line_km + found.scene.quality.tie_km, 3),
        area_km2=round(found.scene.quality.area_km2, 3),
        crs=found.inputs.survey.crs,
        file_format=found.inputs.file_format,
        igrf_corrected=found.conditioned.igrf_removed,
        igrf_model=IGRF_NAME if found.conditioned.igrf_removed else None,
        inclination_deg=found.scene.field.inclination_deg,
        declination_deg=found.scene.field.declination_deg,
        survey_stats=SurveyStats(
            mean_anomaly_nT=float(known.mean()),
            max_anomaly_nT=float(known.max()),
            min_anomaly_nT=float(known.min()),
            std_anomaly_nT=float(known.std()),
        ),
    )


def qc(found: Analysis) -> Qc:
    """Sum up how good it is."""
    quality = found.scene.quality
    heights: dict[str, float | str] = dict(quality.height_m)
    if heights:
        heights["role"] = quality.height_role
    return Qc(
        noise_nT=quality.noise_nt,
        spikes=len(quality.spikes),
        duplicates=len(quality.duplicates),
        gaps=len(quality.gaps),
        line_spacing_m=quality.line_spacing_m,
        station_spacing_m=quality.station_spacing_m,
        traverses=sum(line.kind is LineKind.TRAVERSE for line in found.scene.lines),
        ties=sum(line.kind is LineKind.TIE for line in found.scene.lines),
        height_m=heights,
        rejected_rows=found.inputs.rejected.count,
        warnings=found.log.warnings,
    )


def discrimination(found: TargetSet | None) -> Mapping[str, Any]:
    """Give every anomaly with its source classes; nothing here is calibrated."""
    if found is None:
        return {
            "num_target_types": 0,
            "all_targets": [],
            "high_priority_targets": [],
            "calibration": CALIBRATION,
        }
    everything = [
        {
            "id": anomaly.id,
            "easting_m": anomaly.easting_m,
            "northing_m": anomaly.northing_m,
            "polarity": anomaly.polarity,
            "shape": anomaly.shape,
            "amplitude_nT": anomaly.amplitude_nt,
            "area_m2": anomaly.area_m2,
            "length_m": anomaly.length_m,
            "width_m": anomaly.width_m,
            "strike_deg": anomaly.strike_deg,
            "depth_m": anomaly.depth_m,
            "depth_interval_m": anomaly.depth_interval_m,
            "depth_below": anomaly.depth_reference,
            "susceptibility_si": anomaly.susceptibility_si,
            "susceptibility_interval_si": anomaly.susceptibility_interval_si,
            "remanence_angle_deg": anomaly.remanence_angle_deg,
            "culture": anomaly.culture,
            "source_classes": class_rows(classes, found.titles),
        }
        for anomaly, classes in zip(found.anomalies, found.classes, strict=True)
    ]
    best = {target.anomaly.id for target in found.drill[:_HIGH_PRIORITY]}
    likeliest = {classes[0].name for classes in found.classes if classes}
    return {
        "num_target_types": len(likeliest),
        "all_targets": everything,
        "high_priority_targets": [item for item in everything if item["id"] in best],
        "excluded": [{"id": e.anomaly_id, "reason": e.reason} for e in found.excluded],
        "prior": dict(zip(found.prior.names, found.prior.probability, strict=True)),
        "calibration": CALIBRATION,
    }


def drill_targets(found: TargetSet | None) -> tuple[Mapping[str, Any], ...]:
    """Give the ranked targets under the API's names."""
    if found is None:
        return ()
    return tuple(
        _drill_target(target, place, elevation, found)
        for target, place, elevation in zip(
            found.drill, found.places, found.elevation_m, strict=True
        )
    )


def class_rows(
    classes: Sequence[ClassProbability], titles: Mapping[str, str]
) -> Sequence[Mapping[str, object]]:
    """Give source classes under the API's names, most probable first."""
    return [
        {"name": c.name, "title": titles[c.name], "probability": round(c.probability, 4)}
        for c in classes
    ]


def _drill_target(
    target: DrillTarget, place: tuple[float, float], elevation_m: float, found: TargetSet
) -> Mapping[str, Any]:
    return {
        "rank": target.rank,
        "anomaly_id": target.anomaly.id,
        "location": [*place, elevation_m],
        "easting_m": target.easting_m,
        "northing_m": target.northing_m,
        "depth_m": target.depth_m,
        "depth_interval_m": target.depth_interval_m,
        "depth_below": target.anomaly.depth_reference,
        "anomaly_nT": target.anomaly_nt,
        "source_classes": class_rows(target.source_classes, found.titles),
        "calibration": "uncalibrated",
        "collar": {
            "easting_m": target.collar.easting_m,
            "northing_m": target.collar.northing_m,
            "elevation_m": elevation_m,
        },
        "azimuth_deg": (target.azimuth_deg + found.convergence_deg) % 360.0,
        "azimuth_grid_deg": target.azimuth_deg,
        "dip_deg": target.dip_deg,
        "hole_length_m": target.hole_length_m,
        "score": target.score,
        "score_parts": [
            {"name": part.name, "value": part.value, "weight": part.weight}
            for part in target.score_parts
        ],
        "reasons": target.reasons,
    }


def provenance(found: Analysis, request: Request, *, duration_s: float) -> Provenance:
    """Give what is needed to run it again: versions, every parameter, every input's digest."""
    return Provenance(
        version=quetzalcore.__version__,
        params=_params(found, request),
        inputs=[
            {**to_json(file), "path": request.shown(Path(file.path))} for file in found.inputs.files
        ],
        packages={
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        device=CpuDevice().name,
        started_at=request.now.isoformat(timespec="seconds"),
        duration_s=round(duration_s, 3),
    )


def _params(found: Analysis, request: Request) -> dict[str, Any]:
    params = found.config.model_dump(mode="json", exclude_none=True)
    for role, path in params["input"].items():
        if isinstance(getattr(found.config.input, role), Path):
            params["input"][role] = request.shown(Path(path))
    return params
