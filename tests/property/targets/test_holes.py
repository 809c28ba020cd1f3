from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.geophysics.targets import hole_through

pytestmark = pytest.mark.kernels


@given(
    easting_m=st.floats(1e5, 9e5),
    northing_m=st.floats(0.0, 1e7),
    depth_m=st.floats(1.0, 2000.0),
    more_m=st.floats(0.0, 1000.0),
    azimuth_deg=st.floats(0.0, 720.0),
    dip_deg=st.floats(-90.0, -20.0),
)
def test_every_hole_passes_through_its_target_and_ends_at_its_bottom(  # noqa: PLR0917 -- one for each strategy
    easting_m: float,
    northing_m: float,
    depth_m: float,
    more_m: float,
    azimuth_deg: float,
    dip_deg: float,
) -> None:
    hole = hole_through(
        easting_m,
        northing_m,
        depth_m,
        azimuth_deg=azimuth_deg,
        dip_deg=dip_deg,
        bottom_m=depth_m + more_m,
    )
    along_m = depth_m / np.sin(np.radians(-dip_deg))
    assert hole.position(along_m) == pytest.approx((easting_m, northing_m, depth_m), abs=1e-5)
    assert hole.position(0.0)[2] == 0.0
    assert along_m <= hole.length_m * (1 + 1e-12)
    assert hole.position(hole.length_m)[2] == pytest.approx(depth_m + more_m)
    assert 0.0 <= hole.azimuth_deg < 360.0
