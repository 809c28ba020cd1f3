"""What the report says about a run: facts, stages, figures, targets, and what to distrust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quetzalcore.geophysics.quality import QualityReport
from quetzalcore.geophysics.survey import Survey
from quetzalcore.geophysics.targets import BodyShape
from quetzalcore.reporting import (
    BodyComparison,
    ClassProbability,
    DepthRow,
    Fact,
    MapSpec,
    Picture,
    RejectedRow,
    ReportFigure,
    ReportInput,
    ReportTarget,
    Stage,
    StageStatus,
)
from quetzalcore.workloads.mag_survey.conditioning import Levelled
from quetzalcore.workloads.mag_survey.depths import DepthSet, DepthTable
from quetzalcore.workloads.mag_survey.grids import TransformSet
from quetzalcore.workloads.mag_survey.methods import METHODS, REFERENCES, distrust
from quetzalcore.workloads.mag_survey.reading import Inputs
from quetzalcore.workloads.mag_survey.record import Outcome, StageRecord
from quetzalcore.workloads.mag_survey.report_figures import (
    levelling_figure,
    profile_figure,
    spectrum_figure,
)
from quetzalcore.workloads.mag_survey.result import Provenance, SurveyInfo
from quetzalcore.workloads.mag_survey.target_finding import TargetSet

__all__ = ["Cover", "Findings", "build_report", "parameter_facts", "stage_row"]

_REJECTED_SHOWN = 50
_WHOLE_FROM = 1000.0
_ABOVE_GROUND = "; negative: above ground, so at the surface within the method's error"
_VERTICAL_DEG = 89.5  # from here a hole has no azimuth worth printing
_SUFFIXES = {
    "nt_m": "nT/m",
    "nt": "nT",
    "m": "m",
    "s": "s",
    "deg": "\N{DEGREE SIGN}",
    "cells": "cells",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """Everything that the stages left behind, for the report."""

    inputs: Inputs
    info: SurveyInfo
    quality: QualityReport
    records: tuple[StageRecord, ...]
    warnings: tuple[str, ...]
    levelling: Levelled | None
    conditioned: Survey
    transforms: TransformSet | None
    depths: DepthSet | None
    targets: TargetSet | None
    provenance: Provenance
    convergence_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What stands on the cover."""

    title: str
    client: str
    date: str


def build_report(
    found: Findings,
    cover: Cover,
    *,
    maps: Sequence[tuple[MapSpec, Picture]],
    comparison: tuple[BodyComparison, ...] = (),
) -> ReportInput:
    """Put the findings into the report's order."""
    figures = tuple(_figure(spec, picture) for spec, picture in maps)
    return ReportInput(
        title=cover.title,
        subtitle=cover.client,
        date=cover.date,
        version=found.provenance.version,
        cover_map=figures[0] if figures else None,
        key_facts=_key_facts(found),
        summary=_summary(found),
        survey=_survey_facts(found),
        stages=tuple(stage_row(record) for record in found.records),
        quality=_quality_facts(found.quality),
        quality_figures=(
            *profile_figure(found.inputs.survey, found.conditioned),
            *levelling_figure(found.levelling),
        ),
        maps=figures,
        depths=_depth_rows(found.depths),
        depth_figures=spectrum_figure(found.transforms),
        targets=_targets(found.targets),
        comparison=comparison,
        rejected=tuple(
            RejectedRow(row=item.row, reason=item.reason, content=item.text)
            for item in found.inputs.rejected.first[:_REJECTED_SHOWN]
        ),
        rejected_total=found.inputs.rejected.count,
        warnings=found.warnings,
        distrust=distrust(found.records, below_ground=_below_ground(found)),
        methods=METHODS,
        references=REFERENCES,
        parameters=parameter_facts(found.provenance.params),
        provenance=_provenance_facts(found.provenance),
        rerun_command="quetzal survey run --from result.json -o again",
    )


def _below_ground(found: Findings) -> bool:
    return found.depths is not None and "ground" in found.depths.tables[0].reference


def _figure(spec: MapSpec, picture: Picture) -> ReportFigure:
    values = spec.grid.to_numpy()
    low, high = np.nanpercentile(values, [2, 98])
    return ReportFigure(
        title=spec.title,
        picture=picture,
        caption=spec.caption,
        alt=f"Map of {spec.title.lower()}; 96 % of it between {low:.3g} and {high:.3g} {spec.unit}",
    )


