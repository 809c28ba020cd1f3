"""The main job as a kind: the same products as ``quetzal survey run``, from uploads by role."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wasmtime

from quetzalcore.cli import main
from quetzalcore.errors import BadOutput, UserMistake
from quetzalcore.formats import read_grid
from quetzalcore.workloads.mag_survey.config import STAGES

DESPIKE = Path(__file__).resolve().parents[3] / "examples" / "wasm-kernels" / "despike.wasm"
LEAN = {"input": {"crs": "EPSG:32754", "date": "2024-05-14"}, "skip": ["maps", "report"]}
QUICK = {**LEAN, "skip": [stage for stage in STAGES if stage != "igrf"]}
_OF_THE_RUN = {"started_at", "duration_s", "inputs", "params"}


@pytest.fixture
def survey(small_survey, tmp_path: Path) -> Path:
    path: Path = small_survey.csv(tmp_path / "survey.csv")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Flown:
    """A raw survey: the total field with times and heights, and its base station."""

    survey: Path
    base_station: Path


@pytest.fixture
def flown(small_survey, tmp_path: Path) -> Flown:
    time_s = 1_715_650_000.0 + 0.5 * np.arange(720.0)
    diurnal_nt = 8.0 * np.sin(2.0 * np.pi * np.arange(720.0) / 720.0)
    columns = {
        **small_survey.columns,
        "height_ellipsoidal_m": np.full(720, 380.0),
        "time_utc_s": time_s,
        "tmi_nt": 51_400.0 + small_survey.columns["tmi_anomaly_nt"] + diurnal_nt,
    }
    del columns["tmi_anomaly_nt"]
    files = Flown(survey=tmp_path / "flown.csv", base_station=tmp_path / "base.csv")
    type(small_survey)(columns=columns).csv(files.survey)
    base = {"time_s": time_s[::4], "base_tmi_nt": 51_000.0 + diurnal_nt[::4]}
    type(small_survey)(columns=base).csv(files.base_station)
    return files


def grids(folder: Path) -> dict[str, np.ndarray]:
    return {
        path.stem: read_grid(path).to_numpy() for path in sorted((folder / "grids").glob("*.tif"))
    }


def same_grids(one: Path, other: Path) -> bool:
    ours, theirs = grids(one), grids(other)
    assert ours.keys() == theirs.keys()
    return all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in ours)


def of_the_work(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out when and where it was done."""
    stages = [{**s, "duration_s": 0} for s in document["stages"]]
    provenance = {k: v for k, v in document["provenance"].items() if k not in _OF_THE_RUN}
    rest = {k: v for k, v in document.items() if k != "artifacts"}
    return {**rest, "stages": stages, "provenance": provenance}


