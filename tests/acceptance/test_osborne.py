"""A real survey with no options: the known anomalies come out where they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from quetzalcore.cli import main

pytestmark = pytest.mark.slow

# Where the readings themselves are highest in each half of the survey (station maxima of the file):
# the Osborne mine in the south and Lightning Creek in the north.
OSBORNE = (140.572, -22.094)
LIGHTNING_CREEK = (140.772, -21.805)


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory, osborne_file: Path) -> Path:
    folder = tmp_path_factory.mktemp("osborne") / "products"
    with pytest.raises(SystemExit, match="0"):
        main.run(["survey", "run", str(osborne_file), "-o", str(folder), "--quiet"])
    return folder


@pytest.fixture(scope="module")
def result(products: Path) -> dict:
    return json.loads((products / "result.json").read_text())


def test_the_survey_is_understood_without_options(result: dict) -> None:
    assert result["survey_info"]["num_stations"] == 990_987
    assert result["survey_info"]["crs"] == "EPSG:32754"
    assert (result["qc"]["traverses"], result["qc"]["ties"]) == (285, 22)
    assert result["survey_info"]["igrf_corrected"] is False
    igrf = next(stage for stage in result["stages"] if stage["stage"] == "igrf")
    assert "an anomaly already" in igrf["reason"]


@pytest.mark.parametrize("place", [OSBORNE, LIGHTNING_CREEK], ids=["Osborne", "Lightning Creek"])
def test_the_known_anomalies_are_among_the_strongest_targets(result: dict, place) -> None:
    strongest = sorted(result["drill_targets"], key=lambda t: -t["anomaly_nT"])[:6]
    away_km = [
        111.2
        * np.hypot(
            (t["location"][0] - place[0]) * np.cos(np.radians(22)), t["location"][1] - place[1]
        )
        for t in strongest
    ]
    assert min(away_km) < 1.5


def test_the_reduced_grid_is_highest_over_them(products: Path) -> None:
    with rasterio.open(products / "grids" / "rtp.tif") as file:
        values = file.read(1, masked=True).filled(-np.inf)
        row, column = np.unravel_index(np.argmax(values), values.shape)
        easting, northing = file.xy(row, column)
    near_osborne = np.hypot(easting - 455_900, northing - 7_556_700) < 2_000
    near_lightning_creek = np.hypot(easting - 476_400, northing - 7_588_800) < 4_000
    assert near_osborne or near_lightning_creek


def test_levelling_narrows_the_crossovers(result: dict) -> None:
    levelling = next(stage for stage in result["stages"] if stage["stage"] == "levelling")
    assert levelling["outcome"] == "done"
    assert levelling["rms_change_nt"] > 0


def test_every_target_lies_where_there_are_data(products: Path, result: dict) -> None:
    with rasterio.open(products / "grids" / "tmi.tif") as file:
        places = [(t["easting_m"], t["northing_m"]) for t in result["drill_targets"]]
        assert all(np.isfinite(value[0]) for value in file.sample(places))
