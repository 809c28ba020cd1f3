from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.grid import like
from quetzalcore.reporting import Palette, Stretch, Sun
from quetzalcore.reporting.palette import to_oklab
from quetzalcore.reporting.shading import _block_mean, _table, hillshade, raster


def dome() -> np.ndarray:
    x, y = np.meshgrid(np.linspace(-1, 1, 41), np.linspace(-1, 1, 41))
    return np.exp(-4 * (x**2 + y**2)).astype(np.float32)


def test_a_slope_towards_the_sun_is_lit_and_one_away_is_dark() -> None:
    light = hillshade(dome(), (1.0, 1.0), sun=Sun(azimuth_deg=90.0))
    assert light[20, 28] > 0.1 > -0.1 > light[20, 12]


def test_turning_sun_and_grid_together_changes_nothing() -> None:
    values = dome() + np.linspace(0, 1, 41, dtype=np.float32)
    from_east = hillshade(values, (1.0, 1.0), sun=Sun(azimuth_deg=90.0))
    from_north = hillshade(values.T, (1.0, 1.0), sun=Sun(azimuth_deg=0.0))
    np.testing.assert_allclose(from_north, from_east.T, atol=1e-6)


def test_shading_does_not_depend_on_the_unit() -> None:
    sun = Sun()
    np.testing.assert_allclose(
        hillshade(dome() * 1000, (25.0, 25.0), sun=sun),
        hillshade(dome(), (1.0, 1.0), sun=sun),
        atol=1e-4,
    )


def test_flat_ground_gets_no_shade() -> None:
    assert not hillshade(np.full((5, 6), 7.0, np.float32), (1.0, 1.0), sun=Sun()).any()


def test_a_grid_of_nan_gets_no_shade() -> None:
    assert not hillshade(np.full((5, 6), np.nan, np.float32), (1.0, 1.0), sun=Sun()).any()


@pytest.mark.parametrize(
    "sun", [{"inclination_deg": 0.0}, {"inclination_deg": 90.0}, {"strength": 1.5}]
)
def test_an_impossible_sun_is_refused(sun: dict[str, float]) -> None:
    with pytest.raises(BadParameter, match="a sun at inclination"):
        Sun(**sun)


@pytest.mark.parametrize("palette", list(Palette))
def test_shade_keeps_the_hue(palette: Palette) -> None:
    """Where the colour is strong enough to have one, and within what eight bits and sRGB can hold."""
    shaded = to_oklab(_table(palette, 0.55)[:-1, :3].reshape(64, 256, 3) / 255.0)
    plain = to_oklab(palette.colours())
    strong = np.hypot(plain[:, 1], plain[:, 2]) > 0.06
    turn = np.angle(
        (shaded[..., 1] + 1j * shaded[..., 2]) / (plain[:, 1] + 1j * plain[:, 2]), deg=True
    )[:, strong]
    assert np.abs(turn).max() < 12
    assert np.median(np.abs(turn)) < 1


def test_shade_changes_lightness_in_order() -> None:
    lightness = to_oklab(_table(Palette.QUETZAL, 0.5)[:-1, :3].reshape(64, 256, 3) / 255.0)[..., 0]
    assert (np.diff(lightness[::9], axis=0) > 0).all()


def test_nan_becomes_transparent_and_north_is_up(grid: xr.DataArray) -> None:
    values = grid.to_numpy().copy()
    values[:30] = np.nan
    holed = like(grid, values, name="tmi", unit="nT")
    pixels = raster(
        holed, Stretch.equalised(values), Palette.QUETZAL, sun=Sun(), size_px=(160, 120)
    )
    assert pixels.shape == (120, 160, 4)
    assert (pixels[:55, :, 3] == 255).all()
    assert (pixels[65:, :, 3] == 0).all()


def test_a_fine_grid_is_averaged_before_it_is_shaded() -> None:
    values = np.arange(36, dtype=np.float32).reshape(6, 6)
    values[0, 0] = np.nan
    values[4:, 4:] = np.nan
    mean = _block_mean(values, 2)
    assert mean.shape == (3, 3)
    assert mean[0, 0] == pytest.approx(np.mean([1, 6, 7]))
    assert mean[1, 1] == pytest.approx(np.mean([14, 15, 20, 21]))
    assert np.isnan(mean[2, 2])


def test_averaging_leaves_the_picture_much_as_it_was(grid: xr.DataArray) -> None:
    fine = grid.interp(
        easting=np.linspace(500_000, 501_975, 800),
        northing=np.linspace(7_500_000, 7_501_475, 600),
    )
    stretch = Stretch.equalised(grid.to_numpy())
    flat = Sun(strength=0.0)
    small = raster(fine, stretch, Palette.QUETZAL, sun=flat, size_px=(80, 60)).astype(int)
    plain = raster(grid, stretch, Palette.QUETZAL, sun=flat, size_px=(80, 60)).astype(int)
    assert np.abs(small - plain).mean() < 8
