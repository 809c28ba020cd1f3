"""Despiking: spikes go, geology stays."""

from __future__ import annotations

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.conditioning import despike
from quetzalcore.geophysics.survey import Survey


def test_spikes_are_replaced_by_what_was_there(flown: Survey) -> None:
    noisy = flown.tmi_nt + np.random.default_rng(1).normal(0.0, 0.02, len(flown))
    rows = [40, 41, 500, 1150, 1500]
    spiked = noisy.copy()
    spiked[rows] += [300.0, -120.0, 30.0, -2000.0, 8.0]
    step = despike(flown.with_tmi(spiked))
    assert step.rows_changed == len(rows)
    assert step.details["spikes"] == len(rows)
    assert np.abs(step.tmi_nt - noisy).max() < 0.2
    assert step.max_change_nt == pytest.approx(2000.0, abs=0.2)
    assert step.rms_change_nt == pytest.approx(np.sqrt(np.mean((step.tmi_nt - spiked) ** 2)))


def test_a_spike_beside_a_larger_one_is_found_once_that_is_gone(flown: Survey) -> None:
    spiked = flown.tmi_nt + np.random.default_rng(1).normal(0.0, 0.02, len(flown))
    spiked[[500, 504]] += [4000.0, 60.0]
    step = despike(flown.with_tmi(spiked))
    assert np.abs(step.tmi_nt - flown.tmi_nt).max() < 0.2


def test_a_sharp_real_anomaly_is_not_flattened(flown: Survey) -> None:
    """A dyke 25 m under a sensor that reads every 10 m: the sharpest that ground level allows."""
    away = flown.easting_m - 1503.0
    sharp = 4000.0 * (1.0 - 0.04 * away) / (1.0 + (away / 25.0) ** 2) + flown.tmi_nt
    noisy = sharp + np.random.default_rng(2).normal(0.0, 0.05, len(flown))
    assert despike(flown.with_tmi(noisy)).rows_changed == 0


def test_missing_readings_stay_missing_and_clean_data_stays_as_it_is(flown: Survey) -> None:
    tmi = flown.tmi_nt.copy()
    tmi[100:120] = np.nan
    step = despike(flown.with_tmi(tmi))
    assert step.rows_changed == 0
    assert np.array_equal(step.tmi_nt, tmi, equal_nan=True)


def test_repeated_positions_do_not_break_the_repair(flown: Survey) -> None:
    spiked = flown.tmi_nt + np.random.default_rng(1).normal(0.0, 0.02, len(flown))
    spiked[500] += 300.0
    still = flown.easting_m.copy()
    still[498:503] = still[500]
    moved = Survey(
        easting_m=still,
        northing_m=flown.northing_m,
        tmi_nt=spiked,
        line=flown.line,
        line_names=flown.line_names,
    )
    assert abs(despike(moved).tmi_nt[500] - flown.tmi_nt[500]) < 2.0


def test_a_threshold_that_would_flag_noise_is_refused(flown: Survey) -> None:
    with pytest.raises(BadParameter, match="spike threshold"):
        despike(flown, threshold=1.0)
