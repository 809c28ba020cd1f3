"""The smaller commands, and what every command promises."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import quetzalcore


def test_igrf_prints_the_published_value(quetzal) -> None:
    place = ("--longitude", -43.7, "--latitude", -23.5, "--height", 700, "--date", "2024-01-01")
    told = json.loads(quetzal("igrf", *place, "--json").out)
    assert told["northing_nt"] == pytest.approx(15700.2, abs=0.25)
    assert told["easting_nt"] == pytest.approx(-6573.2, abs=0.25)
    assert -told["upward_nt"] == pytest.approx(-15568.5, abs=0.25)
    assert "total_nt" in quetzal("igrf", *place).out


def test_igrf_refuses_a_date_outside_the_model_and_one_that_is_none(quetzal) -> None:
    place = ("--longitude", 0, "--latitude", 0, "--height", 0)
    late = quetzal("igrf", *place, "--date", "2031-01-01")
    assert late.code == 1
    assert "2030" in late.err
    assert "YYYY-MM-DD" in quetzal("igrf", *place, "--date", "yesterday").err


def test_cost_gives_ranges_and_the_spacing_it_chose(quetzal) -> None:
    told = json.loads(quetzal("cost", "--area", 10, "--json").out)
    total = told["total_usd"]
    assert total["p10"] < total["p50"] < total["p90"]
    assert told["spacing_was_optimised"] is True
    said = quetzal("cost", "--area", 10, "--prior", 0.1, "--value", 1e7)
    assert "Value of the information" in said.out
    assert quetzal("cost", "--area", 10, "--platform", "balloon").code == 1


def test_cost_takes_rates_of_the_users_own_and_names_a_file_it_cannot_read(
    quetzal, tmp_path: Path
) -> None:
    said = quetzal("cost", "--area", 10, "--rates", tmp_path / "none.toml")
    assert said.code == 1
    assert "none.toml: the rates cannot be read" in said.err


def test_inspect_shows_roles_units_and_assumptions(quetzal, tmp_path: Path, rows) -> None:
    path = tmp_path / "survey.csv"
    path.write_text(rows.csv())
    said = quetzal("survey", "inspect", path, "--crs", "EPSG:32754")
    assert said.code == 0
    assert "720 rows" in said.out
    assert "Assumed:" in said.out
    told = json.loads(quetzal("survey", "inspect", path, "--json", "--crs", "EPSG:32754").out)
    roles = {column["role"]: column["name"] for column in told["columns"] if column["role"]}
    assert roles["tmi"] == "tmi_anomaly_nt"
    assert told["problem"] is None


def test_inspect_says_why_a_file_cannot_be_run(quetzal, tmp_path: Path) -> None:
    path = tmp_path / "survey.csv"
    path.write_text("line,easting,northing,rock\n" + "1,470000,7560000,granite\n" * 30)
    said = quetzal("survey", "inspect", path, "--crs", "EPSG:32754")
    assert "cannot be run as it is" in said.out


def test_simulate_writes_the_same_survey_for_the_same_seed(quetzal, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        said = quetzal("survey", "simulate", "-o", tmp_path / name / "s.csv", "--seed", 5)
        assert len(said.out.split()) == 3
    assert (tmp_path / "a/s.csv").read_bytes() == (tmp_path / "b/s.csv").read_bytes()


def test_simulate_overwrites_nothing(quetzal, tmp_path: Path) -> None:
    (tmp_path / "survey.csv").write_text("mine")
    said = quetzal("survey", "simulate", "-o", tmp_path / "survey.csv")
    assert said.code == 1
    assert "exists already" in said.err
    assert (tmp_path / "survey.csv").read_text() == "mine"


@pytest.mark.parametrize(
    "command",
    [
        ["survey", "run"],
        ["survey", "inspect"],
        ["survey", "simulate"],
        ["cost"],
        ["igrf"],
        ["demo"],
    ],
)
def test_every_help_has_an_example(quetzal, command: list[str]) -> None:
    said = quetzal(*command, "--help")
    assert said.code == 0
    assert "Example: quetzal" in said.out


def test_wrong_usage_exits_with_2_and_the_version_is_printed(quetzal) -> None:
    assert quetzal("survey", "run", "--no-such-option").code == 2
    assert quetzal("--version").out.strip() == quetzalcore.__version__


def test_run_needs_a_file(quetzal) -> None:
    assert "no survey file is named" in quetzal("survey", "run").err


def test_settings_come_from_the_folder_and_a_broken_file_is_named(
    quetzal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quetzal.toml").write_text("threads = 0\n")
    assert "threads is 0" in quetzal("cost", "--area", 1).err
    Path("quetzal.toml").write_text("threads = = 0\n")
    assert "quetzal.toml: it is not TOML" in quetzal("cost", "--area", 1).err


def test_an_unknown_variable_is_warned_of(quetzal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUETZAL_TREADS", "2")
    said = quetzal("cost", "--area", 10)
    assert said.code == 0
    assert "QUETZAL_TREADS is not a setting" in said.err


def test_a_defect_is_one_sentence_and_debug_shows_the_traceback(
    quetzal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("quetzalcore.geophysics.economics.load_rates", broken)
    said = quetzal("cost", "--area", 10)
    assert said.code == 1
    assert said.err.strip().endswith("run again with --debug and report it.")
    with pytest.raises(RuntimeError, match="boom"):
        quetzal("cost", "--area", 10, "--debug")


def test_an_interrupt_says_that_nothing_was_written(
    quetzal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("quetzalcore.geophysics.economics.load_rates", interrupted)
    said = quetzal("cost", "--area", 10)
    assert said.code == 130
    assert "Nothing was written" in said.err


def test_an_inspection_fits_eighty_columns_without_exponents(
    quetzal, tmp_path: Path, rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    survey = tmp_path / "s.csv"
    survey.write_text(rows.csv())
    said = quetzal("survey", "inspect", survey, "--crs", "EPSG:32754")
    table = said.out.partition("Magnetic channels")[0].splitlines()[1:]
    assert max(map(len, table)) <= 80
    assert "e+0" not in said.out
    assert "7,560,000" in said.out
    assert " nT " in said.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_midway_leaves_nothing(
    tmp_path: Path, rows, number: signal.Signals
) -> None:
    (tmp_path / "survey.csv").write_text(rows.csv())
    with subprocess.Popen(
        [sys.executable, "-c", _RUN_UNTIL_A_FOLDER, "--crs", "EPSG:32754", "-o", "out"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said == "Stopped. Nothing was written.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["survey.csv"]


def test_priors_of_ones_own_are_an_input_like_any_other(
    quetzal, tmp_path: Path, rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey = tmp_path / "survey.csv"
    survey.write_text(rows.csv())
    options = ("--crs", "EPSG:32754", "--quiet", "--skip", "transforms", "--skip", "maps")
    priors = tmp_path / "priors.toml"
    monkeypatch.setenv("QUETZAL_PRIORS_FILE", str(priors))
    said = quetzal("survey", "run", survey, "-o", tmp_path / "out", *options)
    assert said.code == 1
    assert "the priors file does not exist" in said.err
    priors.write_text("x = 1")
    assert quetzal("survey", "run", survey, "-o", tmp_path / "out", *options).code == 0
    priors.write_text("x = 2")
    result = tmp_path / "out" / "result.json"
    said = quetzal("survey", "run", "--from", result, "-o", tmp_path / "again", *options)
    assert said.code == 1
    assert "the priors file has changed" in said.err


_RUN_UNTIL_A_FOLDER = """
import pathlib, sys, time
from quetzalcore.cli import main
from quetzalcore.workloads.mag_survey import pipeline

def begin(request):
    assert list(pathlib.Path().glob(".out-*"))
    print("begun", flush=True)
    time.sleep(50)

pipeline.analyse = begin
main.run(["survey", "run", "survey.csv", *sys.argv[1:]])
"""
