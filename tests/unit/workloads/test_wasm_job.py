"""A client's module as a job: over a table's columns, over a grid, by file or by installed name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from quetzalcore.errors import UserMistake
from quetzalcore.formats import read_grid, write_geotiff
from quetzalcore.geophysics.grid import make_grid
from quetzalcore.workloads.catalog import OURS
from quetzalcore.workloads.parameters import canonical_params
from quetzalcore.workloads.wasm.modules import (
    current_module,
    module_file_name,
    module_key,
    wanted_modules,
)

KERNELS = Path(__file__).resolve().parents[3] / "examples" / "wasm-kernels"
DESPIKE, DECORRUGATE = KERNELS / "despike.wasm", KERNELS / "decorrugate.wasm"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "readings.csv"
    readings = [0.0, 1.0, 500.0, 1.5, 2.0, -99999.0, 3.0]
    path.write_text("name,tmi,line\n" + "\n".join(f"s{k},{v},1" for k, v in enumerate(readings)))
    return path


def test_a_module_runs_over_the_columns_that_are_named(run, table: Path) -> None:
    params = {"module": "despike.wasm", "columns": ["tmi", "line"], "parameters": [50]}
    ran = run("wasm", params, inputs=[DESPIKE, table])
    result = ran.result
    assert ran.artifacts == {"output.parquet"} == {result["artifact"]}
    made = pq.read_table(ran.output / "output.parquet").to_pydict()
    assert made["tmi"][:5] == [0.0, 1.0, 1.25, 1.5, 2.0]
    assert made["tmi"][5] is None  # a dummy is missing
    tmi, line = result["changes"]
    assert (tmi["name"], tmi["changed"], tmi["max_change"]) == ("tmi", 1, 498.75)
    assert tmi["before"]["maximum"] == 500.0
    assert tmi["after"]["maximum"] == 3.0
    assert line["changed"] == 0
    assert result["rows"] == 7
    assert result["module"]["file"] == "despike.wasm"
    assert len(result["module"]["sha256"]) == 64
    assert 0 < result["fuel_used"] < 100_000


def test_json_columns_serve_too_and_every_numeric_column_is_the_default(
    run, tmp_path: Path
) -> None:
    path = tmp_path / "columns.json"
    path.write_text(json.dumps({"columns": {"tmi": [0.0, 900.0, 1.0], "line": [1, 1, 1]}}))
    result = run("wasm", {"module": "despike.wasm"}, inputs=[DESPIKE, path]).result
    assert [each["name"] for each in result["changes"]] == ["tmi", "line"]
    assert result["changes"][0]["changed"] == 1


def test_a_module_runs_over_a_grid(run, tmp_path: Path) -> None:
    axis = 25.0 * np.arange(40.0, dtype=np.float64)
    values = np.zeros((40, 40))
    values[:, 20] = 3.0
    values[:5, :5] = np.nan
    write_geotiff(make_grid(values, axis, axis, name="tmi", unit="nT"), tmp_path / "tmi.tif")
    ran = run("wasm", {"module": "decorrugate.wasm", "over": "grid"},
              inputs=[DECORRUGATE, tmp_path / "tmi.tif"])  # fmt: skip
    made = read_grid(ran.output / "output.tif").to_numpy()
    assert ran.result["cell_size_m"] == 25.0
    assert np.isnan(made[:5, :5]).all()
    assert np.nanmax(made) < 1.0
    assert ran.result["changes"][0]["before"]["count"] == 1575


def test_an_installed_module_is_an_input_under_a_name_of_its_own(
    run, table: Path, tmp_path: Path
) -> None:
    params = {"module": {"name": "despike"}, "columns": ["tmi"]}
    canonical = canonical_params(OURS["wasm"], params)
    assert wanted_modules(canonical) == ("despike",)
    file = tmp_path / module_file_name("despike")
    file.write_bytes(DESPIKE.read_bytes())
    result = run("wasm", params, inputs=[file, table]).result
    assert result["module"]["name"] == "despike"
    assert result["changes"][0]["changed"] == 1
    survey = canonical_params(OURS["mag_survey"], {"custom_step": {"module": {"name": "despike"}}})
    assert wanted_modules(survey) == ("despike",)
    assert wanted_modules(canonical_params(OURS["igrf"], OURS["igrf"].example)) == ()


def test_the_newest_version_of_an_installed_module_is_the_current_one() -> None:
    keys = [
        module_key("acme", "despike", version, sha)
        for version, sha in (("01b", "aa"), ("01c", "bb"))
    ]
    assert current_module(reversed(keys)) == ("tenants/acme/modules/despike/01c-bb", "bb")
    assert current_module([]) is None


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"module": "other.wasm"}, r"no input file 'other\.wasm'"),
        ({"module": {"name": "despike"}}, r"no input file 'module-despike\.wasm'"),
        ({"module": "despike.wasm", "data": "none.csv"}, r"no input file 'none\.csv'"),
        ({"module": "despike.wasm", "columns": ["gold"]}, "no numeric column 'gold'"),
        ({"module": "despike.wasm", "columns": ["name"]}, "no numeric column 'name'"),
        ({"module": "despike.wasm", "over": "grid"}, "no raster"),
        ({"module": "despike.wasm", "fuel": 100}, "used up its fuel"),
        ({"module": "readings.csv", "data": "despike.wasm"}, "module.name"),
    ],
)
def test_what_does_not_fit_together_is_refused(run, table: Path, params: dict, words: str) -> None:
    with pytest.raises(UserMistake, match=words):
        run("wasm", params, inputs=[DESPIKE, table])


def test_a_table_without_rows_or_numbers_is_refused(run, tmp_path: Path) -> None:
    for name, content in (("a.csv", "rock\ngranite\n"), ("b.parquet", "")):
        (tmp_path / name).write_text(content)
        with pytest.raises(UserMistake):
            run("wasm", {"module": "despike.wasm"}, inputs=[DESPIKE, tmp_path / name])


def test_files_that_leave_no_choice_are_needed(run, table: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(table.read_bytes())
    with pytest.raises(UserMistake, match="2 files that the module could run over"):
        run("wasm", {"module": "despike.wasm"}, inputs=[DESPIKE, table, other])
    ran = run(
        "wasm", {"module": "despike.wasm", "data": "other.csv"}, inputs=[DESPIKE, table, other]
    )
    assert ran.result["data"] == "other.csv"
