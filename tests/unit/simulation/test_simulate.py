"""What a simulated survey is made of: each error alone, and all together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics import deposits
from quetzalcore.geophysics.simulation import SimulationPlan, default_plan, simulate
from quetzalcore.geophysics.survey import HeightRole


def _rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def _with(plan: SimulationPlan, **errors: float) -> SimulationPlan:
    return replace(plan, errors=replace(plan.errors, **errors))


def test_the_same_seed_gives_the_same_survey_and_another_seed_another(
    full_plan: SimulationPlan,
) -> None:
    one, same, other = (simulate(full_plan, _rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.survey.tmi_nt, same.survey.tmi_nt)
    np.testing.assert_array_equal(one.base.tmi_nt, same.base.tmi_nt)
    assert not np.array_equal(one.survey.tmi_nt, other.survey.tmi_nt)


def test_without_errors_the_reading_is_main_field_plus_anomaly(quiet_plan: SimulationPlan) -> None:
    made = simulate(quiet_plan, _rng())
    np.testing.assert_allclose(made.survey.tmi_nt, 50_000 + made.anomaly_nt, atol=1e-6)
    assert np.ptp(made.anomaly_nt) > 100


def test_a_lag_records_what_was_sensed_before(quiet_plan: SimulationPlan) -> None:
    plan = replace(_with(quiet_plan, lag_s=0.5), sample_rate_hz=10.0, line_spacing_m=1000.0)
    made = simulate(plan, _rng())
    for _, rows in made.survey.line_slices():
        reading, truth = made.survey.tmi_nt[rows] - 50_000, made.anomaly_nt[rows]
        np.testing.assert_allclose(reading[5:], truth[:-5], atol=1e-6)


def test_the_heading_error_changes_sign_with_the_heading(quiet_plan: SimulationPlan) -> None:
    made = simulate(_with(quiet_plan, heading_nt=1.5), _rng())
    error = made.survey.tmi_nt - 50_000 - made.anomaly_nt
    for line, rows in made.survey.line_slices():
        tie = made.survey.line_names[line].startswith("T")
        expected = 0.0 if tie else 1.5 * np.sign(np.diff(made.survey.northing_m[rows][:2])[0])
        np.testing.assert_allclose(error[rows], expected, atol=1e-6)


def test_the_base_station_records_the_days_variation(quiet_plan: SimulationPlan) -> None:
    made = simulate(_with(quiet_plan, diurnal_nt=25.0, micropulsation_nt=0.5), _rng())
    variation = made.survey.tmi_nt - 50_000 - made.anomaly_nt
    assert np.ptp(variation) > 5
    assert made.survey.time_s is not None
    base = np.interp(made.survey.time_s, made.base.time_s, made.base.tmi_nt)
    residual = variation - base
    assert residual.std() < 0.1


def test_noise_and_spikes_have_the_planned_size(quiet_plan: SimulationPlan) -> None:
    plan = replace(quiet_plan, sample_rate_hz=10.0)
    noisy = simulate(_with(plan, noise_nt=0.1), _rng())
    assert (noisy.survey.tmi_nt - 50_000 - noisy.anomaly_nt).std() == pytest.approx(0.1, rel=0.05)
    spiky = simulate(_with(plan, spike_share=0.01), _rng())
    spikes = np.abs(spiky.survey.tmi_nt - 50_000 - spiky.anomaly_nt) > 1
    assert spikes.mean() == pytest.approx(0.01, rel=0.3)


def test_each_line_has_its_own_level(quiet_plan: SimulationPlan) -> None:
    made = simulate(_with(quiet_plan, level_nt=2.0), _rng())
    error = made.survey.tmi_nt - 50_000 - made.anomaly_nt
    levels = [error[rows].mean() for _, rows in made.survey.line_slices()]
    assert 0.8 < np.std(levels) < 3.5
    inside = [error[rows].std() for _, rows in made.survey.line_slices()]
    assert max(inside) < 2.0


def test_geology_has_the_planned_spread(quiet_plan: SimulationPlan) -> None:
    bare = replace(quiet_plan, bodies=())
    assert np.abs(simulate(bare, _rng()).anomaly_nt).max() == 0
    made = simulate(replace(bare, geology_nt=5.0, line_spacing_m=200.0), _rng())
    assert made.anomaly_nt.std() == pytest.approx(5.0, rel=0.3)


def test_culture_is_in_the_readings_and_not_in_the_truth(quiet_plan: SimulationPlan) -> None:
    plan = replace(quiet_plan, culture=3, sample_rate_hz=10.0)
    made, clean = simulate(plan, _rng()), simulate(quiet_plan, _rng())
    culture = made.survey.tmi_nt - 50_000 - made.anomaly_nt
    assert 5 < np.abs(culture).max() < 500
    assert np.median(np.abs(culture)) < 1
    assert np.ptp(made.anomaly_nt) == pytest.approx(np.ptp(clean.anomaly_nt), rel=0.2)


def test_lines_ties_heights_and_times_are_as_planned(full_plan: SimulationPlan) -> None:
    survey = simulate(full_plan, _rng()).survey
    assert sum(name.startswith("L") for name in survey.line_names) == 13
    assert sum(name.startswith("T") for name in survey.line_names) == 4
    assert survey.height_role is HeightRole.ELLIPSOIDAL
    assert survey.time_s is not None
    assert survey.height_m is not None
    assert (np.diff(survey.time_s) > 0).all()
    altimeter = survey.channels["radar_altimeter_m"]
    np.testing.assert_allclose(survey.height_m - survey.channels["ground_m"], altimeter)
    assert altimeter.min() >= full_plan.clearance_m / 2 - 1e-9
    assert altimeter.mean() == pytest.approx(60, abs=3)
    assert 3 < altimeter.std() < 15
    for line, rows in survey.line_slices():
        across = survey.northing_m if survey.line_names[line][0] == "T" else survey.easting_m
        assert np.ptp(across[rows]) < 40


def test_positions_agree_with_their_longitude_and_latitude(full_plan: SimulationPlan) -> None:
    survey = simulate(full_plan, _rng()).survey
    assert survey.longitude_deg is not None
    assert survey.latitude_deg is not None
    assert 140 < survey.longitude_deg.min() < survey.longitude_deg.max() < 141.5
    assert -23 < survey.latitude_deg.min() < survey.latitude_deg.max() < -21
    # 1 degree of latitude is about 110.7 km there.
    north = np.ptp(survey.northing_m) / np.ptp(survey.latitude_deg)
    assert north == pytest.approx(110_700, rel=0.005)


def test_the_declination_is_turned_by_the_convergence(full_plan: SimulationPlan) -> None:
    earth = simulate(full_plan, _rng()).main_field
    assert earth.inclination_deg == -60
    # West of zone 54's central meridian (141 E) in the south, grid north lies east of true north.
    longitude_deg, latitude_deg = 140.71, -22.07
    convergence = np.degrees(
        np.arctan(np.tan(np.radians(longitude_deg - 141)) * np.sin(np.radians(latitude_deg)))
    )
    assert earth.declination_deg == pytest.approx(5 - convergence, abs=0.01)


def test_the_default_bodies_are_drillable_and_of_many_kinds() -> None:
    plan = default_plan()
    assert {body.kind for body in plan.bodies} == {"prism", "sphere", "dyke", "pipe"}
    assert any(body.koenigsberger > 1 for body in plan.bodies)
    known = deposits.load_priors().names
    for body in plan.bodies:
        assert abs(body.easting_m - plan.centre_easting_m) < plan.extent_m / 2 - 500
        assert abs(body.northing_m - plan.centre_northing_m) < plan.extent_m / 2 - 500
        assert 20 <= body.depth_to_top_m <= 300
        assert body.source_class in known


def test_every_default_body_stands_out_of_the_noise(full_plan: SimulationPlan) -> None:
    plan = replace(full_plan, line_spacing_m=100.0)
    amplitudes = [body.amplitude_nt for body in simulate(plan, _rng()).bodies]
    assert min(amplitudes) > 30
    assert max(amplitudes) > 1000


def test_by_default_the_main_field_is_igrf() -> None:
    plan = replace(default_plan(), line_spacing_m=2000.0, tie_spacing_m=3000.0, sample_rate_hz=1.0)
    earth = simulate(plan, _rng()).main_field
    assert earth.inclination_deg == pytest.approx(-52.8, abs=0.1)
    assert earth.total_nt == pytest.approx(51_442, abs=10)


def test_a_plan_that_cannot_be_flown_is_refused(full_plan: SimulationPlan) -> None:
    with pytest.raises(BadParameter, match="speed_ms is 0"):
        replace(full_plan, speed_ms=0.0)
    with pytest.raises(BadParameter, match="line_spacing_m is nan"):
        replace(full_plan, line_spacing_m=float("nan"))
    with pytest.raises(BadParameter, match="at least as wide"):
        replace(full_plan, extent_m=1500.0)
