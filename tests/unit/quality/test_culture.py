from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from quetzalcore.geophysics import simulation
from quetzalcore.geophysics.forward import dipole_field, direction
from quetzalcore.geophysics.quality import CultureFlag, CultureKind, assess
from quetzalcore.geophysics.simulation import SimulationPlan, default_plan
from quetzalcore.geophysics.survey import Survey

EARTH = direction(-55.0, 6.0)
CLEARANCE_M = 60.0
LINES = 12
Iron = Sequence[tuple[float, float, float, float]]  # easting, northing, below the sensor, nT on top


def flown_over(
    iron: Iron, *, step_m: float = 6.0, noise_nt: float = 0.1, altimeter: bool = True
) -> Survey:
    """Fly twelve lines of 1.2 km to the north, 100 m apart, over induced dipoles."""
    stations = int(1200.0 / step_m)
    easting = np.repeat(np.arange(LINES) * 100.0, stations)
    northing = np.tile(np.arange(stations) * step_m, LINES)
    place = np.array([(e, n, -depth) for e, n, depth, _ in iron]).reshape(-1, 3)
    moment = np.array([nt * depth**3 / 200.0 for *_, depth, nt in iron])[:, None] * EARTH
    field = dipole_field(easting, northing, np.zeros(len(easting)), place, moment)
    noise = np.random.default_rng(3).normal(0.0, noise_nt, len(easting))
    clearance = {"radar_altimeter_m": np.full(len(easting), CLEARANCE_M)}
    return Survey(
        easting_m=easting,
        northing_m=northing,
        tmi_nt=EARTH @ np.array(field) + noise,
        line=np.repeat(np.arange(LINES, dtype=np.int32), stations),
        line_names=tuple(f"L{i}" for i in range(LINES)),
        channels=MappingProxyType(clearance if altimeter else {}),
    )


def pipeline(*, weak: tuple[int, ...] = (), depth_m: float = CLEARANCE_M) -> Iron:
    return [
        (100.0 * i, 600.0 + 30.0 * i - 150.0, depth_m, 1.0 if i in weak else 25.0)
        for i in range(LINES)
    ]


@pytest.mark.parametrize("noise_nt", [0.0, 0.01, 1.0])
@pytest.mark.parametrize("depth_m", [120.0, 150.0, 200.0, 400.0])
def test_a_body_well_below_the_ground_is_no_culture(depth_m: float, noise_nt: float) -> None:
    ball = [(550.0, 600.0, depth_m, 500.0)]
    survey = flown_over(ball, step_m=20.0, noise_nt=noise_nt, altimeter=False)
    assert np.ptp(survey.tmi_nt) > 300.0
    assert assess(survey).culture == ()


def test_a_building_is_flagged_where_and_as_far_as_it_is() -> None:
    (flag,) = assess(flown_over([(505.0, 640.0, CLEARANCE_M, 30.0)])).culture
    assert (flag.kind, flag.line) == (CultureKind.ISOLATED, "L5")
    assert flag.easting_m == 500.0
    assert flag.northing_m == pytest.approx(640.0, abs=15.0)
    assert flag.distance_m == pytest.approx(CLEARANCE_M, rel=0.15)
    assert 20.0 < flag.amplitude_nt < 40.0
    assert 1000 <= flag.first_row < 1107 < flag.last_row < 1200
    assert flag.last_row - flag.first_row == pytest.approx(2 * CLEARANCE_M / 6.0, rel=0.3)


def test_the_same_source_is_culture_only_where_the_sensor_is_as_high_as_it_is_far() -> None:
    survey = flown_over([(500.0, 600.0, 110.0, 60.0)])
    higher = replace(survey, channels={"radar_altimeter_m": np.full(len(survey), 100.0)})
    assert assess(survey).culture == ()
    assert [flag.line for flag in assess(higher).culture] == ["L5"]


def test_a_pipeline_is_linear_and_lines_that_hardly_show_it_are_bridged() -> None:
    flags = assess(flown_over(pipeline(weak=(4, 7)))).culture
    assert {flag.kind for flag in flags} == {CultureKind.LINEAR}
    assert len({flag.line for flag in flags} - {"L4", "L7"}) == LINES - 2
    for flag in flags:
        assert flag.northing_m == pytest.approx(450.0 + 0.3 * flag.easting_m, abs=20.0)


def test_a_pipeline_as_deep_as_geology_is_not_flagged() -> None:
    assert assess(flown_over(pipeline(depth_m=150.0))).culture == ()


def test_each_source_is_flagged_once_on_a_line() -> None:
    flags = assess(flown_over(pipeline(), noise_nt=0.01)).culture
    assert len(flags) == len({flag.line for flag in flags})


def test_noise_alone_is_no_culture() -> None:
    assert assess(flown_over([(0.0, 0.0, 60.0, 0.0)], noise_nt=3.0)).culture == ()


def test_missing_readings_and_steady_ones_are_no_culture() -> None:
    survey = flown_over([(505.0, 640.0, CLEARANCE_M, 30.0)])
    tmi = survey.tmi_nt.copy()
    tmi[survey.line == 5] = np.nan
    assert assess(survey.with_tmi(tmi)).culture == ()
    assert assess(survey.with_tmi(np.full(len(survey), 50.0))).culture == ()


def test_stations_too_far_apart_for_the_ground_show_no_culture() -> None:
    survey = flown_over(pipeline(), step_m=40.0)
    assert assess(survey).culture == ()


def test_an_assumed_clearance_is_said_only_where_it_matters() -> None:
    known = assess(flown_over(pipeline()))
    assumed = assess(flown_over(pipeline(), altimeter=False))
    nothing = assess(flown_over([(0.0, 0.0, 60.0, 0.0)], altimeter=False))
    assert any("line up" in text for text in known.warnings)
    said = [any("assumed" in text for text in r.warnings) for r in (known, assumed, nothing)]
    assert said == [False, True, False]


SMALL = replace(
    default_plan(),
    extent_m=3000.0,
    regional_nt=5.0,
    errors=simulation.AcquisitionErrors(lag_s=0.0),
)


def flags_of(plan: SimulationPlan, seed: int) -> tuple[CultureFlag, ...]:
    return assess(simulation.simulate(plan, np.random.default_rng(seed)).survey).culture


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12])
def test_most_crossings_of_a_simulated_pipeline_are_flagged_and_geology_is_not(seed: int) -> None:
    found = flags_of(SMALL, seed)
    pipe = SMALL.centre_northing_m + 0.37 * SMALL.extent_m / 2
    near = {
        flag.line
        for flag in found
        if flag.kind is CultureKind.LINEAR
        and abs(flag.northing_m - pipe - 0.1 * (flag.easting_m - SMALL.centre_easting_m)) < 60.0
    }
    lines = SMALL.extent_m / SMALL.line_spacing_m + 1
    assert len([name for name in near if name.startswith("L")]) > 0.6 * lines
    assert len(flags_of(replace(SMALL, culture=0), seed)) <= 1  # of 110 line-km
