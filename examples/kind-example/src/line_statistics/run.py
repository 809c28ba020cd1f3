"""The work itself; imported only inside a VM, so that it may import whatever it needs."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any

import numpy as np

from quetzalcore.formats import ReadOptions, read_survey
from quetzalcore.workloads.task import TaskContext


def run(task: TaskContext) -> Mapping[str, Any]:
    """Write ``lines.csv`` and give the percentile over all lines.

    Wrong input raises ``quetzalcore.errors.UserMistake`` (the readers do): its owner sees the sentence.
    """
    path = next(iter(task.inputs.values()))
    task.progress("read", 0.0, path.name)
    options = ReadOptions(crs=task.params["crs"], columns=task.params["columns"])
    survey = read_survey(path, options).survey
    rows = []
    slices = survey.line_slices()
    for number, (line, stations) in enumerate(slices, start=1):
        readings = survey.tmi_nt[stations]
        spread_nt = float(np.nanpercentile(readings, 75) - np.nanpercentile(readings, 25))
        rows.append((survey.line_names[line], len(readings), spread_nt))
        task.progress("lines", number / len(slices))
    with (task.output / "lines.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("line", "stations", "spread_nt"), *rows])
    task.log(f"{len(rows)} lines")
    spreads = [spread for _, _, spread in rows]
    return {
        "lines": len(rows),
        "spread_nt": float(np.percentile(spreads, task.params["percentile"])),
        "artifact": "lines.csv",
    }
