from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from quetzalcore.geophysics import depth, spectral

Derived = Callable[..., tuple[xr.DataArray, ...]]
FieldOf = Callable[..., Any]


def test_the_dipole_ten_kilometres_down_is_found_through_noise(
    with_derivatives: Derived, dipole: FieldOf, rng: np.random.Generator
) -> None:
    """SCIENCE.md: xy within 1 %, depth within 5 %, base within 1 %, index 3."""
    field = dipole(
        place_m=(10e3, 15e3, -10e3), moment_a_m2=1e14, direction_deg=(-40.0, 15.0), base_nt=200.0
    )
    axis = np.arange(-30e3, 50e3, 500.0)
    tmi = with_derivatives(field, axis, axis + 5e3)[0]
    tmi += 20.0 * rng.standard_normal(tmi.shape)
    made = spectral.transform(spectral.prepare(tmi), ["dx", "dy", "dz"])
    grids = (tmi, made["dx"], made["dy"], made["dz"])
    options: dict[str, Any] = {"window_cells": 31, "centres": depth.EulerCentres.ALL}
    chosen = depth.euler(*grids, **options).structural_index
    assert (chosen == 3.0).mean() > 0.5
    best = depth.cluster(depth.euler(*grids, structural_index=3, **options), radius_m=4e3)
    assert best.easting_m[0] == pytest.approx(10e3, rel=0.01)
    assert best.northing_m[0] == pytest.approx(15e3, rel=0.01)
    assert best.depth_m[0] == pytest.approx(10e3, rel=0.05)
    assert best.base_level_nt[0] == pytest.approx(200.0, rel=0.01)
