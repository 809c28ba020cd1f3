"""What a conditioning step did: the new readings, and the change in nT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from quetzalcore.geophysics.survey import Floats, Survey

__all__ = ["Change", "Details", "StepResult", "change_between", "measure"]

Details = Mapping[str, float | str | int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepResult:
    """Readings after one step, and what the step changed.

    Parameters
    ----------
    name : str
        The step.
    tmi_nt : (n,) float64
        Readings after it, nT; NaN means no reading.
    rows_changed : int
        Rows whose reading differs from before, rows that lost their reading included.
    rms_change_nt, max_change_nt : float
        Root mean square over all rows with a reading before and after, and largest size, nT.
    details : mapping of str to float, str or int
        What was estimated or assumed.
    warnings : tuple of str
        What to distrust, one sentence each.
    """

    name: str
    tmi_nt: Floats
    rows_changed: int
    rms_change_nt: float
    max_change_nt: float
    details: Details = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How much two columns of readings differ."""

    rows: int
    rms_nt: float
    max_nt: float


def change_between(before_nt: Floats, after_nt: Floats) -> Change:
    """Compare readings, (n,) each, nT; a row that is NaN in both did not change."""
    difference = after_nt - before_nt
    known = np.isfinite(difference)
    lost = np.isnan(before_nt) != np.isnan(after_nt)
    moved = difference[known]
    return Change(
        rows=int((moved != 0.0).sum() + lost.sum()),
        rms_nt=float(np.sqrt(np.mean(moved * moved))) if len(moved) else 0.0,
        max_nt=float(np.abs(moved).max(initial=0.0)),
    )


def measure(
    name: str,
    survey: Survey,
    *,
    tmi_nt: Floats,
    details: Details | None = None,
    warnings: tuple[str, ...] = (),
) -> StepResult:
    """Compare the readings after a step with the survey's and report the step."""
    change = change_between(survey.tmi_nt, tmi_nt)
    return StepResult(
        name=name,
        tmi_nt=tmi_nt,
        rows_changed=change.rows,
        rms_change_nt=change.rms_nt,
        max_change_nt=change.max_nt,
        details=MappingProxyType(dict(details or {})),
        warnings=warnings,
    )
