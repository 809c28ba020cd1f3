from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics import spectral

pytestmark = pytest.mark.kernels

GridOf = Callable[..., xr.DataArray]  # what the fixtures give


def _sources_at(
    grid_of: GridOf, rng: np.random.Generator, depth_m: float, size: int = 128
) -> xr.DataArray:
    grid = grid_of(rng.standard_normal((size, size)), 50.0)
    prepared = spectral.prepare(grid, pad_fraction=0.0, detrend=False)
    return spectral.upward_continue(prepared, depth_m)


def test_white_sources_give_their_depth(grid_of: GridOf, rng: np.random.Generator) -> None:
    grid = _sources_at(grid_of, rng, 300.0)
    spectrum = spectral.radial_power_spectrum(
        spectral.prepare(grid, pad_fraction=0.0, detrend=False)
    )
    (segment,) = spectral.spectral_depth(spectrum, segments=1)
    assert segment.depth_m == pytest.approx(300.0, rel=0.05)
    assert 0.0 < segment.uncertainty_m < 15.0


def test_two_layers_give_two_depths(grid_of: GridOf, rng: np.random.Generator) -> None:
    deep, shallow = _sources_at(grid_of, rng, 600.0), _sources_at(grid_of, rng, 60.0)
    spectrum = spectral.radial_power_spectrum(
        spectral.prepare(deep + 0.005 * shallow, pad_fraction=0.0, detrend=False)
    )
    first, second = spectral.spectral_depth(spectrum, segments=2)
    assert first.depth_m == pytest.approx(600.0, rel=0.1)
    assert second.depth_m == pytest.approx(60.0, rel=0.3)
    assert first.to_rad_m < second.from_rad_m


def test_the_rings_hold_white_noise_evenly(grid_of: GridOf, rng: np.random.Generator) -> None:
    grid = grid_of(rng.standard_normal((64, 63)))
    spectrum = spectral.radial_power_spectrum(
        spectral.prepare(grid, pad_fraction=0.0, detrend=False)
    )
    mean = np.average(np.exp(spectrum.log_power), weights=spectrum.count)
    assert mean == pytest.approx(grid.size, rel=0.1)
    assert (np.diff(spectrum.wavenumber_rad_m) > 0).all()
    assert len(spectrum.count) == 31  # rings one step of the shorter side apart, up to Nyquist


@pytest.mark.parametrize("segments", [0, 5, 4])
def test_too_many_segments_are_refused(
    grid_of: GridOf, rng: np.random.Generator, segments: int
) -> None:
    spectrum = spectral.radial_power_spectrum(
        spectral.prepare(grid_of(rng.standard_normal((24, 24))))
    )
    with pytest.raises(BadParameter, match="segments"):
        spectral.spectral_depth(spectrum, segments=segments)
