from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quetzalcore.geophysics.survey import Floats
from quetzalcore.reporting import Stretch
from quetzalcore.reporting.coordinates import round_length, round_ticks
from quetzalcore.reporting.placement import spread

finite = st.floats(-1e6, 1e6, width=32)
grids = arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=finite)


@given(grids, st.sampled_from([Stretch.equalised, Stretch.symmetric]))
def test_a_stretch_never_turns_order_around(values: Floats, build: Callable[..., Stretch]) -> None:
    order = np.sort(values, axis=None)
    positions = build(values)(order)
    assert (np.diff(positions) >= 0).all()
    assert ((positions >= 0) & (positions <= 1)).all()


@given(grids, st.integers(2, 15))
def test_ticks_increase_and_lie_on_the_bar(values: Floats, count: int) -> None:
    stretch = Stretch.equalised(values)
    ticks = stretch.ticks(count)
    assert 1 <= len(ticks) <= count + 1
    assert (np.diff([tick.value for tick in ticks]) > 0).all()
    assert all(0 <= tick.position <= 1 for tick in ticks)


@given(st.floats(1e-6, 1e9))
def test_a_scale_bar_is_round_and_fills_at_least_two_fifths(at_most: float) -> None:
    length = round_length(at_most)
    assert 0.39 * at_most < length <= at_most * (1 + 1e-9)
    mantissa = length / 10.0 ** np.floor(np.log10(length) + 1e-9)
    assert min(abs(mantissa - m) for m in (1, 2, 5)) < 1e-6


@given(st.floats(-1e7, 1e7), st.floats(1.0, 1e6), st.integers(2, 10))
def test_ticks_of_the_frame_are_multiples_of_one_round_step(
    low: float, span: float, about: int
) -> None:
    ticks = round_ticks(low, low + span, about=about)
    assert about / 2 - 1 <= len(ticks) <= 2 * about + 1
    if len(ticks) > 1:
        step = ticks[1] - ticks[0]
        np.testing.assert_allclose(ticks / step, np.round(ticks / step), atol=1e-3)
        assert ticks[0] >= low - 1e-6 * span
        assert ticks[-1] <= low + span * (1 + 1e-6)


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_a_fixed_stretch_is_linear(low: float, span: float) -> None:
    stretch = Stretch.fixed(low, low + span)
    assert float(stretch(np.array(low + span / 4))) == pytest.approx(0.25, abs=1e-3)


@given(arrays(np.float64, st.tuples(st.integers(0, 9), st.just(2)), elements=st.floats(0, 40)))
def test_nine_symbols_at_most_always_find_a_free_place(places: Floats) -> None:
    spots = spread(places, apart=10.0)
    gaps = np.hypot(*(spots[:, None] - spots[None]).transpose(2, 0, 1))
    assert (gaps[np.triu_indices(len(spots), 1)] >= 10.0).all()
