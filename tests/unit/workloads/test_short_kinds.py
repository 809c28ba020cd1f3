"""The kinds that answer at once: the main field, and what a survey costs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from quetzalcore.errors import UserMistake
from quetzalcore.geophysics import economics, igrf


def test_the_main_field_at_one_point_is_the_library_s(run) -> None:
    params = {"longitude": -43.7, "latitude": -23.5, "height": 700, "date": "2024-01-01"}
    result = run("igrf", params).result
    (point,) = result["points"]
    there = igrf.field(-43.7, -23.5, 700.0, 2024.0)
    assert result["model"] == "IGRF-14"
    assert point["total_nt"] == pytest.approx(float(there.total_nt), abs=1e-3)
    assert point["declination_deg"] == pytest.approx(float(there.declination_deg), abs=1e-3)
    assert point["date"] == "2024-01-01"


def test_points_have_their_own_dates_and_heights_and_keep_their_order(run) -> None:
    points = [
        {"lon": 10, "lat": 50, "date": "1950-06-01"},
        {"longitude_deg": 10, "latitude_deg": 50, "height_m": 5000},
        {"lon": -70, "lat": -30},
    ]
    told = run("igrf", {"points": points, "date": "2020-06-01"}).result["points"]
    assert [p["date"] for p in told] == ["1950-06-01", "2020-06-01", "2020-06-01"]
    assert [p["height_m"] for p in told] == [0.0, 5000.0, 0.0]
    years = np.array([igrf.decimal_year(np.datetime64(p["date"]).item()) for p in told])
    exact = igrf.field([10, 10, -70], [50, 50, -30], [0, 5000, 0], years).total_nt
    assert [p["total_nt"] for p in told] == pytest.approx(exact.tolist(), abs=1e-3)


def test_many_points_go_into_a_file(run) -> None:
    latitude = np.linspace(-89.0, 89.0, 1001).tolist()
    ran = run("igrf", {"longitude": 12.5, "latitude": latitude, "date": "2015-01-01"})
    assert ran.result["points"] == []
    assert ran.result["count"] == 1001
    assert ran.artifacts == {"field.csv"}
    with (ran.output / "field.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 1001
    totals = [float(row["total_nt"]) for row in rows]
    assert [min(totals), max(totals)] == pytest.approx(ran.result["ranges"]["total_nt"])
    assert rows[0]["longitude_deg"] == "12.5"


def test_a_cost_analysis_is_the_library_s(run) -> None:
    params = {"project_type": "mag_survey", "area_km2": 10, "methods": ["magnetometry"]}
    result = run("cost_analysis", params).result
    request = economics.CostRequest(area_km2=10.0)
    ours = economics.estimate(request, economics.load_rates(None), np.random.default_rng(1))
    assert result["total_usd"]["p50"] == ours.total_usd.p50
    assert set(result) == set(economics.to_dict(ours))
    assert result["assumptions"]


def test_every_parameter_of_the_command_can_be_given(run) -> None:
    result = run(
        "cost_analysis",
        {
            "area_km2": 25, "methods": ["magnetometry", "gradiometry"], "platform": "helicopter",
            "line_spacing_m": 100, "sensor_height_m": 35, "prior_probability": 0.1,
            "discovery_value_usd": 1e8, "seed": 3, "draws": 2000,
            "target": {"shape": "rectangle", "length_m": 400, "width_m": 50, "susceptibility_si": 0.2},
        },
    ).result  # fmt: skip
    assert result["line_spacing_m"] == 100
    assert not result["spacing_was_optimised"]
    assert result["information"]["information_usd"] > 0
    assert "gradiometry" in result["breakdown_usd"]


def test_an_operator_s_rates_are_used_and_wrong_ones_refused(run) -> None:
    rates = '[permits]\nunit = "{unit}"\np10 = 9e7\np50 = 9e7\np90 = 9e7\nsource = "us"\ndate = "2026"\n'
    unit = economics.load_rates(None)["permits"].unit
    settings = {"rates_toml": rates.format(unit=unit)}
    dear = run("cost_analysis", {"area_km2": 10}, settings=settings).result
    assert dear["total_usd"]["p50"] > 9e7
    with pytest.raises(UserMistake, match="convert it"):
        run("cost_analysis", {"area_km2": 10}, settings={"rates_toml": rates.format(unit="pesos")})


def test_nothing_is_done_and_the_echo_comes_back(run, tmp_path: Path) -> None:
    assert run("noop", {"echo": "ping", "sleep_s": 0.001}).result == {"echo": "ping"}
    assert tmp_path.is_dir()