def _key_facts(found: Findings) -> tuple[Fact, ...]:
    info, quality = found.info, found.quality
    return (
        Fact(name="Stations", value=f"{info.num_stations:,}"),
        Fact(name="Line kilometres", value=f"{info.line_km:,.0f}"),
        Fact(name="Area", value=f"{info.area_km2:,.1f} km²"),
        Fact(name="Line spacing", value=f"{quality.line_spacing_m:,.0f} m"),
        Fact(name="Noise", value=f"{quality.noise_nt:.2g} nT"),
        Fact(
            name="Main field",
            value=f"I {info.inclination_deg:.1f}°, D {info.declination_deg:.1f}°",
        ),
        Fact(name="Drill targets", value=str(len(found.targets.drill) if found.targets else 0)),
    )


def _summary(found: Findings) -> tuple[str, ...]:
    info, stats = found.info, found.info.survey_stats
    said = [
        (
            f"{info.num_stations:,} readings on {found.quality.line_km:,.0f} km of traverses and "
            f"{found.quality.tie_km:,.0f} km of ties cover {info.area_km2:,.1f} km². After conditioning "
            f"the anomaly runs from {stats.min_anomaly_nT:,.0f} to {stats.max_anomaly_nT:,.0f} nT."
        )
    ]
    change = next((r for r in found.records if r.stage == "levelling"), None)
    if found.levelling is not None and change is not None:
        before, after = found.levelling.result.before, found.levelling.result.after
        said.append(
            f"Tie-line levelling took the crossovers' robust spread from {before.spread_nt:.2f} to "
            f"{after.spread_nt:.2f} nT and changed readings by {change.rms_change_nt:.2f} nT RMS."
        )
    if found.targets and found.targets.drill:
        first = found.targets.drill[0]
        said.append(
            f"{len(found.targets.anomalies)} anomalies were described and "
            f"{len(found.targets.drill)} ranked as drill targets. The first lies at "
            f"{first.easting_m:,.0f} E, {first.northing_m:,.0f} N, {first.depth_m:,.0f} m "
            f"below {first.anomaly.depth_reference}, with an amplitude of {first.anomaly_nt:,.0f} nT."
        )
    return tuple(said)


def _survey_facts(found: Findings) -> tuple[Fact, ...]:
    info, quality = found.info, found.quality
    notes = [Fact(name="Note", value=note) for note in found.inputs.notes]
    return (
        Fact(name="File format", value=info.file_format),
        Fact(name="Coordinate system", value=info.crs or "local"),
        Fact(name="Traverse kilometres", value=f"{quality.line_km:,.1f}"),
        Fact(name="Tie kilometres", value=f"{quality.tie_km:,.1f}"),
        Fact(name="Height", value=_heights(quality)),
        *notes,
    )


def _heights(quality: QualityReport) -> str:
    heights = quality.height_m
    if not heights:
        return "not given"
    low, middle, high = (heights[name] for name in ("min", "median", "max"))
    return f"{low:,.0f} to {high:,.0f} m, median {middle:,.0f} m ({quality.height_role})"


def _quality_facts(quality: QualityReport) -> tuple[Fact, ...]:
    return (
        Fact(name="Line spacing", value=f"{quality.line_spacing_m:,.1f} m"),
        Fact(name="Station spacing", value=f"{quality.station_spacing_m:,.2f} m"),
        Fact(name="Noise (fourth difference)", value=f"{quality.noise_nt:.3g} nT"),
        Fact(name="Spikes", value=f"{len(quality.spikes):,}"),
        Fact(name="Duplicate stations", value=f"{len(quality.duplicates):,}"),
        Fact(name="Gaps along lines", value=f"{len(quality.gaps):,}"),
        Fact(name="Places flagged as culture", value=f"{len(quality.culture):,}"),
    )


