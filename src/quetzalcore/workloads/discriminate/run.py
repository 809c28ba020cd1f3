"""Source classes of a field's anomalies, or of sources as they were observed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quetzalcore.geophysics import deposits
from quetzalcore.vgpu import limit_workers
from quetzalcore.workloads.discriminate.kind import DiscriminateParams, Observation
from quetzalcore.workloads.interpretation.field import prepare_field
from quetzalcore.workloads.interpretation.targets import interpret
from quetzalcore.workloads.json_document import to_json
from quetzalcore.workloads.mag_survey import document
from quetzalcore.workloads.mag_survey.config import TargetConfig
from quetzalcore.workloads.task import TaskContext

__all__ = ["run"]

_NUMBERS = tuple(name for name in Observation.model_fields if name != "geometry")


def run(task: TaskContext) -> Mapping[str, Any]:
    """Give every source with its classes, most probable first, and what the probabilities are worth."""
    params = DiscriminateParams.model_validate(task.params)
    with limit_workers(task.cores):
        made = _of_observations(params, task) if params.observations else _of_field(params, task)
    result: dict[str, Any] = to_json(made)
    return result


def _of_field(params: DiscriminateParams, task: TaskContext) -> dict[str, Any]:
    task.progress("field", 0.0)
    field = prepare_field(params, task.inputs, today=task.now().date())
    config = TargetConfig(commodity=params.commodity, geology=params.geology)
    found = interpret(field, params, config=config, priors_text=_priors(task), tell=task.progress)
    return {**document.discrimination(found), "crs": field.crs, "assumptions": field.assumed}


def _of_observations(params: DiscriminateParams, task: TaskContext) -> dict[str, Any]:
    task.progress("discriminate", 0.0)
    petrophysics = deposits.load_priors(_priors(task))
    prior = petrophysics.with_prior(commodity=params.commodity, geology=params.geology)
    rows = deposits.discriminate_all(_evidence(params.observations), petrophysics, prior=prior)
    titles = {each.name: each.title for each in petrophysics.classes}
    everything = [
        {"id": number, "source_classes": document.class_rows(classes, titles)}
        for number, classes in enumerate(rows, start=1)
    ]
    return {
        "num_target_types": len({classes[0].name for classes in rows}),
        "all_targets": everything,
        "prior": dict(zip(prior.names, prior.probability, strict=True)),
        "calibration": document.CALIBRATION,
        "assumptions": (),
    }


def _evidence(observations: tuple[Observation, ...]) -> deposits.Evidence:
    columns = {name: [_number(getattr(each, name)) for each in observations] for name in _NUMBERS}
    return deposits.Evidence(**columns, geometry=[each.geometry for each in observations])  # type: ignore[arg-type]  # columns of numbers


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _priors(task: TaskContext) -> str | None:
    return (task.settings or {}).get("priors_toml")
