from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics import spectral

pytestmark = pytest.mark.kernels

GridOf = Callable[..., xr.DataArray]  # what the fixtures give


def _misfit(found: xr.DataArray, expected: xr.DataArray) -> float:
    difference = np.abs(found.to_numpy() - expected.to_numpy()).max()
    return float(difference / np.abs(expected.to_numpy()).max())


@pytest.mark.parametrize("direction", [(65.0, 25.0), (-40.0, 15.0), (25.0, -70.0), (90.0, 0.0)])
def test_a_dipole_reduced_to_the_pole_is_the_vertical_dipole(
    dipole_field: GridOf, direction: tuple[float, float]
) -> None:
    prepared = spectral.prepare(dipole_field(field_deg=direction))
    reduced = spectral.reduce_to_pole(prepared, *direction)
    assert _misfit(reduced, dipole_field(field_deg=(90.0, 0.0))) < 0.01


def test_remanence_is_reduced_with_its_own_direction(dipole_field: GridOf) -> None:
    grid = dipole_field(field_deg=(65.0, 25.0), moment_deg=(-30.0, 100.0))
    reduced = spectral.reduce_to_pole(
        spectral.prepare(grid),
        65.0,
        25.0,
        magnetization_inclination_deg=-30.0,
        magnetization_declination_deg=100.0,
    )
    assert _misfit(reduced, dipole_field(field_deg=(90.0, 0.0))) < 0.02


def test_a_dipole_reduced_to_the_equator_is_the_horizontal_dipole(dipole_field: GridOf) -> None:
    prepared = spectral.prepare(dipole_field(field_deg=(65.0, 25.0)))
    reduced = spectral.reduce_to_equator(prepared, 65.0, 25.0)
    assert _misfit(reduced, dipole_field(field_deg=(0.0, 25.0))) < 0.01


def test_reduction_to_the_equator_takes_a_magnetization_of_its_own(dipole_field: GridOf) -> None:
    grid = dipole_field(field_deg=(65.0, 25.0), moment_deg=(50.0, 60.0))
    reduced = spectral.reduce_to_equator(
        spectral.prepare(grid), 65.0, 25.0, magnetization_inclination_deg=50.0,
        magnetization_declination_deg=60.0,
    )  # fmt: skip
    assert _misfit(reduced, dipole_field(field_deg=(0.0, 25.0))) < 0.02


def test_at_the_equator_reducing_to_the_equator_changes_nothing(dipole_field: GridOf) -> None:
    grid = dipole_field(field_deg=(0.0, 0.0))
    assert _misfit(spectral.reduce_to_equator(spectral.prepare(grid), 0.0, 0.0), grid) < 0.01


def test_pseudogravity_of_a_dipole_is_the_gravity_of_a_point_mass(dipole_field: GridOf) -> None:
    depth_m, density, magnetization, volume = 500.0, 300.0, 2.0, 1e8
    grid = dipole_field(
        field_deg=(65.0, 25.0), moment_a_m2=magnetization * volume, shape=(120, 120)
    )
    found = spectral.pseudogravity(
        spectral.prepare(grid, pad_fraction=0.5, detrend=False), 65.0, 25.0,
        density_kg_m3=density, magnetization_a_m=magnetization,
    )  # fmt: skip
    easting, northing = np.meshgrid(grid["easting"], grid["northing"])
    distance = np.sqrt(easting**2 + northing**2 + depth_m**2)
    expected = 6.6743e-11 * density * volume * depth_m / distance**3 * 1e5
    shape = found.to_numpy() - found.to_numpy().mean() - expected + expected.mean()
    assert np.abs(shape[30:-30, 30:-30]).max() < 0.03 * expected.max()


def _stripes(reduced: xr.DataArray, truth: xr.DataArray) -> float:
    """Give the strength of north-south stripes: the columns' mean errors' spread, nT."""
    noise = reduced.to_numpy() - truth.to_numpy()
    return float(noise.mean(axis=0).std())


