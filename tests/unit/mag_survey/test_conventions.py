"""Signs and norths where the pipeline hands the field over to the transforms."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from quetzalcore.geophysics.forward import dipole_field, direction
from quetzalcore.geophysics.grid import make_grid
from quetzalcore.workloads.mag_survey.config import TransformConfig
from quetzalcore.workloads.mag_survey.grids import transform_grid
from quetzalcore.workloads.mag_survey.surroundings import MainField

AXIS = 50.0 * (np.arange(80.0) - 40.0)


def _dipole(inclination_deg: float, grid_declination_deg: float) -> xr.DataArray:
    """Give the total-field anomaly of an induced dipole 300 m under the origin."""
    along = direction(inclination_deg, grid_declination_deg)
    east, north = (part.ravel() for part in np.meshgrid(AXIS, AXIS))
    place, moment = [[0.0, 0.0, -300.0]], [1e8 * along]
    field = np.array(dipole_field(east, north, np.zeros(east.size), place, moment))
    return make_grid((along @ field).reshape(80, 80), AXIS, AXIS, name="tmi", unit="nT")


@pytest.mark.parametrize("inclination_deg", [60.0, -60.0])
def test_declination_is_turned_by_the_convergence_and_inclination_is_positive_down(
    inclination_deg: float,
) -> None:
    field = MainField(
        inclination_deg=inclination_deg,
        declination_deg=45.0,  # from true north
        convergence_deg=20.0,  # grid north lies 20 degrees east of it
        intensity_nt=50_000.0,
        spread_deg=0.0,
        source="as given",
        direction_at=lambda _e, _n: (inclination_deg, 25.0),
    )
    made, _ = transform_grid(_dipole(inclination_deg, 25.0), field, TransformConfig())
    truth = _dipole(90.0, 0.0).to_numpy()
    assert np.abs(made.grids["rtp"].to_numpy() - truth).max() < 0.03 * truth.max()
    assert made.grids["tilt"].to_numpy()[40, 40] > 80.0  # positive over a high


def test_dz_is_upward_in_nanotesla_per_metre_and_so_negative_over_a_high() -> None:
    field = MainField(
        inclination_deg=90.0,
        declination_deg=0.0,
        convergence_deg=0.0,
        intensity_nt=50_000.0,
        spread_deg=0.0,
        source="as given",
        direction_at=lambda _e, _n: (90.0, 0.0),
    )
    made, _ = transform_grid(_dipole(90.0, 0.0), field, TransformConfig())
    middle = float(made.grids["dz"][40, 40])
    assert middle == pytest.approx(-3.0 * 200.0 * 1e8 / 300.0**4, rel=0.02)
    assert made.grids["dz"].attrs["units"] == "nT/m"
