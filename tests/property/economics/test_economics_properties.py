"""Whatever the numbers: information never hurts, closer lines never see less."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quetzalcore.geophysics.economics import (
    Target,
    detection_probability,
    expected_value_of_information,
)

chances = st.floats(0, 1)


@given(
    prior=chances, value=st.floats(0, 1e9), drilling=st.floats(0, 1e8), hit=chances, false=chances
)
def test_information_is_worth_something_between_nothing_and_certainty(
    *, prior: float, value: float, drilling: float, hit: float, false: float
) -> None:
    answer = expected_value_of_information(
        prior_probability=prior,
        discovery_value_usd=value,
        drilling_usd=drilling,
        survey_usd=0.0,
        detection=hit,
        false_alarm=false,
    )
    slack = 1e-9 * (value + drilling) + 1e-9
    assert 0 <= answer.information_usd <= answer.perfect_usd + slack


@given(prior=chances, value=st.floats(0, 1e9), drilling=st.floats(0, 1e8), blind=chances)
def test_an_answer_that_does_not_depend_on_the_body_is_worth_nothing(
    prior: float, value: float, drilling: float, blind: float
) -> None:
    answer = expected_value_of_information(
        prior_probability=prior,
        discovery_value_usd=value,
        drilling_usd=drilling,
        survey_usd=0.0,
        detection=blind,
        false_alarm=blind,
    )
    assert answer.information_usd == pytest.approx(0, abs=1e-9 * (value + drilling) + 1e-9)


@settings(deadline=None)
@given(
    size=st.floats(10, 500),
    depth=st.floats(300, 900),
    chi=st.floats(1e-4, 0.5),
    spacing=st.floats(20, 1000),
    noise=st.floats(0.1, 20),
)
def test_closer_lines_never_see_less(
    *, size: float, depth: float, chi: float, spacing: float, noise: float
) -> None:
    body = Target(length_m=size, depth_to_centre_m=depth, susceptibility_si=chi)
    wide = detection_probability(body, spacing * 1.5, noise_nt=noise)
    close = detection_probability(body, spacing, noise_nt=noise)
    assert 0 <= wide.combined <= close.combined + 1e-6
    assert close.combined <= min(close.crossing, 1) + 1e-12
    assert close.combined <= close.without_crossing + 1e-6
