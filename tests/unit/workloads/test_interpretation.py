"""Drill targets and source classes of a field: found where the body is, refused in words where not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quetzalcore.errors import UserMistake
from quetzalcore.formats import to_lonlat, write_geotiff
from quetzalcore.geophysics.forward import dipole_field, direction
from quetzalcore.geophysics.grid import make_grid

EAST, NORTH, DEPTH = 470_520.0, 7_560_610.0, 150.0
INCLINATION, DECLINATION = -55.0, 5.0


def field(east: np.ndarray, north: np.ndarray) -> np.ndarray:
    """Give the anomaly of a ball at a known place, nT, with a little noise."""
    along = direction(INCLINATION, DECLINATION)
    made = dipole_field(
        east - EAST, north - NORTH, np.zeros(east.size), [[0.0, 0.0, -DEPTH]], [1.5e7 * along]
    )
    noise = 0.05 * np.random.default_rng(1).normal(size=east.size)
    return np.asarray(along @ np.array(made) + noise)


@pytest.fixture(scope="session")
def scattered() -> dict[str, Any]:
    """Make 900 stations around the body, as a request holds them."""
    rng = np.random.default_rng(7)
    east = 470_000 + 1200 * rng.random(900)
    north = 7_560_000 + 1200 * rng.random(900)
    return {
        "values": field(east, north).tolist(),
        "locations": np.column_stack((east, north)).tolist(),
        "crs": "EPSG:32754",
        "inclination_deg": INCLINATION,
        "declination_deg": DECLINATION,
        "intensity_nt": 51_000,
        "noise_nt": 0.05,
        "sensor_height_m": 0,
    }


@pytest.fixture
def grid_file(tmp_path: Path) -> Path:
    """Write the field on a grid, as an earlier job's ``grids/tmi.tif``."""
    axis = np.arange(0.0, 1200.0, 20.0)
    east, north = (part.ravel() for part in np.meshgrid(470_000 + axis, 7_560_000 + axis))
    values = field(east, north).reshape(60, 60)
    grid = make_grid(
        values, 470_000 + axis, 7_560_000 + axis, name="tmi", unit="nT", crs="EPSG:32754"
    )
    write_geotiff(grid, tmp_path / "tmi.tif")
    return tmp_path / "tmi.tif"


def distance_m(target: dict[str, Any]) -> float:
    return float(np.hypot(target["easting_m"] - EAST, target["northing_m"] - NORTH))


def test_the_first_target_is_over_the_body_at_its_depth(run, scattered) -> None:
    ran = run("target_drills", {**scattered, "top_n": 3, "min_anomaly": 5})
    targets = ran.result["drill_targets"]
    assert 1 <= len(targets) <= 3
    first = targets[0]
    assert first["rank"] == 1
    assert distance_m(first) < 30.0
    assert first["depth_m"] == pytest.approx(DEPTH, rel=0.2)
    assert first["depth_below"] == "ground"
    longitude, latitude = to_lonlat(np.array([EAST]), np.array([NORTH]), "EPSG:32754")
    assert first["location"][:2] == pytest.approx([longitude[0], latitude[0]], abs=5e-4)
    assert first["anomaly_nT"] >= 5
    assert first["reasons"]
    assert ran.result["calibration"]["status"] == "uncalibrated"
    assert ran.artifacts == {"targets.csv", "targets.geojson"}


def test_a_target_has_every_field_of_the_api(run, scattered) -> None:
    first = run("target_drills", scattered).result["drill_targets"][0]
    assert set(first) >= {
        "rank", "location", "easting_m", "northing_m", "depth_m", "depth_interval_m", "anomaly_nT",
        "source_classes", "collar", "azimuth_deg", "dip_deg", "reasons",
    }  # fmt: skip


def test_an_earlier_job_s_grid_gives_the_same_target(run, grid_file: Path, scattered) -> None:
    known = {k: v for k, v in scattered.items() if k not in {"values", "locations", "crs"}}
    ran = run("target_drills", {**known, "grid": "tmi.tif", "top_n": 1}, inputs=[grid_file])
    (first,) = ran.result["drill_targets"]
    assert distance_m(first) < 30.0
    assert ran.result["crs"] == "EPSG:32754"


def test_degrees_are_mapped_and_the_direction_comes_from_the_date(run, scattered) -> None:
    east, north = np.array(scattered["locations"]).T
    longitude, latitude = to_lonlat(east, north, "EPSG:32754")
    params = {
        "values": scattered["values"],
        "locations": np.column_stack((longitude, latitude)).tolist(),
        "date": "2024-05-14",
    }
    ran = run("target_drills", {**params, "top_n": 1})
    assert distance_m(ran.result["drill_targets"][0]) < 40.0
    said = "; ".join(ran.result["assumptions"])
    for words in ("WGS 84 is assumed", "mapped to EPSG:32754", "noise of", "IGRF-14 at 2024-05-14"):
        assert words in said
    undated = run("target_drills", {**params, "date": None, "top_n": 1})
    assert "2026-03-04" in "; ".join(undated.result["assumptions"])  # today, said aloud
    kept = {"date": None, "assumed_date": "2019-07-01", "top_n": 1}
    of_that_day = "; ".join(run("target_drills", {**params, **kept}).result["assumptions"])
    assert "2019-07-01" in of_that_day
    assert "no date" in of_that_day  # a date that stands in is said to be one


