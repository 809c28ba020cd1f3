"""Surveys with a known truth: bodies, an aircraft, a day, instruments, and what they recorded."""

from __future__ import annotations

from quetzalcore.geophysics.simulation.bodies import Body, MagneticField, box, pipe, sheet
from quetzalcore.geophysics.simulation.comparison import (
    BodyRow,
    Comparison,
    FoundTargets,
    compare,
)
from quetzalcore.geophysics.simulation.plan import (
    AcquisitionErrors,
    SimulationPlan,
    default_plan,
)
from quetzalcore.geophysics.simulation.survey import SimulatedSurvey, simulate
from quetzalcore.geophysics.simulation.truth import TrueBody

__all__ = [
    "AcquisitionErrors",
    "Body",
    "BodyRow",
    "Comparison",
    "FoundTargets",
    "MagneticField",
    "SimulatedSurvey",
    "SimulationPlan",
    "TrueBody",
    "box",
    "compare",
    "default_plan",
    "pipe",
    "sheet",
    "simulate",
]
