"""Each way in which a file can be wrong: one sentence, exit code 1, and no half-written folder."""

from __future__ import annotations

import dataclasses
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zstandard

ZONE = ("--crs", "EPSG:32754")


def refuse(quetzal, path: Path, *options: object) -> str:
    """Run the survey, demand a clean refusal, and return the sentence."""
    folder = path.parent / "products"
    said = quetzal("survey", "run", path, "-o", folder, "--quiet", *options)
    assert said.code == 1
    assert said.out == ""
    sentence = said.err.strip()
    assert sentence.startswith("Error: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    assert "defect" not in sentence
    left = {p.name for p in path.parent.iterdir()} - {path.name}
    assert not {name for name in left if "products" in name}
    return sentence


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    return tmp_path / "survey.csv"


def test_a_missing_file(quetzal, survey: Path) -> None:
    assert "does not exist: check the path" in refuse(quetzal, survey)


def test_an_empty_file(quetzal, survey: Path) -> None:
    survey.write_bytes(b"")
    assert "empty" in refuse(quetzal, survey)


def test_a_header_and_nothing_else(quetzal, survey: Path) -> None:
    survey.write_text("line,easting,northing,tmi\n")
    assert "row" in refuse(quetzal, survey, *ZONE)


def test_no_numeric_field_column(quetzal, survey: Path) -> None:
    survey.write_text("line,easting,northing,rock\n" + "1,470000,7560000,granite\n" * 30)
    assert "--column tmi=" in refuse(quetzal, survey, *ZONE)


@pytest.mark.parametrize(("factor", "unit"), [(1e-3, "uT"), (1e3, "pT"), (1e-9, "T")])
def test_readings_in_another_unit_than_they_are_called(
    quetzal, survey: Path, rows, factor: float, unit: str
) -> None:
    total = (51_000 + rows.tmi) * factor
    table = zip(rows.line, rows.easting, rows.northing, total, strict=True)
    survey.write_text(
        "line,easting,northing,tmi\n" + "\n".join(f"{a},{b},{c},{d:.9g}" for a, b, c, d in table)
    )
    sentence = refuse(quetzal, survey, *ZONE, "--date", "2024-05-14")
    assert unit in sentence
    assert "--unit tmi=" in sentence


def test_swapped_latitude_and_longitude(quetzal, survey: Path, rows) -> None:
    table = zip(rows.line, rows.latitude, rows.longitude, rows.tmi, strict=True)
    survey.write_text(
        "line,longitude,latitude,tmi\n" + "\n".join(f"{a},{b},{c},{d}" for a, b, c, d in table)
    )
    assert "swapped" in refuse(quetzal, survey)


def test_mixed_delimiters(quetzal, survey: Path, rows) -> None:
    lines = rows.csv().splitlines()
    survey.write_text(
        "\n".join(text.replace(",", ";") if i % 2 else text for i, text in enumerate(lines))
    )
    assert "delimiter" in refuse(quetzal, survey, *ZONE)


def test_nothing_but_nan(quetzal, survey: Path, rows) -> None:
    table = zip(rows.line, rows.easting, rows.northing, strict=True)
    survey.write_text(
        "line,easting,northing,tmi\n" + "\n".join(f"{a},{b},{c},nan" for a, b, c in table)
    )
    assert "reading" in refuse(quetzal, survey, *ZONE)


def test_one_line_only(quetzal, survey: Path, rows) -> None:
    survey.write_text("\n".join(rows.csv().splitlines()[:61]))
    assert "one line only" in refuse(quetzal, survey, *ZONE)


def test_a_total_field_without_a_date(quetzal, survey: Path, rows) -> None:
    table = zip(rows.line, rows.easting, rows.northing, rows.tmi + 51_000, strict=True)
    survey.write_text(
        "line,easting,northing,tmi\n" + "\n".join(f"{a},{b},{c},{d}" for a, b, c, d in table)
    )
    assert "--date" in refuse(quetzal, survey, *ZONE)


def test_binary_junk(quetzal, survey: Path) -> None:
    survey.write_bytes(np.random.default_rng(1).bytes(20_000))
    assert "binary data" in refuse(quetzal, survey)


@pytest.mark.parametrize("suffix", ["gz", "xz", "zst", "zip"])
def test_a_truncated_archive(quetzal, tmp_path: Path, rows, suffix: str) -> None:
    whole = compressed(rows.csv().encode(), suffix)
    path = tmp_path / f"survey.csv.{suffix}"
    path.write_bytes(whole[: len(whole) // 2])
    assert "survey.csv" in refuse(quetzal, path, *ZONE)


@pytest.mark.parametrize("suffix", ["gz", "xz", "zip"])
def test_a_bomb(quetzal, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"survey.csv.{suffix}"
    path.write_bytes(
        compressed(b"line,easting,northing,tmi\n" + b"1,470000,7560000,40\n" * 4_000_000, suffix)
    )
    assert "decompression bomb" in refuse(quetzal, path, *ZONE)


def test_a_folder_given_as_a_file(quetzal, tmp_path: Path) -> None:
    folder = tmp_path / "survey"
    folder.mkdir()
    assert "is a folder" in refuse(quetzal, folder)


def test_duplicate_rows_are_counted_and_said(quetzal, survey: Path, rows) -> None:
    lines = rows.csv().splitlines()
    survey.write_text("\n".join([*lines[:21], *lines[11:21], *lines[21:]]))
    folder = survey.parent / "products"
    arguments = ("--json", "--skip", "maps", "--skip", "report", *ZONE)
    said = quetzal("survey", "run", survey, "-o", folder, *arguments)
    assert said.code == 0
    assert '"duplicates": 10' in said.out


def test_rows_that_do_not_parse_are_listed_and_the_rest_is_used(
    quetzal, survey: Path, rows
) -> None:
    lines = rows.csv().splitlines()
    lines[30] = "0,470000.0,broken,1.0"
    survey.write_text("\n".join(lines))
    folder = survey.parent / "products"
    said = quetzal("survey", "run", survey, "-o", folder, "--json", "--skip", "maps", *ZONE)
    assert said.code == 0
    assert '"rejected_rows": 1' in said.out
    assert "broken" in (folder / "report.html").read_text()


def compressed(content: bytes, suffix: str) -> bytes:
    if suffix == "gz":
        return gzip.compress(content)
    if suffix == "xz":
        return lzma.compress(content, preset=1)
    if suffix == "zst":
        return zstandard.compress(content)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("survey.csv", content)
    return buffer.getvalue()


def test_readings_that_are_all_alike(quetzal, survey: Path, rows) -> None:
    survey.write_text(dataclasses.replace(rows, tmi=5.0 + 0.0 * rows.tmi).csv())
    assert "every reading is 5 nT" in refuse(quetzal, survey, *ZONE)


def test_a_line_column_that_numbers_the_stations(quetzal, survey: Path, rows) -> None:
    survey.write_text(dataclasses.replace(rows, line=np.arange(rows.line.size)).csv())
    assert "one station each" in refuse(quetzal, survey, *ZONE)


def test_two_stations(quetzal, survey: Path, rows) -> None:
    survey.write_text("\n".join(rows.csv().splitlines()[:2] + rows.csv().splitlines()[-1:]))
    assert "one station each" in refuse(quetzal, survey, *ZONE)


def test_positions_outside_their_reference_system(quetzal, survey: Path, rows) -> None:
    survey.write_text(dataclasses.replace(rows, northing=rows.northing + 7e12).csv())
    assert "check --crs" in refuse(quetzal, survey, *ZONE)


def test_cells_larger_than_the_survey(quetzal, survey: Path, rows) -> None:
    survey.write_text(rows.csv())
    assert "too large for a survey of" in refuse(quetzal, survey, *ZONE, "--cell-size", 1e5)
