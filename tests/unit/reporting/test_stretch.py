from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.reporting import Stretch


def test_equalisation_gives_every_colour_the_same_share() -> None:
    values = np.random.default_rng(1).lognormal(3, 2, 100_000)
    share, _ = np.histogram(Stretch.equalised(values)(values), bins=10, range=(0, 1))
    np.testing.assert_allclose(share, 10_000, rtol=0.02)


def test_the_median_of_an_equalised_stretch_stands_in_the_middle() -> None:
    values = np.array([1.0, 2.0, 3.0, 1000.0, 5000.0])
    assert Stretch.equalised(values)(np.array(3.0)) == pytest.approx(0.5)


def test_tied_values_share_one_position() -> None:
    values = np.concatenate([np.zeros(900), np.linspace(1, 100, 100)])
    stretch = Stretch.equalised(values)
    assert (np.diff(stretch.knots) > 0).all()
    assert stretch(np.array([-5.0, 500.0])).tolist() == [0.0, 1.0]


def test_a_symmetric_stretch_puts_zero_in_the_middle_and_mirrors_signs() -> None:
    values = np.random.default_rng(2).standard_t(2, 5000)
    stretch = Stretch.symmetric(values)
    probe = np.linspace(0, 20, 50)
    assert stretch(np.array(0.0)) == pytest.approx(0.5)
    np.testing.assert_allclose(stretch(probe) - 0.5, 0.5 - stretch(-probe), atol=1e-6)


def test_a_symmetric_stretch_of_zeros_still_has_a_range() -> None:
    assert Stretch.symmetric(np.zeros(4)).knots.tolist() == [-1.0, 1.0]


def test_a_constant_grid_gets_a_narrow_range_about_its_value() -> None:
    stretch = Stretch.equalised(np.full(10, 48_000.0))
    assert stretch(np.array(48_000.0)) == pytest.approx(0.5)
    assert 0 < np.ptp(stretch.knots) < 200


def test_nan_is_left_out_of_the_quantiles_and_stays_nan() -> None:
    values = np.array([np.nan, 1.0, 2.0, 3.0, np.nan])
    stretch = Stretch.equalised(values)
    assert stretch.knots[0] == 1.0
    assert np.isnan(stretch(values)[[0, 4]]).all()


def test_extremes_are_never_thinned_away() -> None:
    values = np.full(1_000_000, np.nan)
    values[1::2], values[3], values[77_777] = 4.0, 3.0, 5.0
    assert Stretch.equalised(values).knots[[0, -1]].tolist() == [3.0, 5.0]


@pytest.mark.parametrize("build", [Stretch.equalised, Stretch.symmetric])
def test_a_grid_without_values_is_refused(build: Callable[..., Stretch]) -> None:
    with pytest.raises(BadParameter, match="no finite value"):
        build(np.full((3, 3), np.nan))


def test_an_empty_fixed_range_is_refused() -> None:
    with pytest.raises(BadParameter, match="is empty"):
        Stretch.fixed(1.0, 1.0)


def test_ticks_carry_true_values_at_their_own_positions() -> None:
    stretch = Stretch.equalised(np.random.default_rng(3).normal(0, 200, 5000))
    ticks = stretch.ticks(9)
    assert len(ticks) >= 6
    for tick in ticks:
        assert float(stretch(np.array(tick.value))) == pytest.approx(tick.position, abs=1e-6)
        assert float(tick.label.replace("\N{MINUS SIGN}", "-")) == pytest.approx(
            tick.value, rel=0.01
        )
    assert (np.diff([tick.position for tick in ticks]) >= 0.55 / 9 - 1e-6).all()


def test_a_symmetric_bar_labels_zero() -> None:
    ticks = Stretch.symmetric(np.random.default_rng(4).normal(0, 1e-3, 5000)).ticks(8)
    assert "0" in [tick.label for tick in ticks]


def test_the_ends_of_a_bar_carry_the_extremes() -> None:
    ticks = Stretch.equalised(np.array([-2748.0, -10.0, 0.0, 5.0, 5598.0])).ticks(5)
    assert (ticks[0].label, ticks[-1].label) == ("\N{MINUS SIGN}2750", "5600")
    assert (ticks[0].position, ticks[-1].position) == (0.0, 1.0)


def test_the_ends_of_a_narrow_range_far_from_zero_keep_their_digits() -> None:
    ticks = Stretch.fixed(48_001.0, 48_003.5).ticks(5)
    assert (ticks[0].label, ticks[-1].label) == ("48001", "48003.5")


def test_minute_values_are_labelled_with_exponents() -> None:
    labels = [tick.label for tick in Stretch.fixed(0.0, 3e-7).ticks(5)]
    assert any("e" in label for label in labels)
    assert labels[0] == "0"


def test_marks_are_labelled_as_given() -> None:
    ticks = Stretch.fixed(-90.0, 90.0, marks=(-90.0, 0.0, 45.0)).ticks()
    assert [tick.label for tick in ticks] == ["\N{MINUS SIGN}90", "0", "45"]
    assert [tick.position for tick in ticks] == pytest.approx([0.0, 0.5, 0.75])


def test_inverse_leads_back_to_the_value() -> None:
    stretch = Stretch.equalised(np.arange(1000.0) ** 2)
    probe = np.array([5.0, 900.0, 5e5])
    np.testing.assert_allclose(
        stretch.inverse(stretch(probe).astype(float)), probe, rtol=1e-3, atol=1
    )


def test_a_least_value_next_to_nothing_is_not_printed_with_an_exponent() -> None:
    amplitudes = np.geomspace(3.9e-6, 12.0, 5000)
    labels = [
        tick.label
        for tick in Stretch.equalised(amplitudes + 0.01 * np.linspace(0, 1, 5000)).ticks()
    ]
    assert not [label for label in labels if "e" in label]