def test_at_low_inclination_noise_makes_no_stripes_and_the_body_stays_in_place(
    dipole_field: GridOf, rng: np.random.Generator
) -> None:
    clean = dipole_field(field_deg=(5.0, 0.0), shape=(96, 96))
    noisy = clean + 0.02 * float(clean.max() - clean.min()) * rng.standard_normal(clean.shape)
    truth = dipole_field(field_deg=(90.0, 0.0), shape=(96, 96))
    prepared = spectral.prepare(noisy)
    stable = spectral.reduce_to_pole(prepared, 5.0, 0.0)
    exact = spectral.reduce_to_pole(prepared, 5.0, 0.0, amplitude_inclination_deg=5.0)
    assert _misfit(stable, truth) < 0.5
    assert _misfit(exact, truth) > 1.0
    row, column = np.unravel_index(int(stable.to_numpy().argmax()), stable.shape)
    assert abs(row - 48) <= 1
    assert abs(column - 48) <= 1
    assert float(stable.max()) == pytest.approx(float(truth.max()), rel=0.4)
    assert _stripes(stable, truth) < 0.15 * _stripes(exact, truth)
    assert stable.to_numpy()[:20].std() < 0.15 * float(stable.max())


def test_limiting_changes_nothing_above_the_limit(dipole_field: GridOf) -> None:
    prepared = spectral.prepare(dipole_field(field_deg=(30.0, 0.0), shape=(32, 32)))
    a = spectral.reduce_to_pole(prepared, 30.0, 0.0)
    b = spectral.reduce_to_pole(prepared, 30.0, 0.0, amplitude_inclination_deg=1.0)
    np.testing.assert_array_equal(a, b)


def test_the_equator_itself_is_finite(dipole_field: GridOf) -> None:
    prepared = spectral.prepare(dipole_field(field_deg=(0.0, 0.0), shape=(32, 32)))
    assert np.isfinite(spectral.reduce_to_pole(prepared, 0.0, 0.0)).all()


def test_products_of_the_reduced_field_follow_in_the_wavenumber_domain(
    dipole_field: GridOf,
) -> None:
    prepared = spectral.prepare(dipole_field(field_deg=(65.0, 25.0)))
    at_pole = spectral.at_pole(prepared, 65.0, 25.0)
    expected = spectral.derivative_upward(spectral.prepare(dipole_field(field_deg=(90.0, 0.0))))
    assert _misfit(spectral.derivative_upward(at_pole), expected) < 0.01


def test_panels_are_one_reduction_where_the_direction_is_the_same(dipole_field: GridOf) -> None:
    grid = dipole_field(field_deg=(65.0, 25.0), shape=(40, 40))
    one = spectral.reduce_to_pole(spectral.prepare(grid), 65.0, 25.0)
    np.testing.assert_allclose(
        spectral.reduce_to_pole_panels(grid, lambda _e, _n: (65.0, 25.0)), one, atol=1e-9
    )


def test_panels_use_the_direction_of_their_place(dipole_field: GridOf) -> None:
    grid = dipole_field(field_deg=(65.0, 25.0), shape=(96, 96)).astype(np.float32)
    grid[5:9, 5:9] = np.nan
    grid[64:] = np.nan  # a panel without data
    found = spectral.reduce_to_pole_panels(
        grid, lambda _e, n: (65.0 + n / 4800.0, 25.0), tolerance_deg=0.51
    )
    expected = dipole_field(field_deg=(90.0, 0.0), shape=(96, 96))
    assert found.attrs["long_name"] == "reduced to the pole in 4 panels"
    assert found.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(found), np.isnan(grid))
    difference = np.nanmax(np.abs(found.to_numpy() - expected.to_numpy()))
    assert difference < 0.06 * float(expected.max())


@pytest.mark.parametrize(
    "call",
    [
        lambda p: spectral.reduce_to_pole(p, 91.0, 0.0),
        lambda p: spectral.reduce_to_pole(p, float("nan"), 0.0),
        lambda p: spectral.reduce_to_pole(p, 50.0, 0.0, amplitude_inclination_deg=0.0),
        lambda p: spectral.reduce_to_pole(p, 50.0, 0.0, magnetization_inclination_deg=-95.0),
        lambda p: spectral.pseudogravity(p, 50.0, 0.0, magnetization_a_m=0.0),
        lambda p: spectral.reduce_to_pole_panels(p.grid, lambda _e, _n: (1, 1), tolerance_deg=0),
        lambda p: spectral.reduce_to_pole_panels(p.grid, lambda _e, _n: (1, 1), overlap_fraction=1),
    ],
    ids=map(str, range(7)),
)
def test_impossible_angles_are_refused(grid_of: GridOf, call: Callable[..., object]) -> None:
    with pytest.raises(BadParameter):
        call(spectral.prepare(grid_of(np.zeros((8, 8)))))