def test_the_job_s_products_are_those_of_the_command(run, flown, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        main.run([
            "survey", "run", str(flown.survey), "--base-station", str(flown.base_station),
            "--crs", "EPSG:32754", "-o", str(tmp_path / "command"), "--quiet",
        ])  # fmt: skip
    assert not stop.value.code
    params = {
        "input": {"crs": "EPSG:32754"},
        "inputs": {"survey": "flown.csv", "base_station": "base.csv"},
    }
    job = run("mag_survey", params, inputs=[flown.survey, flown.base_station])
    command = json.loads((tmp_path / "command" / "result.json").read_text())
    assert same_grids(job.output, tmp_path / "command")
    assert {s["stage"] for s in job.result["stages"] if s["outcome"] == "done"} >= {
        "diurnal",
        "igrf",
    }
    assert of_the_work(job.result) == of_the_work(command)
    assert job.artifacts == {
        path.relative_to(tmp_path / "command").as_posix()
        for path in (tmp_path / "command").rglob("*") if path.is_file()
    }  # fmt: skip
    assert job.result == json.loads((job.output / "result.json").read_text())
    listed = {item["name"] for item in job.result["artifacts"]}
    assert listed | {"result.json"} == job.artifacts
    assert {grid["artifact"] for grid in job.result["grids"]} <= job.artifacts
    stages = list(dict.fromkeys(stage for stage, _ in job.stages))
    assert stages == [
        "read", "check", "condition", "grid", "transform", "depth", "targets", "write", "maps",
        "report",
    ]  # fmt: skip
    assert all(0.0 <= fraction <= 1.0 for _, fraction in job.stages)


def test_no_folder_of_the_host_is_told(run, survey: Path, tmp_path: Path) -> None:
    ran = run("mag_survey", LEAN, inputs=[survey])
    assert str(tmp_path) not in json.dumps(ran.result)
    assert str(tmp_path) not in (ran.output / "result.json").read_text()
    assert ran.result["provenance"]["inputs"][0]["path"] == "survey.csv"


def test_json_columns_make_the_same_grid(run, survey: Path, small_survey, tmp_path: Path) -> None:
    path = tmp_path / "columns.json"
    columns = {name: values.tolist() for name, values in small_survey.columns.items()}
    path.write_text(json.dumps({"columns": columns}))
    by_file = run("mag_survey", QUICK, inputs=[survey])
    by_columns = run("mag_survey", QUICK, inputs=[path])
    assert same_grids(by_file.output, by_columns.output)
    assert by_columns.result["survey_info"]["num_stations"] == 720


def test_running_again_from_a_stage_gives_the_same_numbers(run, survey: Path) -> None:
    first = run("mag_survey", LEAN, inputs=[survey])
    again = run("mag_survey", LEAN, inputs=[survey], stage="targets")
    assert same_grids(first.output, again.output)
    assert first.result["drill_targets"] == again.result["drill_targets"]
    assert any("run again from stage targets" in line for line in again.lines)


def test_conditioned_stations_of_a_job_are_the_input_of_another(run, survey: Path) -> None:
    first = run("mag_survey", LEAN, inputs=[survey])
    skip = ["despike", "lag", "heading", "levelling", "microlevelling", "maps", "report"]
    coarse = {"inputs": {"survey": "survey.parquet"}, "skip": skip, "grid": {"cell_size_m": 50}}
    second = run("mag_survey", {**coarse, "input": {"date": "2024-05-14"}},
                 inputs=[first.output / "survey.parquet"])  # fmt: skip
    assert second.result["grids"][0]["cell_size_m"] == 50
    assert second.result["survey_info"]["crs"] == "EPSG:32754"
    assert (
        second.result["survey_info"]["survey_stats"] == first.result["survey_info"]["survey_stats"]
    )


def test_a_module_takes_spikes_out_of_the_readings_after_conditioning(run, survey: Path) -> None:
    lines = survey.read_text().splitlines()
    spoilt = lines[:]
    for row in (105, 333, 610):
        *rest, tmi = lines[row].split(",")
        spoilt[row] = ",".join([*rest, str(float(tmi) + 4000.0)])
    survey.write_text("\n".join(spoilt))
    params = {
        **QUICK,
        "custom_step": {"module": "despike.wasm", "parameters": [1000], "channels": ["line"]},
    }
    plain = run("mag_survey", QUICK, inputs=[survey])
    ran = run("mag_survey", params, inputs=[survey, DESPIKE])
    (record,) = [s for s in ran.result["stages"] if s["stage"] == "custom step"]
    assert record["rows_changed"] == 3
    assert record["parameters"]["at"] == "conditioned"
    assert len(record["parameters"]["sha256"]) == 64
    assert np.nanmax(grids(ran.output)["tmi"]) < 0.8 * np.nanmax(grids(plain.output)["tmi"])
    assert any("client's own module" in text for text in ran.result["qc"]["warnings"])


def test_a_module_changes_the_grid_before_the_transforms(run, survey: Path, tmp_path: Path) -> None:
    module = tmp_path / "offset.wasm"
    module.write_bytes(
        wasmtime.wat2wasm("""(module (memory (export "memory") 100)
      (func (export "alloc") (param i32) (result i32) (i32.const 8))
      (func (export "grid") (param $p i32) (param $r i32) (param $c i32) (param f64) (result i32)
        (local $end i32)
        (local.set $end (i32.add (local.get $p) (i32.mul (i32.const 8) (i32.mul (local.get $r) (local.get $c)))))
        (loop $next
          (f64.store (local.get $p) (f64.add (f64.load (local.get $p)) (f64.const 10)))
          (local.set $p (i32.add (local.get $p) (i32.const 8)))
          (br_if $next (i32.lt_u (local.get $p) (local.get $end))))
        (i32.const 0)))""")
    )
    params = {**QUICK, "custom_step": {"module": "offset.wasm", "at": "gridded"}}
    plain = run("mag_survey", QUICK, inputs=[survey])
    moved = run("mag_survey", params, inputs=[survey, module])
    before, after = grids(plain.output)["tmi"], grids(moved.output)["tmi"]
    assert np.array_equal(np.isnan(before), np.isnan(after))
    assert np.nanmax(np.abs(after - before - 10.0)) < 1e-4  # files hold float32
    (record,) = [s for s in moved.result["stages"] if s["stage"] == "custom step"]
    assert record["rms_change_nt"] == pytest.approx(10.0)


def test_a_custom_step_stands_in_the_report(run, survey: Path) -> None:
    params = {**LEAN, "skip": [s for s in QUICK["skip"] if s != "report"],
              "custom_step": {"module": "despike.wasm"}}  # fmt: skip
    ran = run("mag_survey", params, inputs=[survey, DESPIKE])
    report = (ran.output / "report.html").read_text()
    assert "custom step" in report
    assert "despike.wasm" in report


@pytest.mark.parametrize(
    ("params", "names", "words"),
    [
        ({"inputs": {"survey": "other.csv"}}, ["survey.csv"], r"no input file 'other\.csv'"),
        ({"inputs": {"dem": "dem.tif"}}, ["survey.csv"], r"inputs\.dem"),
        ({}, ["survey.csv", "copy.csv"], "not clear which input file is the survey"),
        ({"inputs": {"base_station": "survey.csv"}}, ["survey.csv"], "none is left"),
        ({"custom_step": {"module": "x.wasm"}}, ["survey.csv"], r"no input file 'x\.wasm'"),
        ({"custom_step": {"module": "copy.csv.wasm"}}, ["survey.csv", "copy.csv.wasm"], "not a WebAss"),
        ({"custom_step": {"module": "despike.wasm", "channels": ["gold"]}},
         ["survey.csv", "despike.wasm"], "no channel 'gold'"),
        ({"grid": {"cell_size_m": 5000}}, ["survey.csv"], "too large"),
        ({"input": {"columns": {"tmi": "gold"}}}, ["survey.csv"], "gold"),
    ],
)  # fmt: skip
def test_inputs_and_roles_that_do_not_match_are_refused(
    run, survey: Path, params: dict[str, Any], names: list[str], words: str
) -> None:
    content = {"survey.csv": survey.read_bytes(), "despike.wasm": DESPIKE.read_bytes()}
    for name in names:
        (survey.parent / name).write_bytes(content.get(name, content["survey.csv"]))
    with pytest.raises(UserMistake, match=words) as caught:
        run("mag_survey", {**QUICK, **params}, inputs=[survey.parent / name for name in names])
    assert str(survey.parent) not in str(caught.value)


def test_threads_are_no_more_than_the_vm_has(run, survey: Path) -> None:
    ran = run("mag_survey", {**QUICK, "threads": 64}, inputs=[survey])
    assert ran.result["provenance"]["params"]["threads"] == 2


def test_an_operator_s_priors_are_used(run, survey: Path) -> None:
    with pytest.raises(UserMistake, match="TOML"):
        run("mag_survey", LEAN, inputs=[survey], settings={"priors_toml": "= nothing ="})


def test_a_module_that_leaves_infinities_is_refused(run, survey: Path, tmp_path: Path) -> None:
    (tmp_path / "inf.wasm").write_bytes(
        wasmtime.wat2wasm("""(module (memory (export "memory") 1)
          (func (export "alloc") (param i32) (result i32) (i32.const 8))
          (func (export "columns") (param $p i32) (param i32) (param i32) (result i32)
            (f64.store (local.get $p) (f64.const inf)) (i32.const 0)))""")
    )
    params = {**QUICK, "custom_step": {"module": "inf.wasm"}}
    with pytest.raises(UserMistake, match="infinite numbers"):
        run("mag_survey", params, inputs=[survey, tmp_path / "inf.wasm"])


def test_a_full_scratch_space_is_told_in_the_platform_s_words(
    run, survey: Path, monkeypatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise BadOutput("it cannot be written (No space left)", hint="choose another with -o")

    monkeypatch.setattr("quetzalcore.workloads.mag_survey.task.run_survey", full)
    with pytest.raises(BadOutput, match=r"scratch space: ask for more scratch_mib"):
        run("mag_survey", QUICK, inputs=[survey])
