"""A small plan with a uniform main field, and everything switched off that a test does not ask for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from quetzalcore.geophysics.simulation import AcquisitionErrors, SimulationPlan, default_plan

Array = NDArray[np.float64]

QUIET = AcquisitionErrors(
    noise_nt=0.0,
    diurnal_nt=0.0,
    micropulsation_nt=0.0,
    heading_nt=0.0,
    level_nt=0.0,
    lag_s=0.0,
    spike_share=0.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UniformField:
    """A main field that is the same everywhere."""

    total_nt: Array
    inclination_deg: Array
    declination_deg: Array


def uniform_field(
    longitude_deg: Array, latitude_deg: Array, height_m: Array, year: float
) -> UniformField:
    """Return 50,000 nT, 60 degrees up, 5 degrees east, everywhere and always."""
    assert longitude_deg.shape == latitude_deg.shape == height_m.shape
    assert 2024 < year < 2025
    one = np.ones_like(longitude_deg)
    return UniformField(total_nt=50_000 * one, inclination_deg=-60 * one, declination_deg=5 * one)


@pytest.fixture
def full_plan() -> SimulationPlan:
    """Give the default plan in a uniform field, at a tenth of the stations."""
    plan = default_plan(main_field=uniform_field)
    return replace(plan, line_spacing_m=500.0, tie_spacing_m=2000.0, sample_rate_hz=2.0)


@pytest.fixture
def quiet_plan(full_plan: SimulationPlan) -> SimulationPlan:
    """Give the same without errors, geology, culture or base noise that matters."""
    return replace(full_plan, errors=QUIET, geology_nt=0.0, regional_nt=0.0, culture=0)
