"""The main job on a simulated survey, as a user runs it: found is near true, and products are whole."""

from __future__ import annotations

import csv
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import xarray as xr

from quetzalcore.cli import main
from quetzalcore.workloads.simulated import simulate_default


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the whole demonstration once."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.raises(SystemExit, match="0"):
        main.run(["demo", "-o", str(folder), "--quiet"])
    return folder


@pytest.fixture(scope="module")
def result(demo: Path) -> dict:
    return json.loads((demo / "products" / "result.json").read_text())


def test_seven_of_nine_bodies_are_found_within_a_line_spacing(demo: Path, result: dict) -> None:
    bodies = json.loads((demo / "survey-bodies.json").read_text())
    targets = np.array([[t["easting_m"], t["northing_m"]] for t in result["drill_targets"]])
    near = 0
    for body in bodies:
        strike = np.radians(body["strike_deg"])
        away = targets - [body["easting_m"], body["northing_m"]]
        along = away @ [np.sin(strike), np.cos(strike)]
        beyond = along - np.clip(along, -body["length_m"] / 2, body["length_m"] / 2)
        across = away @ [np.cos(strike), -np.sin(strike)]
        near += bool(np.hypot(beyond, across).min() < 100.0)
    assert near >= 7


def test_the_lag_and_the_heading_error_that_were_put_in_are_found(result: dict) -> None:
    stages = {stage["stage"]: stage for stage in result["stages"]}
    assert stages["lag"]["parameters"]["lag_m"] == pytest.approx(30.0, abs=3.0)
    heading = stages["heading"]["parameters"]
    northward = heading["offset_nt"] * np.cos(np.radians(heading["axis_deg"]))
    assert northward == pytest.approx(3.0, abs=1.2)  # 1.5 nT either way
    assert stages["diurnal"]["outcome"] == "done"
    assert stages["igrf"]["parameters"]["error_bound_nt"] <= 0.01


def test_what_is_left_is_the_anomaly_that_was_simulated(demo: Path) -> None:
    truth = simulate_default(1)
    table = pq.read_table(demo / "products" / "survey.parquet").to_pydict()
    found = np.array(table["tmi_nt"], dtype=float)
    known = np.isfinite(found)
    rest = found[known] - truth.anomaly_nt[known]
    rest -= np.median(rest)
    assert 1.4826 * np.median(np.abs(rest)) < 1.5
    raw = np.array(table["raw_reading_nt"], dtype=float) - truth.anomaly_nt
    assert np.std(rest) < 0.25 * np.std(raw)


def test_every_artifact_is_there_with_its_digest(demo: Path, result: dict) -> None:
    named = {item["name"] for item in result["artifacts"]}
    needed = {
        "report.html", "survey.parquet", "targets.csv", "targets.geojson", "grids/tmi.tif",
        "grids/rtp.tif", "grids/tilt.tif", "grids/grids.nc", "depth/euler.parquet",
        "depth/euler.gpkg", "maps/tmi.png",
    }  # fmt: skip
    assert needed <= named
    for item in result["artifacts"]:
        content = (demo / "products" / item["name"]).read_bytes()
        assert len(content) == item["size"]
        assert hashlib.sha256(content).hexdigest() == item["sha256"]


def test_grids_agree_between_geotiff_and_netcdf_and_know_where_they_are(demo: Path) -> None:
    folder = demo / "products" / "grids"
    with rasterio.open(folder / "rtp.tif") as file, xr.open_dataset(folder / "grids.nc") as all_:
        assert file.crs.to_epsg() == 32754
        assert file.units == ("nT",)
        np.testing.assert_array_equal(file.read(1)[::-1], all_["rtp"].to_numpy())


