"""A simulated survey as files, with its truth beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quetzalcore.formats import write_points_csv, write_survey_csv
from quetzalcore.geophysics import simulation
from quetzalcore.geophysics.simulation import SimulatedSurvey, default_plan
from quetzalcore.workloads.json_document import to_json

__all__ = ["SimulatedFiles", "simulate_default", "write_files"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFiles:
    """Where a simulated survey lies."""

    survey: Path
    base_station: Path
    bodies: Path


def simulate_default(seed: int) -> SimulatedSurvey:
    """Simulate the default plan; the same seed gives the same survey."""
    return simulation.simulate(default_plan(), np.random.default_rng(seed))


def write_files(simulated: SimulatedSurvey, survey: Path) -> SimulatedFiles:
    """Write the survey to ``survey``, and base station and true bodies beside it."""
    stem = survey.name.split(".")[0]
    files = SimulatedFiles(
        survey=survey,
        base_station=survey.with_name(f"{stem}-base.csv"),
        bodies=survey.with_name(f"{stem}-bodies.json"),
    )
    survey.parent.mkdir(parents=True, exist_ok=True)
    write_survey_csv(simulated.survey, files.survey)
    write_points_csv(
        {
            "time_s": np.asarray(simulated.base.time_s),
            "base_tmi_nt": np.round(np.asarray(simulated.base.tmi_nt), 3),
        },
        files.base_station,
    )
    files.bodies.write_text(
        json.dumps(to_json(simulated.bodies), indent=1) + "\n", encoding="utf-8"
    )
    return files
