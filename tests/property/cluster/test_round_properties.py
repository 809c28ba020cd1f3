"""How long a master waits for more to happen before it looks again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.cluster.term_state import round_s

seconds = st.floats(0, 1e5)
counts = st.integers(0, 1000)


@given(seconds, counts, st.floats(0.5, 500))
def test_nobody_waits_while_a_core_could_be_idle(typical_s, attempts, cores) -> None:
    if attempts <= cores:
        assert round_s(typical_s, attempts=attempts, cores=cores) == 0.0


@given(seconds, counts, st.floats(0.5, 500))
def test_a_round_is_short_beside_an_attempt_and_at_all(typical_s, attempts, cores) -> None:
    lasts_s = round_s(typical_s, attempts=attempts, cores=cores)
    assert 0.0 <= lasts_s <= 0.05
    assert lasts_s <= typical_s / 4


def test_long_jobs_in_many_slots_are_stored_together() -> None:
    assert round_s(10.0, attempts=8, cores=2.0) > 0.0
