"""Tolles-Lawson: a known aircraft is found and taken off."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.conditioning import compensate, fit_compensation
from quetzalcore.geophysics.conditioning.compensation import tolles_lawson_terms
from quetzalcore.geophysics.survey import Floats, Survey

NAMES = ("flux_x", "flux_y", "flux_z")
FIELD_NT = 50_000.0
RATE_HZ = 10.0


def manoeuvres(seed: int) -> Survey:
    """Fly four headings with pitch, roll and yaw in an even field of inclination 60 degrees."""
    time = np.arange(0.0, 240.0, 1.0 / RATE_HZ)
    heading = np.radians(90.0 * (time // 60.0))
    phase = np.random.default_rng(seed).uniform(0.0, 6.0, 3)
    pitch = np.radians(5.0) * np.sin(2.0 * np.pi * 0.23 * time + phase[0])
    roll = np.radians(10.0) * np.sin(2.0 * np.pi * 0.31 * time + phase[1])
    yaw = heading + np.radians(5.0) * np.sin(2.0 * np.pi * 0.17 * time + phase[2])
    north, down = FIELD_NT * np.cos(np.radians(60.0)), FIELD_NT * np.sin(np.radians(60.0))
    ahead, right = north * np.cos(yaw), -north * np.sin(yaw)
    x = ahead * np.cos(pitch) - down * np.sin(pitch)
    below = ahead * np.sin(pitch) + down * np.cos(pitch)
    y = right * np.cos(roll) + below * np.sin(roll)
    z = -right * np.sin(roll) + below * np.cos(roll)
    channels = dict(zip(NAMES, (x, y, z), strict=True))
    n = len(time)
    return Survey(
        easting_m=50.0 * time,
        northing_m=np.zeros(n),
        tmi_nt=np.full(n, FIELD_NT),
        line=np.zeros(n, dtype=np.int32),
        line_names=("C1",),
        time_s=time,
        channels=MappingProxyType(channels),
    )


def aircraft_nt(survey: Survey) -> Floats:
    """Give the field of an aircraft with permanent, induced and eddy parts, nT."""
    terms = tolles_lawson_terms(
        survey, channels=NAMES, terms=18, field_nt=FIELD_NT, rate_hz=RATE_HZ
    )
    parts = np.random.default_rng(9).normal(0.0, 1.0, 18)
    parts *= np.repeat([12.0, 5.0, 1.0], [3, 6, 9])
    field: Floats = terms @ parts
    return field


@pytest.mark.parametrize("terms", [16, 18])
def test_manoeuvre_noise_falls_at_least_tenfold_on_another_flight(terms: int) -> None:
    calm = manoeuvres(1)
    noise = np.random.default_rng(2).normal(0.0, 0.02, len(calm))
    found = fit_compensation(calm.with_tmi(FIELD_NT + aircraft_nt(calm) + noise), terms=terms)
    assert found.improvement_ratio > 10.0
    other = manoeuvres(5)
    step = compensate(other.with_tmi(FIELD_NT + aircraft_nt(other)), found)
    for part in range(4):
        steady = slice(600 * part + 50, 600 * part + 550)
        before, after = aircraft_nt(other)[steady].std(), step.tmi_nt[steady].std()
        assert after < before / 8.0
    assert step.details["terms"] == terms
    assert step.warnings == ()
    assert abs(float(np.mean(step.tmi_nt - other.tmi_nt - aircraft_nt(other)))) < 5.0


def test_a_quiet_aircraft_stays_as_it_is() -> None:
    calm = manoeuvres(1)
    noisy = calm.with_tmi(FIELD_NT + np.random.default_rng(2).normal(0.0, 0.05, len(calm)))
    found = fit_compensation(noisy)
    assert found.improvement_ratio == pytest.approx(1.0, abs=0.2)
    assert compensate(noisy, found).rms_change_nt < 5.0


def test_a_perfect_fit_has_an_infinite_ratio() -> None:
    flight = manoeuvres(1)
    found = fit_compensation(flight.with_tmi(FIELD_NT + aircraft_nt(flight)))
    assert replace(found, after_nt=0.0).improvement_ratio == float("inf")


def test_rows_without_fluxgate_lose_their_reading_aloud() -> None:
    flight = manoeuvres(1)
    found = fit_compensation(flight.with_tmi(FIELD_NT + aircraft_nt(flight)))
    broken = {**flight.channels, "flux_y": flight.channels["flux_y"].copy()}
    broken["flux_y"][100] = np.nan
    step = compensate(replace(flight, channels=MappingProxyType(broken)), found)
    assert np.isnan(step.tmi_nt[100])
    assert "without a fluxgate reading" in step.warnings[0]


def test_a_single_row_line_has_no_rate_of_turn() -> None:
    flight = manoeuvres(1)
    number = flight.line.copy()
    number[-1] = 1
    split = replace(flight, line=number, line_names=("C1", "C2"))
    terms = tolles_lawson_terms(split, channels=NAMES, terms=18, field_nt=FIELD_NT, rate_hz=10.0)
    assert (terms[-1, 9:] == 0.0).all()


def test_what_cannot_be_fitted_is_refused() -> None:
    flight = manoeuvres(1)
    with pytest.raises(BadParameter, match="17 Tolles-Lawson terms"):
        fit_compensation(flight, terms=17)
    with pytest.raises(BadParameter, match="ridge"):
        fit_compensation(flight, ridge=0.0)
    with pytest.raises(BadParameter, match="the band is"):
        fit_compensation(flight, band_hz=(0.1, 9.0))
    with pytest.raises(BadSurvey, match="no fluxgate channel"):
        fit_compensation(flight, channels=("a", "b", "flux_z"))
    with pytest.raises(BadSurvey, match="needs the survey's time"):
        fit_compensation(replace(flight, time_s=None))
    with pytest.raises(BadSurvey, match="does not advance"):
        fit_compensation(replace(flight, time_s=np.zeros(len(flight))))
    with pytest.raises(BadSurvey, match="the calibration flight has 20 rows"):
        fit_compensation(flight.select(np.arange(20)))
    still = {name: np.ones(len(flight)) for name in NAMES}
    with pytest.raises(BadSurvey, match="did not turn"):
        fit_compensation(replace(flight, channels=MappingProxyType(still)))
