"""Crossovers: every crossing, exactly where it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quetzalcore.geophysics.conditioning import crossing, crossover_stats, crossovers
from quetzalcore.geophysics.quality import LineSummary
from quetzalcore.geophysics.survey import Survey

pytestmark = pytest.mark.kernels


def test_every_tie_crosses_every_traverse_once(
    flown: Survey, lines: tuple[LineSummary, ...]
) -> None:
    found = crossovers(flown, lines)
    assert len(found) == 21 * 4
    pairs = {(int(a), int(b)) for a, b in zip(found.traverse, found.tie, strict=True)}
    assert pairs == {(a, b) for a in range(21) for b in range(21, 25)}
    assert found.northing_m == pytest.approx(100.0 * found.traverse, abs=1e-6)
    assert set(np.round(found.easting_m).tolist()) == {303.0, 1203.0, 2103.0, 2703.0}
    assert found.tie_along_m == pytest.approx(found.northing_m + 53.0, abs=1e-6)
    assert np.abs(found.misfit_nt).max() < 0.5
    assert np.isnan(found.height_difference_m).all()


def test_misfit_is_tie_minus_traverse_and_gradient_is_of_both_lines(
    flown: Survey, lines: tuple[LineSummary, ...]
) -> None:
    tilted = 0.3 * flown.easting_m + 0.4 * flown.northing_m + np.where(flown.line >= 21, 12.0, 0.0)
    high = np.where(flown.line >= 21, 95.0, 80.0)
    found = crossovers(replace(flown, tmi_nt=tilted, height_m=high), lines)
    assert found.misfit_nt == pytest.approx(12.0)
    assert found.gradient_nt_m == pytest.approx(0.5)
    assert found.height_difference_m == pytest.approx(15.0)
    stats = crossover_stats(found.misfit_nt)
    assert stats.count == 84
    assert stats.median_nt == pytest.approx(12.0)
    assert stats.rms_nt == pytest.approx(12.0)
    assert stats.spread_nt == pytest.approx(0.0, abs=1e-9)


def test_crossings_in_gaps_and_beside_missing_readings_are_left_out(
    flown: Survey, lines: tuple[LineSummary, ...]
) -> None:
    tmi = flown.tmi_nt.copy()
    tmi[(flown.line == 4) & (np.abs(flown.easting_m - 303.0) < 20.0)] = np.nan
    gap = (flown.line == 6) & (np.abs(flown.easting_m - 1203.0) < 60.0)
    found = crossovers(flown.with_tmi(tmi).select(~gap), lines)
    assert len(found) == 82


def test_without_ties_there_are_none(flown: Survey, lines: tuple[LineSummary, ...]) -> None:
    found = crossovers(flown, tuple(line for line in lines if line.kind == "traverse"))
    assert len(found) == 0
    assert crossover_stats(found.misfit_nt).count == 0


def test_more_crossings_than_first_made_room_for_are_all_kept(
    flown: Survey, lines: tuple[LineSummary, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crossing, "_FIRST_CAPACITY", 5)
    few = flown.select((flown.line < 4) | (flown.line > 20))
    assert len(crossovers(few, lines)) == 16
