"""Reduction near the equator, with noise, through the transform set that the main job makes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.geophysics import spectral
from quetzalcore.workloads.mag_survey.config import TransformConfig
from quetzalcore.workloads.mag_survey.grids import transform_grid
from quetzalcore.workloads.mag_survey.surroundings import MainField

GridOf = Callable[..., xr.DataArray]
Floats = NDArray[np.float64]
SHAPE = (96, 96)


def _transformed(grid: xr.DataArray, inclination_deg: float, declination_deg: float) -> xr.Dataset:
    direction = (inclination_deg, declination_deg)
    field = MainField(
        inclination_deg=inclination_deg,
        declination_deg=declination_deg + 1.5,  # from true north: the convergence takes it back
        convergence_deg=1.5,
        intensity_nt=40_000.0,
        spread_deg=0.0,
        source="as given",
        direction_at=lambda _e, _n: direction,
    )
    return xr.Dataset(transform_grid(grid, field, TransformConfig())[0].grids)


def _across_over_along(noise: Floats, declination_deg: float) -> float:
    """Compare noise power of wavenumbers within 10 degrees of across and of along the declination."""
    power = np.abs(np.fft.fft2(noise)) ** 2
    easting, northing = np.meshgrid(np.fft.fftfreq(SHAPE[1]), np.fft.fftfreq(SHAPE[0]))
    off = np.degrees(np.arctan2(easting, northing)) - declination_deg
    size = np.hypot(easting, northing)
    ring = (size > 0.03) & (size < 0.45)
    from_axis = np.abs((off + 90.0) % 180.0 - 90.0)
    return float(power[ring & (from_axis > 80.0)].mean() / power[ring & (from_axis < 10.0)].mean())


@pytest.mark.parametrize("declination_deg", [0.0, 30.0])
@pytest.mark.parametrize(
    ("inclination_deg", "amplitude"), [(3.0, 0.75), (10.0, 0.81), (-10.0, 0.81), (15.0, 0.89)]
)
def test_below_20_degrees_there_are_no_more_stripes_than_at_20_and_bodies_are_that_much_weaker(
    dipole_field: GridOf,
    rng: np.random.Generator,
    inclination_deg: float,
    amplitude: float,
    declination_deg: float,
) -> None:
    main = (inclination_deg, declination_deg)
    clean = dipole_field(field_deg=main, shape=SHAPE)
    noise = clean.copy(data=rng.standard_normal(SHAPE)) * float(clean.std())
    made = _transformed(clean, *main)
    noisy = _transformed(clean + noise, *main)
    stripes = _across_over_along((noisy["rtp"] - made["rtp"]).to_numpy(), declination_deg)
    limit = _transformed(noise, 20.0, declination_deg)["rtp"].to_numpy()
    assert stripes < 2.0 * _across_over_along(limit, declination_deg)
    exact = spectral.reduce_to_pole(
        spectral.prepare(noise), *main, amplitude_inclination_deg=abs(inclination_deg)
    )
    if abs(inclination_deg) <= 10.0:
        assert stripes < 0.4 * _across_over_along(exact.to_numpy(), declination_deg)
    truth = dipole_field(field_deg=(90.0, 0.0), shape=SHAPE)
    assert float(made["rtp"].max() / truth.max()) == pytest.approx(amplitude, abs=0.04)
    row, column = np.unravel_index(int(made["rtp"].to_numpy().argmax()), SHAPE)
    assert max(abs(row - 48), abs(column - 48)) <= 1
    assert np.isfinite(noisy["tilt"]).all()
