"""The main job from end to end: analyse, write the products, tell the result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import quetzalcore
from quetzalcore.errors import BadOutput
from quetzalcore.reporting import (
    MapSpec,
    Picture,
    render_map,
    write_report,
)
from quetzalcore.vgpu import limit_workers, map_threads, worker_count
from quetzalcore.workloads.mag_survey import document, products
from quetzalcore.workloads.mag_survey.analysis import Analysis, Request, analyse
from quetzalcore.workloads.mag_survey.comparison import Comparison
from quetzalcore.workloads.mag_survey.config import Stage
from quetzalcore.workloads.mag_survey.folder import artifacts, whole_folder
from quetzalcore.workloads.mag_survey.maps import MapSymbols, MapText, plan_maps
from quetzalcore.workloads.mag_survey.record import Outcome, StageRecord
from quetzalcore.workloads.mag_survey.report_input import Cover, Findings, build_report
from quetzalcore.workloads.mag_survey.result import DepthSummary, SurveyResult, to_json
from quetzalcore.workloads.mag_survey.target_finding import TargetSet

__all__ = ["SurveyOutcome", "run_survey"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurveyOutcome:
    """The findings, and the result document as ``result.json`` holds it."""

    analysis: Analysis
    document: dict[str, Any]


def run_survey(
    request: Request,
    folder: Path,
    *,
    compare: Callable[[TargetSet], Comparison] | None = None,
) -> SurveyOutcome:
    """Run the job and leave a whole folder of products, or raise and leave nothing.

    Parameters
    ----------
    request : Request
    folder : Path
        Where the products go; an earlier run's folder is replaced.
    compare : callable, optional
        For simulated surveys: sets the targets beside the known bodies.

    Raises
    ------
    UserMistake
        With what, where and what to do.
    """
    _refuse_inputs_inside(request, folder)
    workers = request.config.threads or worker_count()
    with limit_workers(workers), whole_folder(folder) as scratch:
        began = request.clock()
        found = analyse(request)
        comparison = None
        if compare is not None and found.targets is not None:
            comparison = compare(found.targets)
        grids, depths = _write_data(found, request, scratch)
        maps = _draw_maps(found, request, scratch, comparison)
        result = SurveyResult(
            survey_info=document.survey_info(found),
            qc=document.qc(found),
            stages=found.log.records,
            grids=grids,
            depth=depths[0] if depths else None,
            depth_methods=depths,
            mineral_discrimination=document.discrimination(found.targets),
            drill_targets=document.drill_targets(found.targets),
            artifacts=(),
            provenance=document.provenance(found, request, duration_s=request.clock() - began),
        )
        if request.config.runs(Stage.REPORT):
            request.progress("report", 0.0)
            cover = Cover(
                title=_title(found, request),
                client=request.config.report.client or "",
                date=request.now.date().isoformat(),
            )
            rows = comparison.rows if comparison else ()
            report = build_report(_findings(found, result), cover, maps=maps, comparison=rows)
            write_report(report, scratch / "report.html")
            request.progress("report", 1.0)
        told = to_json(result)
        if comparison is not None:
            told["comparison"] = comparison.document()
        told["artifacts"] = to_json(artifacts(scratch))
        text = json.dumps(told, indent=1, allow_nan=False, ensure_ascii=False)
        (scratch / "result.json").write_text(text + "\n", encoding="utf-8")
    return SurveyOutcome(analysis=found, document=told)


def _refuse_inputs_inside(request: Request, folder: Path) -> None:
    """Refuse to write over what is read: the folder's files are replaced."""
    given = request.config.input
    for path in (request.source, given.base_station, given.calibration, given.dem):
        if path is not None and folder.resolve() in path.resolve().parents:
            raise BadOutput(
                f"the input {path} lies in the output folder {folder}, whose files are replaced",
                hint="choose another folder with -o",
            )


def _write_data(
    found: Analysis, request: Request, folder: Path
) -> tuple[tuple[Any, ...], tuple[DepthSummary, ...]]:
    request.progress("write", 0.0)
    crs = found.inputs.survey.crs
    grids = found.transforms.grids if found.transforms else {"tmi": found.grid}
    written = products.write_grids(grids, folder / "grids")
    survey = found.scene.survey
    products.write_stations(found.inputs.survey, survey, folder / "survey.parquet")
    depths: tuple[DepthSummary, ...] = ()
    if found.depths is not None:
        depths = products.write_depths(found.depths, folder / "depth", crs)
    if found.targets is not None:
        products.write_targets(found.targets, folder, crs)
    request.progress("write", 1.0)
    return written, depths


def _draw_maps(
    found: Analysis, request: Request, folder: Path, comparison: Comparison | None
) -> tuple[tuple[MapSpec, Picture], ...]:
    if not request.config.runs(Stage.MAPS):
        found.log.add(
            StageRecord(stage=Stage.MAPS, outcome=Outcome.SKIPPED, reason="left out on request")
        )
        return ()
    request.progress("maps", 0.0)
    specs = plan_maps(
        found.transforms.grids if found.transforms else {"tmi": found.grid},
        found.scene.survey,
        MapSymbols(
            depths=found.depths,
            anomalies=found.targets.anomalies if found.targets else (),
            targets=found.targets.drill if found.targets else (),
            extra=comparison.overlays if comparison else (),
        ),
        MapText(
            subtitle=_title(found, request),
            footer=_footer(found, request),
            convergence_deg=found.scene.field.convergence_deg,
            graticule=found.inputs.survey.crs is not None,
        ),
    )
    pictures = map_threads(render_map, specs)
    (folder / "maps").mkdir()
    for spec, picture in zip(specs, pictures, strict=True):
        picture.write_png(folder / "maps" / f"{spec.name}.png")
    found.log.add(
        StageRecord(stage=Stage.MAPS, outcome=Outcome.DONE, parameters={"maps": len(specs)})
    )
    request.progress("maps", 1.0)
    return tuple(zip(specs, pictures, strict=True))


def _findings(found: Analysis, result: SurveyResult) -> Findings:
    return Findings(
        inputs=found.inputs,
        info=result.survey_info,
        quality=found.scene.quality,
        records=found.log.records,
        warnings=found.log.warnings,
        levelling=found.conditioned.levelling,
        conditioned=found.scene.survey,
        transforms=found.transforms,
        depths=found.depths,
        targets=found.targets,
        provenance=result.provenance,
        convergence_deg=found.scene.field.convergence_deg,
    )


def _footer(found: Analysis, request: Request) -> str:
    digest = found.inputs.files[0].sha256[:12]
    return f"QuetzalCore {quetzalcore.__version__}, {request.source.name} (SHA-256 {digest}...)"


def _title(found: Analysis, request: Request) -> str:
    stem = request.source.name.split(".")[0]
    return found.config.report.title or f"Magnetic survey {stem}"
