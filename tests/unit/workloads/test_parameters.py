from __future__ import annotations

from typing import Any

import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.workloads.catalog import OURS
from quetzalcore.workloads.parameters import canonical_params


def refuse(kind: str, given: dict[str, Any]) -> str:
    with pytest.raises(BadParameter) as caught:
        canonical_params(OURS[kind], given)
    said = str(caught.value)
    assert len(said) < 600
    return said


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ("igrf", {"lat": 1, "date": "2020-01-01"}, "field longitude_deg: a value is missing"),
        ("igrf", {"lon": 1, "lat": 91, "date": "2020-01-01"}, "less than or equal to 90"),
        ("igrf", {"lon": 1, "lat": 1, "date": "1899-12-31"}, "1900-01-01"),
        ("igrf", {"lon": [1, 2], "lat": [1, 2, 3], "date": "2020-01-01"}, "one length"),
        ("igrf", {"points": [{"lon": 1, "lat": 1}]}, "point 1 a date"),
        ("igrf", {"points": [{"lon": 1, "lat": 1, "z": 1}], "date": "2020-01-01"}, "write point 1"),
        ("igrf", {"points": [], "date": "2020-01-01"}, "at least one point"),
        ("igrf", {"points": [{}] * 100_001, "date": "2020-01-01"}, "at most 100,000 points"),
        ("igrf", {"points": [{}], "lon": 1}, "either points or columns"),
        ("igrf", {"lon": float("nan"), "lat": 1, "date": "2020-01-01"}, "field lon.0: the value is nan"),
        ("cost_analysis", {"area_km2": 0}, "field area_km2: the value is 0"),
        ("cost_analysis", {"area_km2": 1, "methods": ["gravity"]}, "field methods.0: the value is 'gravity'"),
        ("cost_analysis", {"area_km2": 1, "methods": ["radiometrics"]}, "add magnetometry"),
        ("cost_analysis", {"area_km2": 1, "prior_probability": 0.5}, "or neither"),
        ("cost_analysis", {"area_km2": 1, "target": {"shape": "line"}}, "give radius_m"),
        ("cost_analysis", {"area_km2": 1, "cost": 1}, "field cost: there is no such parameter"),
        ("mag_survey", {"input": {"dem": "/etc/passwd"}}, "inputs.dem"),
        ("mag_survey", {"input": {"base_station": "base.csv"}}, "inputs.base_station"),
        ("mag_survey", {"inputs": {"survey": "../etc/passwd"}}, "inputs.survey"),
        ("mag_survey", {"inputs": {"survey": "a\nb"}}, "inputs.survey"),
        ("mag_survey", {"grid": {"cell_size_m": -5}}, "greater than 0"),
        ("mag_survey", {"skip": ["lunch"]}, "field skip.0: the value is 'lunch'"),
        ("mag_survey", {"custom_step": {"module": "x", "at": "gridded", "channels": ["a"]}}, "leave"),
        ("wasm", {"module": {}}, "either the name"),
        ("wasm", {"module": "UPPER"}, "module.name"),
        ("wasm", {"module": "a.wasm", "over": "grid", "columns": ["tmi"]}, "leave columns out"),
        ("wasm", {"module": "a.wasm", "columns": ["a", "a"]}, "each column once"),
        ("wasm", {"module": "a.wasm", "memory_mib": 5000}, "4096"),
        ("discriminate", {"values": [1.0] * 20, "locations": [[0, 0]] * 19}, "20 values and 19"),
        ("discriminate", {"observations": [{"width_m": -1}]}, "observations.0.width_m: the value is -1"),
        ("discriminate", {"observations": [{}], "grid": "a.tif"}, "either observations or a field"),
        ("discriminate", {"values": [1.0], "locations": [[0, 0]]}, "at least 16 values"),
        ("target_drills", {"grid": "a.tif", "values": [1.0] * 20}, "either a grid or values"),
        ("target_drills", {"grid": "a.tif", "top_n": 0}, "top_n: the value is 0"),
        ("target_drills", {"values": [float("inf")] * 20, "locations": [[0, 0]] * 20}, "values.0"),
        ("inspect", {"height_role": "depth"}, "height_role: the value is 'depth'"),
        ("noop", {"sleep_s": "long"}, "sleep_s: the value is 'long'"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named_with_what_to_do(
    kind: str, given: dict[str, Any], words: str
) -> None:
    assert words in refuse(kind, given)


def test_a_huge_wrong_value_is_not_repeated() -> None:
    assert len(refuse("noop", {"sleep_s": "x" * 10_000_000})) < 300
    assert "a list of 100000" in refuse("noop", {"sleep_s": [1] * 100_000})


def test_what_means_the_same_comes_out_the_same() -> None:
    igrf = OURS["igrf"]
    column = canonical_params(igrf, {"longitude": 10, "latitude": "20", "date": "2020-01-01"})
    point = canonical_params(igrf, {"points": [{"lon": 10.0, "lat": 20}], "date": "2020-01-01"})
    assert column == point
    module = canonical_params(OURS["wasm"], {"module": "clip"})["module"]
    assert module == {"name": "clip", "input": None}
    assert canonical_params(OURS["wasm"], {"module": "clip.wasm"})["module"]["input"] == "clip.wasm"
    drills = OURS["target_drills"]
    short = canonical_params(drills, {"grid": "a.tif", "min_anomaly": 5})
    assert short == canonical_params(drills, {"grid": "a.tif", "min_anomaly_nt": 5.0})
    places = [[float(i), float(i % 4)] for i in range(16)]
    named = [{"easting": x, "northing": y} for x, y in places]
    values = [1.0] * 16
    assert canonical_params(drills, {"values": values, "locations": places}) == canonical_params(
        drills, {"values": values, "locations": named}
    )


def test_a_survey_asks_for_memory_by_its_rows() -> None:
    kind = OURS["mag_survey"]

    def memory(name: str, size: int, *, named: bool = True) -> int:
        params = canonical_params(kind, {"inputs": {"survey": name if named else None}})
        return kind.resources(params, {name: size}).memory_mib

    assert 1120 < memory("osborne.csv.xz", 2_212_428) < 2048  # 990,987 rows took 1.12 GB
    assert 5000 < memory("large.csv", 10_000_000 * 70) < 12_000  # 1e7 rows took 5 GB
    assert memory("survey.csv", 10_000) < 1024
    assert memory("survey.csv", 10**12) == memory("survey.xz", 10**12) < 12 * 1024
    assert memory("osborne.csv.xz", 10**6, named=False) == memory("osborne.csv.xz", 10**6)


def test_parameters_nested_too_deep_for_a_message_are_refused() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    assert "nested too deep" in refuse("noop", {"echo": deep})
