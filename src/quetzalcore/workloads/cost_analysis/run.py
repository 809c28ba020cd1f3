"""One cost analysis, as ``quetzal cost`` makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from quetzalcore.geophysics import economics
from quetzalcore.workloads.task import TaskContext

__all__ = ["run"]


def run(task: TaskContext) -> Mapping[str, Any]:
    """Estimate cost, detection, best spacing, blind drilling and, where asked, the value of knowing."""
    asked = {name: value for name, value in task.params.items() if name not in {"seed", "target"}}
    request = economics.CostRequest(
        **{**asked, "methods": tuple(asked["methods"])},
        target=economics.Target(
            **{**task.params["target"], "shape": economics.Shape(task.params["target"]["shape"])}
        ),
    )
    task.progress("estimate", 0.0)
    rates = economics.load_rates((task.settings or {}).get("rates_toml"))
    result = economics.estimate(request, rates, np.random.default_rng(task.params["seed"]))
    task.progress("estimate", 1.0)
    return economics.to_dict(result)
