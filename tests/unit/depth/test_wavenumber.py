from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics import depth, spectral
from quetzalcore.geophysics.depth.ridges import ridge_cells
from quetzalcore.geophysics.grid import make_grid

pytestmark = pytest.mark.kernels


def _crest(
    *, index: float = 0.0, depth_m: float = 150.0, azimuth_deg: float = 60.0, size: int = 40
) -> xr.DataArray:
    """Give the local wavenumber of a long source, (N + 1) h / (h^2 + x^2)."""
    northing = 20.0 * (np.arange(float(size)) - size // 2 + 0.3)
    easting = 25.0 * (np.arange(float(size)) - size // 2 + 0.4)
    e, n = np.meshgrid(easting, northing)
    azimuth = np.radians(azimuth_deg)
    x = e * np.sin(azimuth) + n * np.cos(azimuth)
    k = (index + 1.0) * depth_m / (depth_m**2 + x**2)
    return make_grid(k, easting, northing, name="k", unit="rad/m")


@pytest.mark.parametrize("index", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("azimuth_deg", [90.0, 60.0, 0.0])
def test_depth_and_index_of_long_sources_are_exact(index: float, azimuth_deg: float) -> None:
    found = depth.wavenumber_depth(
        _crest(index=index, azimuth_deg=azimuth_deg), structural_index=index
    )
    assert len(found) >= 25
    np.testing.assert_allclose(found.depth_m, 150.0, rtol=1e-9)
    np.testing.assert_allclose(found.free_depth_m, 150.0, rtol=1e-6)
    np.testing.assert_allclose(found.structural_index, index, atol=1e-6)
    np.testing.assert_allclose(found.wavenumber_rad_m, (index + 1.0) / 150.0, rtol=1e-9)
    azimuth = np.radians(azimuth_deg)
    off = found.easting_m * np.sin(azimuth) + found.northing_m * np.cos(azimuth)
    np.testing.assert_allclose(off, 0.0, atol=1e-6)


def test_a_contact_is_imaged_from_its_field_and_smoothing_is_taken_off() -> None:
    depth_m = 200.0
    axis = 25.0 * (np.arange(160.0) - 80.0)
    field = make_grid(
        np.tile(500.0 * np.arctan(axis / depth_m), (32, 1)), axis, axis[:32], name="t", unit="nT"
    )
    prepared = spectral.prepare(field)
    for smooth_m in (0.0, 50.0):
        k = depth.local_wavenumber(prepared, smooth_m=smooth_m)
        found = depth.wavenumber_depth(k, smooth_m=smooth_m)
        above = np.abs(found.easting_m) < 25.0
        assert above.sum() >= 20
        np.testing.assert_allclose(found.depth_m[above], depth_m, rtol=0.05)
        np.testing.assert_allclose(found.structural_index[above], 0.0, atol=0.1)


def test_the_local_wavenumber_has_no_cusp_on_a_dyke() -> None:
    axis = 25.0 * (np.arange(160.0) - 80.0)
    field = make_grid(
        np.tile(1e5 * 200.0 / (axis**2 + 200.0**2), (32, 1)), axis, axis[:32], name="t", unit="nT"
    )
    k = depth.local_wavenumber(spectral.prepare(field)).to_numpy()[16]
    np.testing.assert_allclose(k[60:101], 2.0 * 200.0 / (axis[60:101] ** 2 + 200.0**2), rtol=0.05)


def test_wavenumbers_keep_holes_and_are_zero_without_gradient() -> None:
    values = np.zeros((12, 12))
    values[3, 4] = np.nan
    axis = np.arange(12.0)
    grid = make_grid(values, axis, axis, name="t", unit="nT")
    k = depth.local_wavenumber(spectral.prepare(grid, pad_fraction=0.0, detrend=False))
    np.testing.assert_array_equal(np.isnan(k), np.isnan(values))
    assert float(k.max()) == 0.0
    assert not len(depth.wavenumber_depth(k))


def test_limits_leave_out_what_they_say() -> None:
    k = _crest()
    assert not len(depth.wavenumber_depth(k, deepest_m=100.0))
    assert not len(depth.wavenumber_depth(k, smooth_m=200.0))
    rough = k * (1.0 + 0.3 * np.random.default_rng(1).standard_normal(k.shape))
    kept = depth.wavenumber_depth(rough, largest_ratio=0.2)
    everything = depth.wavenumber_depth(rough, largest_ratio=1e9)
    assert len(kept) < len(everything)
    assert (kept.uncertainty_m <= 0.2 * kept.depth_m).all()


def test_ridges_are_crests_and_peaks_are_points() -> None:
    y, x = np.mgrid[-5:6, -6:7].astype(float)
    ridge = ridge_cells(-(x**2))
    np.testing.assert_array_equal(np.nonzero(ridge)[1], 6)
    assert ridge.sum() == 9
    peak = ridge_cells(-(x**2) - y**2, directions=4)
    assert list(zip(*np.nonzero(peak), strict=True)) == [(5, 6)]
    values = -(x**2)
    values[5, 6] = np.nan
    values[7, 5:] = np.nan
    marked = ridge_cells(values)
    assert not marked[[5, 6, 7, 8], 6].any()
    assert marked[2, 6]


@pytest.mark.parametrize(
    "call",
    [
        lambda k: depth.wavenumber_depth(k, structural_index=3.0),
        lambda k: depth.wavenumber_depth(k, deepest_m=0.0),
        lambda k: depth.wavenumber_depth(k, largest_ratio=0.0),
        lambda k: depth.local_wavenumber(spectral.prepare(k), smooth_m=-1.0),
    ],
    ids=map(str, range(4)),
)
def test_arguments_out_of_range_are_refused(call: Callable[..., object]) -> None:
    with pytest.raises(BadParameter):
        call(_crest(size=8))
