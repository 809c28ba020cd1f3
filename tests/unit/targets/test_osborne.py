from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.interpolate import griddata

from quetzalcore.geophysics import spectral
from quetzalcore.geophysics.deposits import load_priors
from quetzalcore.geophysics.grid import make_grid
from quetzalcore.geophysics.targets import Ranking, assess, classify, pick_anomalies

pytestmark = pytest.mark.slow

Floats = NDArray[np.float64]
CELL_M = 150.0
MAIN = (-52.6, 6.0)  # of the main field here in 1990, rounded
TO_UTM = Transformer.from_crs(4326, 32754, always_xy=True)
OSBORNE_MINE = (140.566, -22.088)


@pytest.fixture(scope="module")
def tmi(osborne_file: Path) -> xr.DataArray:
    """Grid the traverses plainly: mean of each cell, then linear in between."""
    with lzma.open(osborne_file) as stream:
        table = pyarrow.csv.read_csv(stream)
    line = table["flight_line"].to_numpy()
    tie = ((line >= 5816) & (line <= 5819)) | ((line >= 10149) & (line <= 10166))
    longitude, latitude = table["longitude"].to_numpy()[~tie], table["latitude"].to_numpy()[~tie]
    easting, northing = TO_UTM.transform(longitude, latitude)
    field = table["total_field_anomaly_nt"].to_numpy()[~tie].astype(np.float64)
    east0, north0 = easting.min(), northing.min()
    j = ((easting - east0) / CELL_M).astype(int)
    i = ((northing - north0) / CELL_M).astype(int)
    shape = (i.max() + 1, j.max() + 1)
    cell = i * shape[1] + j
    count = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    total = np.bincount(cell, weights=field, minlength=shape[0] * shape[1]).reshape(shape)
    known = np.argwhere(count > 0)
    values = griddata(known, (total[count > 0] / count[count > 0]), tuple(np.indices(shape)))
    axes = [
        start + CELL_M * (np.arange(n) + 0.5)
        for start, n in ((east0, shape[1]), (north0, shape[0]))
    ]
    return make_grid(values, axes[0], axes[1], name="tmi", unit="nT")


@pytest.fixture(scope="module")
def ranking(tmi: xr.DataArray) -> Ranking:
    prepared = spectral.prepare(tmi)
    found = pick_anomalies(
        tmi,
        spectral.analytic_signal(prepared),
        spectral.reduce_to_pole(prepared, *MAIN),
        inclination_deg=MAIN[0],
        declination_deg=MAIN[1],
        noise_nt=2.0,
        sensor_height_m=80.0,
        depth_reference="ground",
    )
    table = load_priors()
    prior = table.with_prior(commodity="copper", geology="iocg_province")
    return assess(found, classify(found, petrophysics=table, prior=prior), commodity="copper")


def _nearest_m(ranking: Ranking, easting_m: float, northing_m: float, *, among: int) -> float:
    return min(
        float(np.hypot(t.easting_m - easting_m, t.northing_m - northing_m))
        for t in ranking.targets[:among]
    )


def test_the_osborne_mine_is_among_the_first_targets(ranking: Ranking) -> None:
    assert _nearest_m(ranking, *TO_UTM.transform(*OSBORNE_MINE), among=5) < 1200.0


def test_lightning_creek_the_strongest_high_of_the_north_is_among_the_first_targets(
    ranking: Ranking, tmi: xr.DataArray
) -> None:
    north = tmi.where(tmi["northing"] > float(tmi["northing"].mean()))
    peak = north.where(north == north.max(), drop=True)
    place = (float(peak["easting"][0]), float(peak["northing"][0]))
    assert _nearest_m(ranking, *place, among=5) < 1200.0


def test_every_anomaly_is_a_target_or_has_a_reason(ranking: Ranking) -> None:
    ids = [t.anomaly.id for t in ranking.targets] + [e.anomaly_id for e in ranking.excluded]
    assert sorted(ids) == list(range(1, len(ids) + 1))
    assert all(e.reason for e in ranking.excluded)
