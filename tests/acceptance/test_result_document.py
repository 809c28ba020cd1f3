"""The result document against the names, nesting and types that clients were promised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NUMBER = (int, float)
TEXT = (str,)
# A dict is an object with at least these keys, a list of one element an array of such elements.
PROMISED: dict[str, Any] = {
    "survey_info": {
        "num_stations": (int,),
        "line_km": NUMBER,
        "area_km2": NUMBER,
        "crs": TEXT,
        "file_format": TEXT,
        "igrf_corrected": (bool,),
        "igrf_model": TEXT,
        "survey_stats": {
            "mean_anomaly_nT": NUMBER,
            "max_anomaly_nT": NUMBER,
            "min_anomaly_nT": NUMBER,
            "std_anomaly_nT": NUMBER,
        },
    },
    "qc": {
        "noise_nT": NUMBER,
        "spikes": (int,),
        "line_spacing_m": NUMBER,
        "height_m": {},
        "warnings": [TEXT],
    },
    "grids": [{"name": TEXT, "artifact": TEXT, "unit": TEXT, "cell_size_m": NUMBER}],
    "depth": {"method": TEXT, "solutions": (int,), "artifact": TEXT},
    "mineral_discrimination": {
        "num_target_types": (int,),
        "all_targets": [{}],
        "high_priority_targets": [{}],
        "calibration": {"status": TEXT},
    },
    "drill_targets": [
        {
            "rank": (int,),
            "location": [(*NUMBER, type(None))],
            "easting_m": NUMBER,
            "northing_m": NUMBER,
            "depth_m": NUMBER,
            "depth_interval_m": [NUMBER],
            "anomaly_nT": NUMBER,
            "source_classes": [{"name": TEXT, "title": TEXT, "probability": NUMBER}],
            "collar": {"easting_m": NUMBER, "northing_m": NUMBER},
            "azimuth_deg": NUMBER,
            "dip_deg": NUMBER,
            "reasons": [TEXT],
        }
    ],
    "artifacts": [{"name": TEXT, "media_type": TEXT, "size": (int,), "sha256": TEXT}],
    "provenance": {"version": TEXT, "params": {}, "inputs": [{"role": TEXT}], "duration_s": NUMBER},
}


def departures(given: object, promised: object, place: str = "result") -> list[str]:
    """Name every place where ``given`` is not what was promised."""
    if isinstance(promised, dict):
        if not isinstance(given, dict):
            return [f"{place} is no object"]
        missing = [f"{place}.{key} is missing" for key in promised if key not in given]
        there = [key for key in promised if key in given]
        return missing + [
            each
            for key in there
            for each in departures(given[key], promised[key], f"{place}.{key}")
        ]
    if isinstance(promised, list):
        if not isinstance(given, list):
            return [f"{place} is no array"]
        return [
            each
            for index, item in enumerate(given)
            for each in departures(item, promised[0], f"{place}[{index}]")
        ]
    assert isinstance(promised, tuple)
    wrong_bool = isinstance(given, bool) and bool not in promised
    good = isinstance(given, promised) and not wrong_bool
    return [] if good else [f"{place} is {given!r}"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, rows) -> Path:
    """Products of a survey of total field in degrees, without maps."""
    from quetzalcore.cli import main  # noqa: PLC0415 -- the fixture of one function is too narrow

    place = tmp_path_factory.mktemp("result")
    table = zip(rows.line, rows.longitude, rows.latitude, 51_500 + 20 * rows.tmi, strict=True)
    (place / "survey.csv").write_text(
        "line,longitude,latitude,elevation,magnetic_field\n"
        + "\n".join(f"{a},{b:.7f},{c:.7f},300,{d:.3f}" for a, b, c, d in table)
    )
    options = ("--quiet", "--date", "2024-05-14", "--skip", "maps", "--min-anomaly", "5")
    with pytest.raises(SystemExit, match="0"):
        main.run(["survey", "run", str(place / "survey.csv"), "-o", str(place / "out"), *options])
    return place / "out"


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    document = json.loads((folder / "result.json").read_text())
    assert isinstance(document, dict)
    return document


def test_every_name_that_was_promised_is_there_with_its_type(told: dict[str, Any]) -> None:
    assert departures(told, PROMISED) == []


def test_the_promise_is_tested_on_values(told: dict[str, Any]) -> None:
    assert told["grids"]
    assert told["drill_targets"]
    assert all(len(target["location"]) == 3 for target in told["drill_targets"])
    assert all(len(target["depth_interval_m"]) == 2 for target in told["drill_targets"])


def test_artifacts_are_every_file_but_the_document_itself(
    folder: Path, told: dict[str, Any]
) -> None:
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    listed = {item["name"]: item for item in told["artifacts"]}
    assert set(listed) == there - {"result.json"}
    assert all((folder / name).stat().st_size == item["size"] for name, item in listed.items())
    assert all(grid["artifact"] in listed for grid in told["grids"])
    assert told["depth"]["artifact"] in listed


def test_a_departure_is_noticed() -> None:
    assert departures({"a": True, "b": [1]}, {"a": NUMBER, "b": [TEXT], "c": TEXT}) == [
        "result.c is missing", "result.a is True", "result.b[0] is 1",
    ]  # fmt: skip
    assert departures([], {"a": TEXT}) == ["result is no object"]
    assert departures({}, [TEXT]) == ["result is no array"]
