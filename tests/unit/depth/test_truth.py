from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from quetzalcore.geophysics import depth, spectral

Derived = Callable[..., tuple[xr.DataArray, ...]]
FieldOf = Callable[..., Any]


def _noisy(
    with_derivatives: Derived, dipole: FieldOf, rng: np.random.Generator, cell_m: float
) -> xr.DataArray:
    """Give the field of SCIENCE.md's dipole with 20 nT of white noise."""
    field = dipole(
        place_m=(10e3, 15e3, -10e3), moment_a_m2=1e14, direction_deg=(-40.0, 15.0), base_nt=200.0
    )
    axis = np.arange(-30e3, 50e3, cell_m)
    tmi = with_derivatives(field, axis, axis + 5e3)[0]
    return tmi + 20.0 * rng.standard_normal(tmi.shape)


def _is_the_dipole(best: depth.SourceClusters) -> None:
    assert best.easting_m[0] == pytest.approx(10e3, rel=0.01)
    assert best.northing_m[0] == pytest.approx(15e3, rel=0.01)
    assert best.depth_m[0] == pytest.approx(10e3, rel=0.05)
    assert best.base_level_nt[0] == pytest.approx(200.0, rel=0.01)


def test_the_dipole_ten_kilometres_down_is_found_through_noise(
    with_derivatives: Derived, dipole: FieldOf, rng: np.random.Generator
) -> None:
    """SCIENCE.md: xy within 1 %, depth within 5 %, base within 1 %, index 3."""
    tmi = _noisy(with_derivatives, dipole, rng, 500.0)
    made = spectral.transform(spectral.prepare(tmi), ["dx", "dy", "dz"])
    grids = (tmi, made["dx"], made["dy"], made["dz"])
    options: dict[str, Any] = {"window_cells": 31, "centres": depth.EulerCentres.ALL}
    chosen = depth.euler(*grids, **options).structural_index
    assert (chosen == 3.0).mean() > 0.5
    _is_the_dipole(depth.cluster(depth.euler(*grids, structural_index=3, **options), radius_m=4e3))


@pytest.mark.parametrize("cell_m", [200.0, 500.0])
@pytest.mark.parametrize("window_m", [10e3, 15e3, 20e3])
def test_continued_by_a_tenth_of_its_depth_the_dipole_is_found_at_any_cell_and_window(
    with_derivatives: Derived,
    dipole: FieldOf,
    rng: np.random.Generator,
    cell_m: float,
    window_m: float,
) -> None:
    """SCIENCE.md's dipole again, where white noise in fine cells' derivatives would spoil it."""
    up_m = 1e3
    prepared = spectral.prepare(_noisy(with_derivatives, dipole, rng, cell_m))
    tmi = spectral.upward_continue(prepared, up_m)
    made = spectral.transform(spectral.prepare(tmi), ["dx", "dy", "dz"])
    found = depth.euler(
        tmi, made["dx"], made["dy"], made["dz"], window_cells=int(window_m / cell_m) // 2 * 2 + 1,
        centres=depth.EulerCentres.ALL, continued_m=up_m,
    )  # fmt: skip
    assert (found.structural_index == 3.0).mean() > 0.5
    dipoles = found.select(found.structural_index == 3.0)
    _is_the_dipole(depth.cluster(dipoles, radius_m=0.5 * window_m))