def stage_row(record: StageRecord) -> Stage:
    """Tell a stage in words: what it was asked, what it changed, or why it did not run."""
    done = record.outcome is Outcome.DONE
    changed = record.reason
    if done and record.rows_changed:
        changed = (
            f"{record.rows_changed:,} readings, {_plain(record.rms_change_nt)} nT RMS, at most "
            f"{_plain(record.max_change_nt)} nT"
        )
    return Stage(
        name=record.stage,
        status=StageStatus.DONE if done else StageStatus.SKIPPED,
        parameters=tuple(_fact(k, v) for k, v in record.parameters.items()),
        changed=changed,
        warnings=record.warnings,
    )


def _fact(name: str, value: object) -> Fact:
    """Turn a parameter's name into words and its suffix into a unit."""
    for suffix, unit in _SUFFIXES.items():
        if name.endswith(f"_{suffix}") and isinstance(value, int | float):
            words = name.removesuffix(f"_{suffix}").replace("_", " ")
            return Fact(name=words, value=f"{_plain(value)} {unit}")
    return Fact(name=name.replace("_", " "), value=_plain(value))


def _plain(value: object) -> str:
    """Print four digits of a number, whole thousands in full, and yes and no for a truth value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    text = f"{value:,.0f}" if abs(value) >= _WHOLE_FROM else f"{value:.4g}"
    return text.replace("-", "\N{MINUS SIGN}")


def _depth_rows(depths: DepthSet | None) -> tuple[DepthRow, ...]:
    return () if depths is None else tuple(_depth_row(t) for t in depths.tables if len(t))


def _depth_row(table: DepthTable) -> DepthRow:
    low, middle, high = np.percentile(table.columns["depth_m"], [10, 50, 90])
    typical = float(np.median(table.columns["uncertainty_m"]))
    return DepthRow(
        method=table.title,
        solutions=len(table),
        shallow_m=float(low),
        median_m=float(middle),
        deep_m=float(high),
        uncertainty=f"± {typical:,.0f} m (median)",
        note=table.reference + (_ABOVE_GROUND if low < 0.0 else ""),
    )


def _targets(found: TargetSet | None) -> tuple[ReportTarget, ...]:
    if found is None:
        return ()
    return tuple(
        ReportTarget(
            rank=target.rank,
            easting_m=target.easting_m,
            northing_m=target.northing_m,
            longitude_deg=place[0],
            latitude_deg=place[1],
            depth_low_m=target.depth_interval_m[0],
            depth_high_m=target.depth_interval_m[1],
            depth_to="centre" if target.anomaly.shape is BodyShape.BALL else "top",
            depth_below=target.anomaly.depth_reference,
            amplitude_nt=target.anomaly_nt,
            classes=tuple(
                ClassProbability(name=found.titles[c.name], probability=c.probability)
                for c in target.source_classes[:4]
            ),
            calibrated=False,
            azimuth_deg=None
            if abs(target.dip_deg) >= _VERTICAL_DEG
            else (target.azimuth_deg + found.convergence_deg) % 360.0,
            dip_deg=-target.dip_deg,
            collar=f"{target.collar.easting_m:,.0f} E, {target.collar.northing_m:,.0f} N",
            length_m=target.hole_length_m,
            score=target.score,
            reasons=target.reasons,
        )
        for target, place in zip(found.drill, found.places, strict=True)
    )


def parameter_facts(params: Mapping[str, Any], prefix: str = "") -> tuple[Fact, ...]:
    """List what differs from nothing, under the names of ``survey.toml``."""
    facts: list[Fact] = []
    for key, value in params.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            facts.extend(parameter_facts(value, f"{name}."))
        elif isinstance(value, list | tuple):
            facts.extend([Fact(name=name, value=", ".join(map(str, value)))] if value else [])
        elif value is not None:
            facts.append(Fact(name=name, value=_plain(value)))
    return tuple(facts)


def _provenance_facts(provenance: Provenance) -> tuple[Fact, ...]:
    inputs = [
        Fact(name=f"Input: {item['role']}", value=f"{item['path']} (SHA-256 {item['sha256']})")
        for item in provenance.inputs
    ]
    packages = ", ".join(f"{name} {version}" for name, version in provenance.packages.items())
    return (
        Fact(name="QuetzalCore", value=provenance.version),
        Fact(name="Packages", value=packages),
        Fact(name="Device", value=provenance.device),
        Fact(name="Started", value=provenance.started_at),
        *inputs,
    )
