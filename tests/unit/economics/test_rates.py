"""Rates: sources, quantiles, overriding, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.economics import Rate, load_rates

OWN_QUOTE = """
[acquisition_drone]
unit = "USD/line-km"
p10 = 90
p50 = 90
p90 = 90
source = "quote 17 of a contractor"
date = "2026-03-01"
"""


def test_every_rate_has_a_source_a_date_and_an_increasing_range() -> None:
    for name, rate in load_rates().by_name.items():
        assert rate.source, name
        assert rate.date, name
        assert 0 < rate.p10 <= rate.p50 <= rate.p90, name


def test_no_source_is_claimed_for_an_assumption() -> None:
    sources = {rate.source for rate in load_rates().by_name.values()}
    assert sources == {"assumption of this project"}


def test_draws_have_the_stated_quantiles_and_the_closed_mean() -> None:
    rate = Rate(unit="USD", p10=50.0, p50=80.0, p90=200.0, source="test", date="2026")
    draws = rate.sample(400_000, np.random.default_rng(0))
    np.testing.assert_allclose(np.quantile(draws, [0.1, 0.5, 0.9]), [50, 80, 200], rtol=0.01)
    assert rate.mean == pytest.approx(draws.mean(), rel=0.01)


def test_a_symmetric_range_is_a_lognormal_with_its_textbook_mean() -> None:
    rate = Rate(unit="USD", p10=50.0, p50=100.0, p90=200.0, source="test", date="2026")
    sigma = np.log(2) / 1.2815515655446004
    assert rate.mean == pytest.approx(100 * np.exp(sigma**2 / 2))


def test_a_user_s_quote_replaces_one_rate_and_keeps_the_others() -> None:
    rates = load_rates(OWN_QUOTE)
    assert rates["acquisition_drone"].mean == pytest.approx(90.0)
    assert rates["acquisition_drone"].sample(3, np.random.default_rng(0)).tolist() == [90.0] * 3
    assert rates["permits"] == load_rates()["permits"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[acquisition_drone]", "[acquisition_dragon]", "acquisition_dragon"),
        ("p50 = 90", "p50 = 9", "p10, p50, p90"),
        ("p50 = 90", 'p50 = "much"', "much"),
        ("p90 = 90", "p90 = inf", "inf"),
        ("p10 = 90", "p10 = 0", "p10, p50, p90"),
        ('date = "2026-03-01"', "", "incomplete"),
        ("USD/line-km", "EUR/line-km", "EUR"),
        ("[acquisition_drone]", "acquisition_drone = 3\n[permits]", "incomplete"),
        ("[acquisition_drone]", "[acquisition_drone", "TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(old: str, new: str, words: str) -> None:
    with pytest.raises(BadParameter, match=words):
        load_rates(OWN_QUOTE.replace(old, new))
