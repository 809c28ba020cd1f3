"""The tools of the unit tests of workloads, for whole surveys."""

from __future__ import annotations

from tests.unit.workloads.conftest import run, small_survey

__all__ = ["run", "small_survey"]
