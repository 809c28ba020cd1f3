"""A client's WebAssembly module as a stage of the survey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from quetzalcore.errors import BadParameter, BadSurvey, Where
from quetzalcore.geophysics.grid import spacing_m
from quetzalcore.geophysics.survey import Floats, Survey
from quetzalcore.workloads.mag_survey.kind import CustomStep
from quetzalcore.workloads.mag_survey.record import Outcome, StageRecord
from quetzalcore.workloads.wasm.change import change
from quetzalcore.workloads.wasm.machine import Machine, load_machine

__all__ = ["ModuleStep"]

_STAGE = "custom step"


class ModuleStep:
    """The module, loaded at once so that a wrong one is refused before the survey is worked on."""

    def __init__(self, params: CustomStep, module: Path) -> None:
        self._params, self._module = params, module
        self._machine: Machine = load_machine(module, params)

    def on_survey(self, survey: Survey) -> tuple[Survey, StageRecord | None]:
        """Run over the readings and the channels beside them; the first column is the new reading."""
        if self._params.at != "conditioned":
            return survey, None
        beside = [self._channel(survey, name) for name in self._params.channels]
        tmi = self._machine.over_columns([survey.tmi_nt, *beside])[0]
        self._check(tmi)
        return survey.with_tmi(tmi), self._record(survey.tmi_nt, tmi)

    def on_grid(self, grid: xr.DataArray) -> tuple[xr.DataArray, StageRecord | None]:
        """Run over the grid; what was no data stays no data."""
        if self._params.at != "gridded":
            return grid, None
        before = grid.to_numpy()
        after = self._machine.over_grid(before, spacing_m(grid)[0])
        self._check(after)
        after = np.where(np.isnan(before), np.nan, after)
        return grid.copy(data=after), self._record(before.ravel(), after.ravel())

    def _channel(self, survey: Survey, name: str) -> Floats:
        columns = survey.columns()
        found = columns.get(f"channel:{name}", columns.get(name))
        if found is None:
            known = ", ".join(each.removeprefix("channel:") for each in columns)
            raise BadParameter(
                f"the survey has no channel {name!r}",
                hint=f"use one of {known}",
                where=Where(field="custom_step.channels"),
            )
        return np.asarray(found, dtype=np.float64)

    def _check(self, values: Floats) -> None:
        if np.isinf(values).any() or not np.isfinite(values).any():
            raise BadSurvey(
                "the custom step left infinite numbers or none at all",
                hint="mend the module: NaN means no reading",
                where=Where(file=self._module.name),
            )

    def _record(self, before: Floats, after: Floats) -> StageRecord:
        told: dict[str, Any] = change("", before, after)
        lost = told["vanished"]
        return StageRecord(
            stage=_STAGE,
            outcome=Outcome.DONE,
            parameters={
                "module": self._module.name,
                "sha256": self._machine.source.sha256,
                "at": self._params.at,
                "parameters": list(self._params.parameters),
                "channels": list(self._params.channels),
                "fuel_used": self._machine.spent.fuel,
                "values_removed": lost,
            },
            rows_changed=told["changed"],
            rms_change_nt=told["rms_change"],
            max_change_nt=told["max_change"],
            warnings=(f"a client's own module ({self._module.name}) changed the data here",),
        )
