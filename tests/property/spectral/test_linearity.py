from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from quetzalcore.geophysics import spectral
from quetzalcore.geophysics.grid import make_grid

_LINEAR = (
    "rtp",
    "rte",
    "pseudogravity",
    "dx",
    "dy",
    "dz",
    "upward",
    "residual",
    "vertical_integral",
)
_FIELD = spectral.FieldDirection(inclination_deg=-53.0, declination_deg=6.0)
seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(6, 20), st.integers(6, 20))
factors = st.floats(-100.0, 100.0)


def _grid(seed: int, shape: tuple[int, int]) -> xr.DataArray:
    rows, columns = (25.0 * np.arange(float(n)) for n in shape)
    values = np.random.default_rng(seed).standard_normal(shape)
    return make_grid(values, columns, rows, name="tmi", unit="nT")


def _products(grid: xr.DataArray) -> dict[str, xr.DataArray]:
    return spectral.transform(spectral.prepare(grid), _LINEAR, field=_FIELD, height_m=40.0)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, shape=sizes, a=factors, b=factors)
def test_linear_transforms_are_linear(
    seed: int, shape: tuple[int, int], a: float, b: float
) -> None:
    one, two = _grid(seed, shape), _grid(seed + 1, shape)
    both = _products(a * one + b * two)
    first, second = _products(one), _products(two)
    for name in _LINEAR:
        expected = a * first[name] + b * second[name]
        scale = float(np.abs(first[name]).max() + np.abs(second[name]).max()) * (abs(a) + abs(b))
        np.testing.assert_allclose(both[name], expected, atol=1e-10 * scale + 1e-12, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, shape=sizes, low=st.floats(0.0, 200.0), high=st.floats(0.0, 200.0))
def test_continuation_in_two_steps_is_continuation_in_one(
    seed: int, shape: tuple[int, int], low: float, high: float
) -> None:
    grid = _grid(seed, shape)

    def up(values: xr.DataArray, height_m: float) -> xr.DataArray:
        ready = spectral.prepare(values, pad_fraction=0.0, detrend=False)
        return spectral.upward_continue(ready, height_m)

    np.testing.assert_allclose(up(up(grid, low), high), up(grid, low + high), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, shape=sizes)
def test_the_continued_field_is_harmonic(seed: int, shape: tuple[int, int]) -> None:
    """Laplace: the upward second derivative is minus the horizontal ones.

    Exact on odd sizes: odd operators leave out the Nyquist wavenumber of even ones.
    """
    odd = (shape[0] | 1, shape[1] | 1)
    smooth = spectral.upward_continue(
        spectral.prepare(_grid(seed, odd), pad_fraction=0.0, detrend=False), 50.0
    )

    def of(values: xr.DataArray) -> spectral.PreparedGrid:
        return spectral.prepare(values, pad_fraction=0.0, detrend=False)

    second = spectral.derivative_upward(of(spectral.derivative_upward(of(smooth))))
    across = spectral.derivative_easting(of(spectral.derivative_easting(of(smooth))))
    along = spectral.derivative_northing(of(spectral.derivative_northing(of(smooth))))
    scale = float(np.abs(second).max())
    np.testing.assert_allclose(second + across + along, 0.0, atol=1e-9 * scale)


@settings(max_examples=25, deadline=None)
@given(
    seed=seeds,
    shape=sizes,
    inclination_deg=st.floats(20.0, 90.0),
    declination_deg=st.floats(-180.0, 180.0),
)
def test_reduction_keeps_energy_or_adds_to_it(
    seed: int, shape: tuple[int, int], inclination_deg: float, declination_deg: float
) -> None:
    ready = spectral.prepare(_grid(seed, shape), pad_fraction=0.0, detrend=False)
    reduced = spectral.reduce_to_pole(ready, inclination_deg, declination_deg).to_numpy()
    before = ready.grid.to_numpy() - ready.grid.to_numpy().mean()
    assert (reduced**2).sum() >= (before**2).sum() * (1.0 - 1e-9)
    assert reduced.mean() == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, shape=sizes, share=st.floats(0.0, 0.9))
def test_holes_stay_holes_and_nothing_else_becomes_one(
    seed: int, shape: tuple[int, int], share: float
) -> None:
    grid = _grid(seed, shape)
    hole = np.random.default_rng(seed).random(shape) < share
    hole.flat[:4] = False
    grid.to_numpy()[hole] = np.nan
    for name, product in _products(grid).items():
        np.testing.assert_array_equal(np.isnan(product), hole, err_msg=name)
