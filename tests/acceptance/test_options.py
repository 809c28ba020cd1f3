"""Options that change what is done: gridding, heights, ground, gradients, lag, microlevelling."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from quetzalcore.formats import write_geotiff
from quetzalcore.geophysics.grid import make_grid

ZONE = ("--crs", "EPSG:32754")
QUICK = ("--skip", "maps", "--skip", "report", "--json")


@pytest.fixture
def survey(tmp_path: Path, rows) -> Path:
    """Write the small survey with an orthometric height and a transverse gradient."""
    path = tmp_path / "survey.csv"
    gradient = np.gradient(rows.tmi)
    table = zip(rows.line, rows.easting, rows.northing, rows.tmi, gradient, strict=True)
    path.write_text(
        "line,easting,northing,tmi_anomaly_nt,grad_transverse,height_orthometric_m\n"
        + "\n".join(f"{a},{b},{c},{d},{g},{400 + a}" for a, b, c, d, g in table)
    )
    return path


def run(quetzal, survey: Path, *arguments: object) -> dict:
    said = quetzal("survey", "run", survey, "-o", survey.parent / "p", *ZONE, *QUICK, *arguments)
    assert said.code == 0, said.err
    return json.loads(said.out)


def stage(told: dict, name: str) -> dict:
    return next(item for item in told["stages"] if item["stage"] == name)


def test_equivalent_sources_bring_the_field_to_a_plane(quetzal, survey: Path) -> None:
    told = run(quetzal, survey, "--gridding", "equivalent-sources")
    gridding = stage(told, "gridding")["parameters"]
    assert gridding["plane_height_m"] == pytest.approx(411.0, abs=0.1)
    assert gridding["fit_rms_nt"] < 5.0


def test_equivalent_sources_without_heights_are_refused(quetzal, tmp_path: Path, rows) -> None:
    path = tmp_path / "flat.csv"
    path.write_text(rows.csv())
    said = quetzal("survey", "run", path, *ZONE, "--gridding", "equivalent-sources", "--quiet")
    assert said.code == 1
    assert "--column height=NAME" in said.err


def test_a_ground_model_puts_depths_below_ground_and_collars_on_it(quetzal, survey: Path) -> None:
    dem = survey.parent / "dem.tif"
    axis = np.linspace(-2_000.0, 4_000.0, 13)
    ground = make_grid(
        np.full((13, 13), 330.0), 470_000 + axis, 7_560_000 + axis, name="dem", unit="m",
        crs="EPSG:32754",
    )  # fmt: skip
    write_geotiff(ground, dem)
    told = run(quetzal, survey, "--dem", dem)
    assert told["depth"]["reference"] == "below ground (sensor height less ground model)"
    for target in told["drill_targets"]:
        assert target["depth_below"] == "ground"
        assert target["location"][2] == pytest.approx(330.0)
    assert "dem" in {item["role"] for item in told["provenance"]["inputs"]}


def test_a_transverse_gradient_adds_values_beside_the_lines(quetzal, survey: Path) -> None:
    config = survey.parent / "survey.toml"
    config.write_text('[gradients]\ntransverse = "grad_transverse"\n')
    gradients = stage(run(quetzal, survey, "--config", config), "gradients")
    assert gradients["outcome"] == "done"
    assert gradients["parameters"]["values_added"] > 1000


def test_a_gradient_channel_that_is_not_there_is_refused(quetzal, survey: Path) -> None:
    config = survey.parent / "survey.toml"
    config.write_text('[gradients]\ntransverse = "grad"\n')
    said = quetzal("survey", "run", survey, *ZONE, "--config", config, "--quiet")
    assert said.code == 1
    assert "no gradient channel grad" in said.err


def test_gradients_can_be_left_out(quetzal, survey: Path) -> None:
    told = run(quetzal, survey, "--skip", "gradients")
    assert stage(told, "gradients")["outcome"] == "skipped"


def test_a_lag_that_is_given_must_be_possible(quetzal, survey: Path) -> None:
    config = survey.parent / "survey.toml"
    config.write_text("[lag]\nlag_s = 0.5\n")
    said = quetzal("survey", "run", survey, *ZONE, "--config", config, "--quiet")
    assert said.code == 1
    assert "time" in said.err
    told = run(quetzal, survey, "--config", config, "--skip", "lag")
    assert stage(told, "lag")["outcome"] == "skipped"


def test_microlevelling_is_done_without_crossovers_only_on_demand(quetzal, survey: Path) -> None:
    assert "without crossovers" in stage(run(quetzal, survey), "microlevelling")["reason"]
    config = survey.parent / "survey.toml"
    config.write_text("[microlevelling]\nalways = true\n")
    told = run(quetzal, survey, "--config", config)
    assert stage(told, "microlevelling")["outcome"] == "done"


def test_without_transforms_there_is_still_a_grid(quetzal, survey: Path) -> None:
    told = run(quetzal, survey, "--skip", "transforms", "--skip", "targets")
    assert [grid["name"] for grid in told["grids"]] == ["tmi"]
    assert stage(told, "depth")["reason"] == "it needs the transforms"


def test_a_cell_size_that_no_memory_holds_is_refused(quetzal, survey: Path) -> None:
    said = quetzal("survey", "run", survey, *ZONE, "--cell-size", 0.01, "--quiet")
    assert said.code == 1
    assert "give a larger cell size" in said.err


def test_a_commodity_sets_the_prior_and_an_unknown_one_is_named(quetzal, survey: Path) -> None:
    plain = run(quetzal, survey)["mineral_discrimination"]["prior"]
    nickel = run(quetzal, survey, "--commodity", "nickel")["mineral_discrimination"]["prior"]
    assert nickel["ultramafic_nickel"] > plain["ultramafic_nickel"]
    said = quetzal("survey", "run", survey, *ZONE, "--commodity", "unobtainium", "--quiet")
    assert said.code == 1
    assert "unobtainium" in said.err


def test_the_table_and_the_report_are_printed_for_a_person(quetzal, survey: Path) -> None:
    said = quetzal("survey", "run", survey, "-o", survey.parent / "p", *ZONE, "--skip", "maps")
    assert said.code == 0
    assert "traverses" in said.out
    assert said.out.strip().endswith("report.html")
    assert "Warning: " in said.err
