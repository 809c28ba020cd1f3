"""From input files to findings, with nothing written: the stages in their order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import xarray as xr

from quetzalcore.errors import BadSurvey
from quetzalcore.formats import require_griddable
from quetzalcore.geophysics import quality as quality_control
from quetzalcore.geophysics.quality import LineKind, LineSummary, QualityReport
from quetzalcore.geophysics.survey import Survey
from quetzalcore.workloads.mag_survey.conditioning import Conditioned, condition
from quetzalcore.workloads.mag_survey.config import Stage, SurveyConfig
from quetzalcore.workloads.mag_survey.depths import DepthSet, find_depths
from quetzalcore.workloads.mag_survey.gradients import grid_points
from quetzalcore.workloads.mag_survey.grids import TransformSet, lines_to_grid, transform_grid
from quetzalcore.workloads.mag_survey.reading import Inputs, read_inputs
from quetzalcore.workloads.mag_survey.record import Outcome, StageLog, StageRecord
from quetzalcore.workloads.mag_survey.scene import Scene
from quetzalcore.workloads.mag_survey.surroundings import (
    find_ground,
    find_main_field,
    survey_date,
)
from quetzalcore.workloads.mag_survey.target_finding import TargetSet, find_targets
from quetzalcore.workloads.progress import Progress

__all__ = ["Analysis", "CustomStep", "Request", "analyse"]


class CustomStep(Protocol):
    """A step that is not ours; what it does not change it gives back as it is, with no record."""

    def on_survey(self, survey: Survey) -> tuple[Survey, StageRecord | None]:
        """Change the conditioned readings."""
        ...

    def on_grid(self, grid: xr.DataArray) -> tuple[xr.DataArray, StageRecord | None]:
        """Change the grid of the anomaly."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be done, with everything that the outside world adds.

    Parameters
    ----------
    source : Path
        The survey file.
    config : SurveyConfig
    now : datetime
        The moment of the run; its date stands in where the survey has none.
    clock : callable
        Seconds, monotonic.
    progress : Progress
    expected_digests : mapping of str to str
        Role to SHA-256 that the inputs must have, for a repeated run.
    priors_file : Path, optional
        Petrophysical priors (TOML) instead of the package's.
    custom : CustomStep, optional
        A client's own step, after conditioning or after gridding.
    shown : callable
        How an input's path is named in the result.
    """

    source: Path
    config: SurveyConfig
    now: dt.datetime
    clock: Callable[[], float]
    progress: Progress
    expected_digests: Mapping[str, str]
    priors_file: Path | None = None
    custom: CustomStep | None = None
    shown: Callable[[Path], str] = str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Analysis:
    """Everything that was found."""

    inputs: Inputs
    scene: Scene
    conditioned: Conditioned
    grid: xr.DataArray
    transforms: TransformSet | None
    depths: DepthSet | None
    targets: TargetSet | None
    log: StageLog
    config: SurveyConfig


def analyse(request: Request) -> Analysis:
    """Run every wanted stage.

    Raises
    ------
    UserMistake
        With what, where and what to do.
    """
    log = StageLog(request.clock)
    config, tell = request.config, request.progress
    inputs, lines, quality = _read_and_check(request, log)
    conditioned = condition(
        inputs, lines, config, log=log, progress=lambda stage: tell("condition", 0.5, stage)
    )
    tell("condition", 1.0)
    conditioned = _customised(conditioned, request, log)
    survey = conditioned.survey
    assumed = config.field.date or request.now.date()
    date = survey_date(survey, config.input.date)
    scene = Scene(
        survey=survey,
        lines=lines,
        quality=quality,
        field=find_main_field(survey, config.field, date=date, assumed=assumed),
        ground=find_ground(survey, inputs.dem, geoid_height_m=config.input.geoid_height_m or 0.0),
    )
    log.caution(*scene.field.warnings)
    grid = _grid(scene, request, log)
    transforms = _transforms(scene, grid, request, log)
    depths = None if transforms is None else _depths(scene, transforms, request, log)
    return Analysis(
        inputs=inputs,
        scene=scene,
        conditioned=conditioned,
        grid=grid,
        transforms=transforms,
        depths=depths,
        targets=None if transforms is None else _targets(scene, transforms, depths, request, log),
        log=log,
        config=_with_assumed_date(config, None if date is not None else assumed),
    )


def _read_and_check(
    request: Request, log: StageLog
) -> tuple[Inputs, tuple[LineSummary, ...], QualityReport]:
    request.progress("read", 0.0, request.source.name)
    inputs = read_inputs(
        request.source,
        request.config.input,
        expected_digests=request.expected_digests,
        priors_file=request.priors_file,
    )
    log.add(
        StageRecord(
            stage="read",
            outcome=Outcome.DONE,
            parameters={
                "format": inputs.file_format,
                "stations": len(inputs.survey),
                "rejected_rows": inputs.rejected.count,
                "reading": inputs.tmi_column,
                "state_by_name": str(inputs.tmi_state),
            },
            warnings=(*_rejected(inputs), *inputs.warnings),
        )
    )
    request.progress("read", 1.0)
    request.progress("check", 0.0)
    lines = quality_control.classify_lines(inputs.survey)
    _require_lines(lines)
    require_griddable(inputs.survey)
    quality = quality_control.assess(inputs.survey, lines)
    log.add(
        StageRecord(
            stage="quality",
            outcome=Outcome.DONE,
            parameters={
                "traverses": _count(lines, LineKind.TRAVERSE),
                "ties": _count(lines, LineKind.TIE),
                "other_lines": _count(lines, LineKind.OTHER),
                "spikes": len(quality.spikes),
                "duplicates": len(quality.duplicates),
                "gaps": len(quality.gaps),
                "culture": len(quality.culture),
            },
            warnings=quality.warnings,
        )
    )
    request.progress("check", 1.0)
    return inputs, lines, quality


def _rejected(inputs: Inputs) -> tuple[str, ...]:
    count = inputs.rejected.count
    if not count:
        return ()
    rows = "row was" if count == 1 else "rows were"
    return (f"{count:,} {rows} not usable and left out; the report lists them",)


def _require_lines(lines: tuple[LineSummary, ...]) -> None:
    if len(lines) == 1:
        raise BadSurvey(
            f"the survey has one line only ({lines[0].name}): there is nothing to grid between",
            hint="give at least two lines, or name the line column with --column line=NAME",
        )
    if not any(line.length_m > 0.0 for line in lines):
        raise BadSurvey(
            f"{len(lines)} lines hold one station each",
            hint="name the line column with --column line=NAME",
        )


def _count(lines: tuple[LineSummary, ...], kind: LineKind) -> int:
    return sum(line.kind is kind for line in lines)


def _with_assumed_date(config: SurveyConfig, assumed: dt.date | None) -> SurveyConfig:
    """Fix what was assumed, so that a repeated run assumes the same."""
    if assumed is None:
        return config
    return config.model_copy(update={"field": config.field.model_copy(update={"date": assumed})})


def _customised(conditioned: Conditioned, request: Request, log: StageLog) -> Conditioned:
    if request.custom is None:
        return conditioned
    survey, record = request.custom.on_survey(conditioned.survey)
    if record is not None:
        log.add(record)
    return replace(conditioned, survey=survey)


def _grid(scene: Scene, request: Request, log: StageLog) -> xr.DataArray:
    config = request.config
    request.progress("grid", 0.0, config.grid.method)
    points, gradients = grid_points(scene, config)
    log.add(gradients)
    grid, record = lines_to_grid(scene, points, config.grid)
    log.add(record)
    request.progress("grid", 1.0, f"{grid.shape[0]} x {grid.shape[1]}")
    if request.custom is None:
        return grid
    grid, custom = request.custom.on_grid(grid)
    if custom is not None:
        log.add(custom)
    return grid


def _transforms(
    scene: Scene, grid: xr.DataArray, request: Request, log: StageLog
) -> TransformSet | None:
    if not _wanted(Stage.TRANSFORMS, request, log):
        for stage in (Stage.DEPTH, Stage.TARGETS):
            reason = "it needs the transforms"
            log.add(StageRecord(stage=stage, outcome=Outcome.SKIPPED, reason=reason))
        return None
    request.progress("transform", 0.0)
    transforms, record = transform_grid(grid, scene.field, request.config.transforms)
    log.add(record)
    request.progress("transform", 1.0, f"{len(transforms.grids)} grids")
    return transforms


def _depths(
    scene: Scene, transforms: TransformSet, request: Request, log: StageLog
) -> DepthSet | None:
    if not _wanted(Stage.DEPTH, request, log):
        return None
    request.progress("depth", 0.0)
    depths, record = find_depths(transforms, scene.ground, request.config.depth)
    log.add(record)
    request.progress("depth", 1.0)
    return depths


def _targets(
    scene: Scene,
    transforms: TransformSet,
    depths: DepthSet | None,
    request: Request,
    log: StageLog,
) -> TargetSet | None:
    if not _wanted(Stage.TARGETS, request, log):
        return None
    request.progress("targets", 0.0)
    priors = request.priors_file
    found, record = find_targets(
        scene,
        transforms,
        depths,
        config=request.config.targets,
        priors_text=None if priors is None else priors.read_text(encoding="utf-8"),
    )
    log.add(record)
    request.progress("targets", 1.0, f"{len(found.drill)} targets")
    return found


def _wanted(stage: Stage, request: Request, log: StageLog) -> bool:
    if request.config.runs(stage):
        return True
    log.add(StageRecord(stage=stage, outcome=Outcome.SKIPPED, reason="left out on request"))
    return False
