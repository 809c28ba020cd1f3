from __future__ import annotations

import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from quetzalcore.geophysics import depth, spectral
from quetzalcore.geophysics.grid import make_grid

seeds = st.integers(0, 2**32 - 1)
Grids = tuple[xr.DataArray, xr.DataArray, xr.DataArray, xr.DataArray]


def _grids(seed: int, *, cell_m: float = 50.0) -> Grids:
    axis = cell_m * np.arange(14.0)
    values = np.random.default_rng(seed).standard_normal((14, 14))
    tmi = make_grid(values, axis, axis, name="tmi", unit="nT")
    ready = spectral.prepare(tmi)
    smooth = spectral.prepare(spectral.upward_continue(ready, 2.0 * cell_m))
    made = spectral.transform(smooth, ["dx", "dy", "dz"])
    return smooth.grid, made["dx"], made["dy"], made["dz"]


def _solve(grids: Grids, index: float) -> depth.EulerSolutions:
    return depth.euler(
        *grids,
        structural_index=index,
        window_cells=7,
        centres=depth.EulerCentres.ALL,
        tolerance=None,
    )


@settings(max_examples=20, deadline=None)
@given(seed=seeds, index=st.floats(0.0, 3.0), factor=st.floats(0.01, 1e4))
def test_a_stronger_field_has_the_same_sources(seed: int, index: float, factor: float) -> None:
    grids = _grids(seed)
    de, dn, du = (factor * g for g in grids[1:])
    a, b = _solve(grids, index), _solve((factor * grids[0], de, dn, du), index)
    np.testing.assert_allclose(b.depth_m, a.depth_m, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(b.uncertainty_m, a.uncertainty_m, rtol=1e-6, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, index=st.floats(0.5, 3.0), base_nt=st.floats(-1e3, 1e3))
def test_a_base_level_is_found_and_moves_nothing(seed: int, index: float, base_nt: float) -> None:
    grids = _grids(seed)
    a, b = _solve(grids, index), _solve((grids[0] + base_nt, *grids[1:]), index)
    np.testing.assert_allclose(b.depth_m, a.depth_m, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(b.base_level_nt - base_nt, a.base_level_nt, rtol=1e-5, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, easting_m=st.floats(-1e6, 1e6), northing_m=st.floats(-1e7, 1e7))
def test_a_survey_elsewhere_has_its_sources_elsewhere(
    seed: int, easting_m: float, northing_m: float
) -> None:
    grids = _grids(seed)
    moved = tuple(
        g.assign_coords(easting=g["easting"] + easting_m, northing=g["northing"] + northing_m)
        for g in grids
    )
    a, b = _solve(grids, 2.0), _solve((moved[0], moved[1], moved[2], moved[3]), 2.0)
    np.testing.assert_allclose(b.easting_m - easting_m, a.easting_m, atol=1e-6)
    np.testing.assert_allclose(b.northing_m - northing_m, a.northing_m, atol=1e-6)
    np.testing.assert_array_equal(b.depth_m, a.depth_m)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, stretch=st.floats(0.1, 10.0))
def test_depths_scale_with_the_map(seed: int, stretch: float) -> None:
    a = _solve(_grids(seed), 1.0)
    b = _solve(_grids(seed, cell_m=50.0 * stretch), 1.0)
    np.testing.assert_allclose(b.depth_m, stretch * a.depth_m, rtol=1e-5, atol=1e-5)
