"""Rules of rate limits are read as they are meant, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quetzalcore.errors import BadParameter
from quetzalcore.identity.limits import parse_rules

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


@settings(deadline=None)
@given(st.integers(1, 10**9), st.sampled_from(sorted(SECONDS)), st.sampled_from(["/", " per "]))
def test_a_rule_means_what_it_says(amount, unit, word) -> None:
    rule = parse_rules({"requests": f"{amount}{word}{unit}"})["requests"]
    assert (rule.amount, rule.get_expiry()) == (amount, SECONDS[unit])


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_a_rule_or_a_mistake_in_words(text) -> None:
    try:
        rule = parse_rules({"login": text})["login"]
    except BadParameter as error:
        said, amount, seconds = str(error), 1, 1
    else:
        said, amount, seconds = "login", rule.amount, rule.get_expiry()
    assert "login" in said
    assert amount >= 1
    assert seconds >= 1


@pytest.mark.parametrize(
    "rule", ["", "0/minute", "-1/minute", "ten/minute", "5/minute;9/hour", "5"]
)
def test_a_rule_that_means_nothing_is_refused(rule) -> None:
    with pytest.raises(BadParameter, match="100/minute"):
        parse_rules({"requests": rule})
