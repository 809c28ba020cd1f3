from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics import spectral

pytestmark = pytest.mark.kernels

GridOf = Callable[..., xr.DataArray]  # what the fixtures give


def test_a_dipole_continued_upward_is_the_dipole_seen_from_there(dipole_field: GridOf) -> None:
    options = {"field_deg": (65.0, 25.0), "shape": (96, 96)}
    found = spectral.upward_continue(spectral.prepare(dipole_field(**options)), 200.0)
    expected = dipole_field(depth_m=700.0, **options)
    assert float(np.abs(found - expected).max()) < 0.01 * float(expected.max())


def test_continuation_keeps_a_plane(grid_of: GridOf) -> None:
    y, x = np.mgrid[0:20, 0:24] * 50.0
    grid = grid_of(7.0 + 0.02 * x - 0.01 * y)
    np.testing.assert_allclose(
        spectral.upward_continue(spectral.prepare(grid), 400.0), grid, atol=1e-9
    )


def test_regional_and_residual_add_up_to_the_grid(dipole_field: GridOf) -> None:
    grid = dipole_field(field_deg=(65.0, 25.0), shape=(24, 24))
    regional, residual = spectral.regional_residual(spectral.prepare(grid), 300.0)
    np.testing.assert_allclose(regional + residual, grid, atol=1e-9)
    assert (regional.name, residual.name) == ("regional", "residual")


def test_the_vertical_integral_undoes_the_derivative(dipole_field: GridOf) -> None:
    prepared = spectral.prepare(dipole_field(field_deg=(90.0, 0.0), shape=(48, 48)))
    integral = spectral.vertical_integral(prepared)
    again = spectral.prepare(integral, pad_fraction=0.0, detrend=False)
    # unpadded preparation of a padded product differs at the rim
    found = -spectral.derivative_upward(again).to_numpy()[12:-12, 12:-12]
    expected = prepared.grid.to_numpy()[12:-12, 12:-12]
    assert np.abs(found - found.mean() - expected + expected.mean()).max() < 0.05 * expected.max()


def _wave(grid_of: GridOf, wavelength_cells: int) -> xr.DataArray:
    x = np.arange(64.0)
    return grid_of(np.tile(np.cos(2 * np.pi * x / wavelength_cells), (16, 1)))


@pytest.mark.parametrize(
    ("cells", "gain"), [(32, 0.0), (16, np.sqrt(0.5)), (8, 1.0), (4, np.sqrt(0.5)), (2, 0.0)]
)
def test_a_band_pass_halves_the_power_at_its_ends(grid_of: GridOf, cells: int, gain: float) -> None:
    prepared = spectral.prepare(_wave(grid_of, cells), pad_fraction=0.0, detrend=False)
    found = spectral.band_pass(prepared, shortest_m=200.0, longest_m=800.0)
    np.testing.assert_allclose(found, gain * prepared.grid, atol=5e-3)


def test_an_open_band_pass_keeps_everything(grid_of: GridOf, rng: np.random.Generator) -> None:
    grid = grid_of(rng.standard_normal((16, 16)) + 100.0)
    np.testing.assert_allclose(spectral.band_pass(spectral.prepare(grid)), grid, atol=1e-9)


@pytest.mark.parametrize(
    "call",
    [
        lambda p: spectral.upward_continue(p, -1.0),
        lambda p: spectral.upward_continue(p, float("inf")),
        lambda p: spectral.upward_continue(p, float("nan")),
        lambda p: spectral.band_pass(p, shortest_m=300.0, longest_m=200.0),
        lambda p: spectral.band_pass(p, order=0),
        lambda p: spectral.transform(p, ["rtp"]),
        lambda p: spectral.transform(p, ["upward"]),
        lambda p: spectral.transform(p, ["downward"]),
    ],
    ids=map(str, range(8)),
)
def test_what_cannot_be_done_is_refused_with_a_hint(
    grid_of: GridOf, call: Callable[..., object]
) -> None:
    with pytest.raises(BadParameter) as caught:
        call(spectral.prepare(grid_of(np.zeros((8, 8)))))
    assert caught.value.hint


def test_every_transform_is_made_by_name_and_keeps_axes_and_holes(dipole_field: GridOf) -> None:
    grid = dipole_field(field_deg=(-53.0, 6.0), shape=(24, 28))
    grid[4:9, 6:12] = np.nan
    field = spectral.FieldDirection(inclination_deg=-53.0, declination_deg=6.0)
    made = spectral.transform(
        spectral.prepare(grid), list(spectral.Transform), field=field, height_m=100.0
    )
    assert list(made) == [str(name) for name in spectral.Transform]
    for name, product in made.items():
        assert product.name == name
        assert product.attrs["crs"] == "EPSG:32754"
        np.testing.assert_array_equal(product["easting"], grid["easting"])
        if name != "hd_tdr":  # central differences reach into a hole
            np.testing.assert_array_equal(np.isnan(product), np.isnan(grid), err_msg=name)


def test_a_transform_asked_for_alone_is_the_same(dipole_field: GridOf) -> None:
    prepared = spectral.prepare(dipole_field(field_deg=(-53.0, 6.0), shape=(16, 16)))
    field = spectral.FieldDirection(inclination_deg=-53.0, declination_deg=6.0)
    together = spectral.transform(prepared, list(spectral.Transform), field=field, height_m=100.0)
    for name in spectral.Transform:
        alone = spectral.transform(prepared, [name], field=field, height_m=100.0)
        assert list(alone) == [name]
        np.testing.assert_array_equal(alone[name], together[name])
    assert spectral.transform(prepared, []) == {}