def test_the_targets_table_and_the_document_say_the_same(demo: Path, result: dict) -> None:
    with (demo / "products" / "targets.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["rank"]) for row in rows] == [t["rank"] for t in result["drill_targets"]]
    places = json.loads((demo / "products" / "targets.geojson").read_text())["features"]
    longitude, latitude = places[0]["geometry"]["coordinates"]
    assert [longitude, latitude] == pytest.approx(result["drill_targets"][0]["location"][:2])
    assert all(t["calibration"] == "uncalibrated" for t in result["drill_targets"])
    assert all(t["depth_below"] == "ground" for t in result["drill_targets"])


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"src", "srcset", "data"} and not (value or "").startswith("data:"):
                self.outside.append(f"{tag} {value}")
            if tag == "link" and name == "href":
                self.outside.append(str(value))


def test_the_report_opens_offline_and_says_what_to_distrust(demo: Path) -> None:
    page = (demo / "products" / "report.html").read_text()
    links = _Links()
    links.feed(page)
    assert links.outside == []
    for words in ("What to distrust", "uncalibrated", "Ironbark", "IGRF-14", "--from result.json"):
        assert words in page


def test_a_run_repeated_from_its_result_gives_the_same_grids_to_the_bit(
    demo: Path, tmp_path: Path, quetzal
) -> None:
    first = demo / "products"
    arguments = ("--from", first / "result.json", "-o", tmp_path / "again", "--quiet")
    assert quetzal("survey", "run", *arguments).code == 0
    for path in sorted((first / "grids").glob("*.tif")):
        assert path.read_bytes() == (tmp_path / "again" / "grids" / path.name).read_bytes()
    again = json.loads((tmp_path / "again" / "result.json").read_text())
    assert (
        again["drill_targets"] == json.loads((first / "result.json").read_text())["drill_targets"]
    )


def test_a_repeated_run_refuses_an_input_that_has_changed(
    demo: Path, tmp_path: Path, quetzal
) -> None:
    changed = tmp_path / "survey.csv"
    text = (demo / "survey.csv").read_text()
    changed.write_text(text.replace("51474.85", "51474.95", 1) + "\n")
    said = quetzal("survey", "run", changed, "--from", demo / "products" / "result.json", "--quiet")
    assert said.code == 1
    assert "has changed since the run" in said.err


def test_stages_can_be_left_out_and_say_so(demo: Path, tmp_path: Path, quetzal) -> None:
    skip = ("lag", "heading", "levelling", "depth", "targets", "maps", "report")
    arguments = [part for stage in skip for part in ("--skip", stage)]
    base = ("--base-station", demo / "survey-base.csv")
    run = ("survey", "run", demo / "survey.csv", *base, "-o", tmp_path / "p", "--json", *arguments)
    said = quetzal(*run)
    assert said.code == 0
    told = json.loads(said.out)
    outcome = {stage["stage"]: stage["outcome"] for stage in told["stages"]}
    assert {outcome[stage] for stage in skip[:-1]} == {"skipped"}
    assert told["drill_targets"] == []
    assert not (tmp_path / "p" / "report.html").exists()
    assert not (tmp_path / "p" / "maps").exists()


def test_the_original_four_columns_work_with_a_date_alone(
    demo: Path, tmp_path: Path, quetzal
) -> None:
    columns = {
        "latitude": "latitude",
        "longitude": "longitude",
        "elevation": "height_ellipsoidal_m",
        "magnetic_field": "tmi_nt",
    }
    with (demo / "survey.csv").open() as stream, (tmp_path / "four.csv").open("w") as out:
        out.write(",".join(columns) + "\n")
        for row in csv.DictReader(stream):
            out.write(",".join(row[name] for name in columns.values()) + "\n")
    skip = ("--skip", "maps", "--skip", "report")
    run = ("survey", "run", tmp_path / "four.csv", "-o", tmp_path / "p", "--json", *skip)
    assert "--date" in quetzal(*run).err
    told = json.loads(quetzal(*run, "--date", "2024-05-13").out)
    assert (told["qc"]["traverses"], told["qc"]["ties"]) == (61, 7)
    assert told["survey_info"]["crs"] == "EPSG:32754"
    assert told["survey_info"]["igrf_corrected"] is True
    assert abs(told["survey_info"]["survey_stats"]["mean_anomaly_nT"]) < 100
