"""The main job inside a VM: files by role, progress to the watchers, products as artifacts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from quetzalcore.errors import BadOutput, BadParameter, Where
from quetzalcore.vgpu import limit_workers
from quetzalcore.workloads.json_columns import as_table
from quetzalcore.workloads.known_bodies import read_known_bodies
from quetzalcore.workloads.mag_survey.analysis import CustomStep, Request
from quetzalcore.workloads.mag_survey.comparison import Comparison, compare_with_truth
from quetzalcore.workloads.mag_survey.config import SurveyConfig
from quetzalcore.workloads.mag_survey.custom import ModuleStep
from quetzalcore.workloads.mag_survey.kind import MagSurveyParams
from quetzalcore.workloads.mag_survey.pipeline import run_survey
from quetzalcore.workloads.mag_survey.target_finding import TargetSet
from quetzalcore.workloads.task import TaskContext

__all__ = ["run"]

_ROLES = ("base_station", "calibration", "dem")
_DEFINITION = ".dfn"  # ASEG-GDF2's, which stands beside the table


def run(task: TaskContext) -> Mapping[str, Any]:
    """Run the survey; the products of ``quetzal survey run`` are the artifacts, its document the result."""
    params = MagSurveyParams.model_validate(task.params)
    files = _files_by_role(params, task.inputs)
    if task.stage:
        task.log(
            f"run again from stage {task.stage}: the stages before it are computed again from the "
            "same inputs, which gives the same numbers"
        )
    with ExitStack() as stack:
        stack.enter_context(limit_workers(task.cores))
        source = stack.enter_context(as_table(files["survey"]))
        request = Request(
            source=source,
            config=_config(params, files, cores=task.cores),
            now=task.now(),
            clock=time.perf_counter,
            progress=task.progress,
            expected_digests={},
            priors_file=stack.enter_context(_priors(task.settings)),
            custom=_custom(params, task),
            shown=lambda path: path.name,
        )
        with _room():
            return run_survey(request, task.output, compare=_comparer(files)).document


def _files_by_role(params: MagSurveyParams, inputs: Mapping[str, Path]) -> dict[str, Path]:
    """Find each role's file; the survey is what is left over where it is not named."""
    named = params.inputs.model_dump(exclude_none=True)
    if params.custom_step is not None:
        named["custom_step"] = params.custom_step.module.file
    for role, name in named.items():
        if name not in inputs:
            raise BadParameter(
                f"there is no input file {name!r}",
                hint=f"use one of the uploaded names: {', '.join(sorted(inputs))}",
                where=Where(field=f"inputs.{role}"),
            )
    if "survey" not in named:
        named["survey"] = _left_over(set(inputs) - set(named.values()))
    return {role: inputs[name] for role, name in named.items()}


def _left_over(names: set[str]) -> str:
    tables = {name for name in names if not name.lower().endswith(_DEFINITION)}
    if len(tables) == 1:
        return tables.pop()
    said = ", ".join(sorted(names)) or "none is left"
    raise BadParameter(
        f"it is not clear which input file is the survey ({said})",
        hint="name it: inputs.survey, and the other files by their roles",
        where=Where(field="inputs.survey"),
    )


def _comparer(files: Mapping[str, Path]) -> Callable[[TargetSet], Comparison] | None:
    if "known_bodies" not in files:
        return None
    bodies = read_known_bodies(files["known_bodies"])
    return lambda found: compare_with_truth(bodies, found)


def _config(params: MagSurveyParams, files: Mapping[str, Path], *, cores: int) -> SurveyConfig:
    given = {name: getattr(params, name) for name in SurveyConfig.model_fields}
    paths = {role: files[role] for role in _ROLES if role in files}
    config = SurveyConfig(**given)
    return config.model_copy(
        update={
            "input": config.input.model_copy(update=paths),
            "threads": None if config.threads is None else min(config.threads, cores),
        }
    )


def _custom(params: MagSurveyParams, task: TaskContext) -> CustomStep | None:
    if params.custom_step is None:
        return None
    module = task.inputs[params.custom_step.module.file]
    return ModuleStep(params.custom_step, module)


@contextmanager
def _priors(settings: Mapping[str, Any] | None) -> Iterator[Path | None]:
    text = (settings or {}).get("priors_toml")
    if not text:
        yield None
        return
    with TemporaryDirectory(prefix="priors-") as folder:
        path = Path(folder) / "priors.toml"
        path.write_text(text, encoding="utf-8")
        yield path


@contextmanager
def _room() -> Iterator[None]:
    """Say in the platform's words that the products did not fit."""
    try:
        yield
    except BadOutput as error:
        raise BadOutput(
            "the products do not fit into the job's scratch space",
            hint="ask for more scratch_mib, or for larger cells (grid.cell_size_m)",
        ) from error