def test_a_local_frame_has_no_longitudes(run, scattered) -> None:
    ran = run("target_drills", {**scattered, "crs": None, "top_n": 1})
    assert ran.result["drill_targets"][0]["location"] == [None, None, None]
    assert ran.artifacts == {"targets.csv"}
    assert "local frame" in "; ".join(ran.result["assumptions"])


def test_missing_values_are_left_out(run, scattered) -> None:
    values = [None if k % 10 == 0 else v for k, v in enumerate(scattered["values"])]
    ran = run("target_drills", {**scattered, "values": values, "top_n": 1})
    assert distance_m(ran.result["drill_targets"][0]) < 40.0


def test_nothing_above_the_least_anomaly_is_no_target(run, scattered) -> None:
    result = run("target_drills", {**scattered, "min_anomaly": 1e6}).result
    assert result["drill_targets"] == []


def test_classes_of_a_field_sum_to_one(run, scattered) -> None:
    result = run("discriminate", scattered).result
    assert result["num_target_types"] >= 1
    strongest = result["all_targets"][0]
    assert distance_m(strongest) < 30.0
    total = sum(each["probability"] for each in strongest["source_classes"])
    assert total == pytest.approx(1.0, abs=2e-3)
    assert result["calibration"]["status"] == "uncalibrated"
    assert result["calibration"]["why"]


def test_classes_of_observed_sources(run) -> None:
    pipeline = {"culture": True, "width_m": 3, "length_m": 400, "depth_m": 1}
    intrusion = {"apparent_susceptibility_si": 0.1, "width_m": 600, "length_m": 800, "depth_m": 200}
    result = run("discriminate", {"observations": [pipeline, intrusion, {}]}).result
    names = [each["source_classes"][0]["name"] for each in result["all_targets"]]
    assert names[0] == "cultural"
    assert names[1] != "cultural"
    unknown = {e["name"]: e["probability"] for e in result["all_targets"][2]["source_classes"]}
    assert unknown == pytest.approx(result["prior"], abs=2e-3)  # nothing observed: the prior


def test_a_commodity_sets_the_prior_and_an_unknown_one_is_refused(run) -> None:
    observations = [{"apparent_susceptibility_si": 0.05}]
    plain = run("discriminate", {"observations": observations}).result["prior"]
    nickel = run("discriminate", {"observations": observations, "commodity": "nickel"})
    assert nickel.result["prior"] != plain
    with pytest.raises(UserMistake, match="unobtainium"):
        run("discriminate", {"observations": observations, "commodity": "unobtainium"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"values": [50_000.0 + k for k in range(900)]}, "main field still"),
        ({"values": [5.0] * 900}, "every value is 5"),
        ({"values": [None] * 900}, "no value is a number"),
        ({"locations": [[470_000.0, 7_560_000.0 + k] for k in range(900)]}, "on one line"),
        ({"crs": "EPSG:4326"}, "no degrees"),
        ({"crs": "EPSG:2264"}, "does not count metres"),
        ({"crs": "EPSG:999999"}, "not known"),
        ({"crs": None, "declination_deg": None}, "main field's direction"),
        ({"cell_size_m": 0.001}, "cell"),
        ({"commodity": "unobtainium"}, "unobtainium"),
    ],
)
@pytest.mark.parametrize("kind", ["target_drills", "discriminate"])
def test_a_field_that_cannot_be_used_is_refused(
    run, scattered, kind: str, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserMistake, match=words):
        run(kind, {**scattered, **change})


def test_a_file_that_is_no_grid_is_refused(run, tmp_path: Path) -> None:
    path = tmp_path / "tmi.tif"
    path.write_bytes(b"II*\x00" + bytes(100))
    with pytest.raises(UserMistake, match=r"tmi\.tif: it is no raster") as caught:
        run("target_drills", {"grid": "tmi.tif"}, inputs=[path])
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(UserMistake, match=r"no input file 'other\.tif'"):
        run("target_drills", {"grid": "other.tif"}, inputs=[path])


def test_a_grid_in_degrees_or_of_few_nodes_is_refused(run, tmp_path: Path) -> None:
    axis = np.arange(10.0)
    values = np.outer(axis, axis)
    degrees = make_grid(values, axis, axis, name="tmi", unit="nT", crs="EPSG:4326")
    few = make_grid(values[:4, :4], axis[:4], axis[:4], name="tmi", unit="nT", crs="EPSG:32754")
    for name, grid, words in (("a.tif", degrees, "not metres"), ("b.tif", few, "4 x 4 nodes")):
        write_geotiff(grid, tmp_path / name)
        with pytest.raises(UserMistake, match=words):
            run("target_drills", {"grid": name}, inputs=[tmp_path / name])
