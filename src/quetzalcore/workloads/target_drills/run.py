"""Drill targets of a field, ranked as ``mag_survey`` ranks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quetzalcore.vgpu import limit_workers
from quetzalcore.workloads.interpretation.field import prepare_field
from quetzalcore.workloads.interpretation.targets import interpret
from quetzalcore.workloads.json_document import to_json
from quetzalcore.workloads.mag_survey import document, products
from quetzalcore.workloads.mag_survey.config import TargetConfig
from quetzalcore.workloads.target_drills.kind import TargetDrillsParams
from quetzalcore.workloads.task import TaskContext

__all__ = ["run"]


def run(task: TaskContext) -> Mapping[str, Any]:
    """Rank targets; they are the result, and artifacts as CSV and (with a CRS) GeoJSON."""
    params = TargetDrillsParams.model_validate(task.params)
    config = TargetConfig(
        top_n=params.top_n,
        min_anomaly_nt=params.min_anomaly_nt,
        commodity=params.commodity,
        geology=params.geology,
    )
    with limit_workers(task.cores):
        task.progress("field", 0.0)
        field = prepare_field(params, task.inputs, today=task.now().date())
        found = interpret(
            field,
            params,
            config=config,
            priors_text=(task.settings or {}).get("priors_toml"),
            tell=task.progress,
        )
        task.progress("write", 0.9)
        products.write_targets(found, task.output, field.crs)
    result: dict[str, Any] = to_json(
        {
            "drill_targets": document.drill_targets(found),
            "num_anomalies": len(found.anomalies),
            "excluded": [{"id": e.anomaly_id, "reason": e.reason} for e in found.excluded],
            "crs": field.crs,
            "calibration": document.CALIBRATION,
            "assumptions": field.assumed,
        }
    )
    return result
