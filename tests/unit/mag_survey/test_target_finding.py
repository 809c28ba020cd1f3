from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from quetzalcore.geophysics.grid import make_grid
from quetzalcore.workloads.mag_survey.target_finding import _surveyed


def test_a_source_beyond_the_grid_or_over_a_blank_cell_is_not_surveyed() -> None:
    values = np.zeros((5, 5))
    values[:2, :2] = np.nan
    axis = np.linspace(0.0, 400.0, 5)
    grid = make_grid(values, axis, axis, name="tmi", unit="nT")
    places = [(200.0, 200.0), (50.0, 50.0), (450.0, 200.0)]
    anomalies = tuple(SimpleNamespace(easting_m=e, northing_m=n) for e, n in places)
    assert _surveyed(anomalies, grid) == [True, False, False]  # type: ignore[arg-type]  # two fields serve
    assert _surveyed((), grid) == []
