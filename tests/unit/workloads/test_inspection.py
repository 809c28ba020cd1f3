"""An upload looked into: what it holds, or one sentence that says what is wrong and where."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quetzalcore.errors import UserMistake


def refuse(run, path: Path) -> UserMistake:
    with pytest.raises(UserMistake) as caught:
        run("inspect", {}, inputs=[path])
    said = str(caught.value)
    assert path.name in said
    assert str(path.parent) not in said
    assert "\n" not in said
    return caught.value


def test_a_survey_s_columns_lines_and_first_rows_are_told(
    run, small_survey, tmp_path: Path
) -> None:
    path = small_survey.csv(tmp_path / "survey.csv")
    ran = run("inspect", {"crs": "EPSG:32754"}, inputs=[path])
    found = ran.result
    assert (found["path"], found["rows"], found["lines"]) == ("survey.csv", 720, 12)
    assert found["crs"] == "EPSG:32754"
    assert found["roles"]["tmi"] == "tmi_anomaly_nt"
    assert len(found["preview"]) == 5
    assert found["preview"][0][1] == "470000"
    assert found["problem"] is None
    assert found["size"] == path.stat().st_size
    assert ran.artifacts == set()
    assert [fraction for _, fraction in ran.stages] == [0.0, 1.0]


def test_what_the_caller_knows_is_used(run, tmp_path: Path) -> None:
    path = tmp_path / "survey.txt"
    path.write_text("A;B;C;D\n" + "\n".join(f"{k};47{k}000;7560000;{k}" for k in range(1, 9)))
    columns = {"line": "A", "easting": "B", "northing": "C", "tmi": "D"}
    found = run("inspect", {"columns": columns, "crs": "EPSG:32754"}, inputs=[path]).result
    assert found["roles"] == columns
    assert found["problem"] is None


def test_what_is_in_the_way_is_told_with_a_remedy(run, tmp_path: Path) -> None:
    path = tmp_path / "rocks.csv"
    path.write_text("easting,northing,rock\n" + "470000,7560000,granite\n" * 3)
    found = run("inspect", {}, inputs=[path]).result
    assert "magnetic" in found["problem"]
    assert found["hint"]
    assert found["rows"] == 3


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


TABLE = b"line,easting,northing,tmi\n1,470000,7560000,5\n"


HOSTILE = {
    "empty.csv": b"",
    "image.csv": bytes(range(256)) * 64,
    "bomb.csv.gz": gzip.compress(b"0" * 40_000_000),
    "bomb.zip": _zip({"a.csv": b"0" * 40_000_000}),
    "cut.csv.gz": gzip.compress(TABLE * 100)[:60],
    "climbs.zip": _zip({"../../etc/cron.d/job": TABLE}),
    "two.zip": _zip({"a.csv": TABLE, "b.csv": TABLE}),
    "nothing.zip": _zip({}),
    "row.csv": b"a," * 3_000_000,
    "cut.parquet": b"PAR1" + bytes(50),
    "cut.gpkg": b"SQLite format 3\x00" + bytes(50),
    "cut.json": b'{"columns": {"a": [1, 2',
    "deep.json": b"[" * 200_000,
    "list.json": b"[1, 2]",
    "none.json": b'{"columns": {}}',
    "uneven.json": b'{"columns": {"a": [1, 2], "b": [1]}}',
    "nested.json": b'{"columns": {"a": [1, [2]]}}',
    "large.json": b'{"columns": {"a": [1, ' + b"9" * 30 + b"]}}",
    "words.json": b'{"columns": {"a": "text"}}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_and_broken_files_are_refused_in_a_sentence(run, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    assert refuse(run, path).hint


def test_json_columns_are_read_as_the_same_table(run, small_survey, tmp_path: Path) -> None:
    columns = {name: values.tolist() for name, values in small_survey.columns.items()}
    path = tmp_path / "columns.json"
    path.write_text(json.dumps({"columns": columns}))
    found = run("inspect", {"crs": "EPSG:32754"}, inputs=[path]).result
    assert (found["path"], found["rows"], found["lines"]) == ("columns.json", 720, 12)
    assert found["problem"] is None
    assert found["preview"][0][0] == "0"  # line 0 is not line 0.0


def test_json_columns_may_hold_texts_and_gaps(run, tmp_path: Path) -> None:
    path = tmp_path / "columns.json"
    columns = {
        "line": ["L1", "L1", "L2", None], "easting": [470000, 470010, 470000.5, 470010],
        "northing": [7560000, 7560000, 7560100, 7560100], "tmi": [1.5, None, 2.5, -3],
    }  # fmt: skip
    path.write_text(json.dumps({"columns": columns}))
    found = run("inspect", {"crs": "EPSG:32754"}, inputs=[path]).result
    by_name = {column["name"]: column for column in found["columns"]}
    assert by_name["line"]["dtype"] == "text"
    assert by_name["tmi"]["missing"] == 1
    assert by_name["tmi"]["maximum"] == 2.5


def test_a_definition_may_stand_beside_its_table(run, tmp_path: Path) -> None:
    table, definition = tmp_path / "survey.dat", tmp_path / "survey.dfn"
    table.write_text(
        "".join(f"{k % 2:4d}{470000 + k:10.1f}{7560000 + k:10.1f}{k:8.2f}\n" for k in range(9))
    )
    definition.write_text(
        "DEFN   ST=RECD,RT=COMM;RT:A4;COMMENTS:A76\n"
        "DEFN 1 ST=RECD,RT=;LINE:I4;EASTING:F10.1:UNIT=m\nDEFN 2 ST=RECD,RT=;NORTHING:F10.1:UNIT=m\n"
        "DEFN 3 ST=RECD,RT=;MAG:F8.2:UNIT=nT;END DEFN\n"
    )
    found = run("inspect", {"crs": "EPSG:32754"}, inputs=[definition, table]).result
    assert found["path"] == "survey.dat"
    assert found["rows"] == 9


def test_two_tables_are_one_too_many(run, tmp_path: Path) -> None:
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in paths:
        path.write_bytes(TABLE)
    with pytest.raises(UserMistake, match="2 tables to inspect"):
        run("inspect", {}, inputs=paths)


def test_endless_numbers_of_a_file_are_json(run, tmp_path: Path) -> None:
    path = tmp_path / "odd.parquet"
    values = pa.array([float("inf"), float("nan"), None, 1.0])
    pq.write_table(pa.table({"easting": values, "northing": values, "tmi": values}), path)
    assert run("inspect", {}, inputs=[path]).result["rows"] == 4
