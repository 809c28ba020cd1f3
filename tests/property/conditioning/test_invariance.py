"""What conditioning must not depend on, and what it must undo."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quetzalcore.geophysics.conditioning import (
    BaseStation,
    correct_diurnal,
    correct_heading,
    correct_lag,
    crossovers,
    level_ties,
)
from quetzalcore.geophysics.conditioning.drift import drift_basis
from quetzalcore.geophysics.quality import classify_lines
from quetzalcore.geophysics.survey import Survey


def fly(*, seed: int = 0) -> Survey:
    """Fly ten traverses and three ties over a smooth field with a little noise."""
    along = 10.0 * np.arange(61)
    east = [along if i % 2 == 0 else along[::-1] for i in range(10)]
    north = [np.full(61, 60.0 * i) for i in range(10)]
    east += [np.full(62, x) for x in (103.0, 303.0, 503.0)]
    north += [10.0 * np.arange(62) - 37.0] * 3
    easting, northing = np.concatenate(east), np.concatenate(north)
    smooth = 40.0 * np.sin(easting / 150.0) * np.cos(northing / 190.0)
    number = np.repeat(np.arange(13), [len(part) for part in east])
    return Survey(
        easting_m=easting,
        northing_m=northing,
        tmi_nt=smooth + np.random.default_rng(seed).normal(0.0, 0.1, len(easting)),
        line=number.astype(np.int32),
        line_names=tuple(str(i) for i in range(13)),
        time_s=np.arange(len(easting), dtype=np.float64),
    )


FLOWN = fly()
LINES = classify_lines(FLOWN)


@settings(max_examples=15, deadline=None)
@given(st.floats(-5e4, 5e4), st.floats(-200.0, 200.0))
def test_levelling_forgets_the_level_of_the_survey_and_of_the_ties(
    level: float, ties: float
) -> None:
    moved = FLOWN.with_tmi(FLOWN.tmi_nt + level + np.where(FLOWN.line >= 10, ties, 0.0))
    here, there = level_ties(FLOWN, LINES), level_ties(moved, LINES)
    assert np.allclose(there.tmi_nt - level, here.tmi_nt, atol=0.05)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_levelling_brings_any_levels_of_traverses_closer_to_the_truth(seed: int) -> None:
    levels = np.append(np.random.default_rng(seed).normal(0.0, 10.0, 10), np.zeros(3))[FLOWN.line]
    step = level_ties(FLOWN.with_tmi(FLOWN.tmi_nt + levels), LINES)
    left = step.tmi_nt - FLOWN.tmi_nt
    traverse = FLOWN.line < 10
    assert left[traverse].std() < 0.5 * levels[traverse].std()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=0, max_size=6, unique=True))
def test_reversing_lines_moves_no_crossover(turned: list[int]) -> None:
    rows = np.concatenate(
        [
            np.arange(len(FLOWN))[part][:: -1 if line in turned else 1]
            for line, part in FLOWN.line_slices()
        ]
    )
    here, there = crossovers(FLOWN, LINES), crossovers(FLOWN.select(rows), LINES)
    order = [np.lexsort((c.tie, c.traverse)) for c in (here, there)]
    assert np.allclose(here.misfit_nt[order[0]], there.misfit_nt[order[1]])
    assert np.allclose(here.easting_m[order[0]], there.easting_m[order[1]])


@settings(max_examples=15, deadline=None)
@given(st.floats(-40.0, 40.0))
def test_a_lag_and_its_opposite_undo_each_other(lag_m: float) -> None:
    smooth = FLOWN.with_tmi(40.0 * np.sin(FLOWN.easting_m / 150.0))
    there = correct_lag(smooth, lag_m=lag_m)
    back = correct_lag(smooth.with_tmi(there.tmi_nt), lag_m=-lag_m)
    known = ~np.isnan(back.tmi_nt)
    assert known.sum() > 500
    assert np.allclose(back.tmi_nt[known], smooth.tmi_nt[known], atol=0.1)


@given(st.dictionaries(st.floats(0.0, 359.0), st.floats(-50.0, 50.0), min_size=1, max_size=8))
def test_a_heading_table_moves_whole_lines(table: dict[float, float]) -> None:
    step = correct_heading(FLOWN, LINES, table=table)
    moved = FLOWN.tmi_nt - step.tmi_nt
    for line in range(13):
        assert np.ptp(moved[FLOWN.line == line]) < 1e-9
    assert moved.max() <= max(table.values()) + 1e-9
    assert moved.min() >= min(table.values()) - 1e-9


@given(st.floats(2e4, 7e4), st.floats(-100.0, 100.0))
def test_a_base_that_stands_still_changes_the_level_only_by_its_datum(
    level: float, off: float
) -> None:
    base = BaseStation(time_s=np.array([-10.0, 2e3]), tmi_nt=np.array([level, level]))
    same = correct_diurnal(FLOWN, base, max_gap_s=1e4)
    assert np.allclose(same.tmi_nt, FLOWN.tmi_nt)
    lower = correct_diurnal(FLOWN, base, datum_nt=level - off, max_gap_s=1e4)
    assert np.allclose(lower.tmi_nt, FLOWN.tmi_nt - off)


@given(
    st.lists(st.floats(1.0, 5e4), min_size=1, max_size=5),
    st.floats(100.0, 1e4),
    st.floats(0.0, 1.0),
)
def test_splines_sum_to_one_everywhere(lengths: list[float], knot_m: float, share: float) -> None:
    basis = drift_basis(np.array(lengths), knot_m=knot_m)
    run = np.arange(len(lengths))
    columns, weights = basis.weights(run, share * np.array(lengths))
    assert np.allclose(weights[:, 1:].sum(axis=1), 1.0)
    assert (weights >= -1e-12).all()
    assert (columns < basis.first[1:][:, None]).all()
