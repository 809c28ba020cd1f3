"""A kind's function called as a guest calls it, in this process and an empty folder."""

from __future__ import annotations

import datetime as dt
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quetzalcore.workloads.catalog import OURS
from quetzalcore.workloads.parameters import canonical_params
from quetzalcore.workloads.task import TaskContext

NOW = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)


@dataclass(kw_only=True)
class Ran:
    """What became of a call."""

    result: dict[str, Any]
    output: Path
    stages: list[tuple[str, float]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def artifacts(self) -> set[str]:
        """Name every file that was left."""
        files = (path for path in self.output.rglob("*") if path.is_file())
        return {path.relative_to(self.output).as_posix() for path in files}


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Check parameters, send them through JSON as a job does, call the function, and send its result."""

    def call(
        kind: str,
        params: Mapping[str, Any],
        *,
        inputs: Sequence[Path] = (),
        settings: Mapping[str, Any] | None = None,
        stage: str = "",
    ) -> Ran:
        found = OURS[kind]
        canonical = json.loads(json.dumps(canonical_params(found, params)))
        module, _, name = found.run.partition(":")
        output = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
        output.mkdir()
        ran = Ran(result={}, output=output)
        task = TaskContext(
            params=canonical,
            inputs={path.name: path for path in inputs},
            output=output,
            progress=lambda *told: ran.stages.append(told[:2]),
            log=ran.lines.append,
            cores=2,
            memory_mib=2048,
            stage=stage,
            settings=settings,
            now=lambda: NOW,
        )
        result = getattr(importlib.import_module(module), name)(task)
        ran.result = json.loads(json.dumps(result, allow_nan=False))
        return ran

    return call


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallSurvey:
    """Twelve lines of sixty stations over one body, as columns."""

    columns: dict[str, np.ndarray]

    def csv(self, path: Path) -> Path:
        """Write it as CSV."""
        rows = zip(*self.columns.values(), strict=True)
        path.write_text(
            ",".join(self.columns)
            + "\n"
            + "\n".join(",".join(map(repr, map(float, row))) for row in rows)
        )
        return path


@pytest.fixture(scope="session")
def small_survey() -> SmallSurvey:
    """Make an anomaly survey in zone 54 S."""
    lines, stations = 12, 60
    line = np.repeat(np.arange(lines), stations)
    east = 100.0 * line
    north = np.tile(20.0 * np.arange(stations), lines)
    r2 = (east - 520.0) ** 2 + (north - 610.0) ** 2 + 150.0**2
    tmi = 4e8 * (2 * 150.0**2 - (east - 520.0) ** 2 - (north - 610.0) ** 2) / r2**2.5
    noise = 0.05 * np.random.default_rng(3).normal(size=east.size)
    return SmallSurvey(
        columns={
            "line": line,
            "easting": np.round(470_000 + east, 2),
            "northing": np.round(7_560_000 + north, 2),
            "tmi_anomaly_nt": np.round(tmi + noise, 4),
        }
    )
