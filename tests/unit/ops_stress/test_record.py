"""What is written down every second, and read again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.ops.stress.record import Key, Second, Tally, line_of, read_record

TIMES = st.lists(st.floats(0.02, 100_000.0), min_size=1, max_size=200)
KEY = Key(route="GET /health", status=200, ok=True, instance="one")


def tally(times) -> Tally:
    found = Tally()
    for took_ms in times:
        found.add(took_ms)
    return found


@given(TIMES, st.sampled_from([1, 50, 95, 99, 100]))
def test_a_percentile_is_within_one_percent(times, percent) -> None:
    exact = float(np.percentile(times, percent, method="inverted_cdf"))
    assert tally(times).percentile_ms(percent) == pytest.approx(exact, rel=0.0101)


@given(TIMES, TIMES)
def test_two_tallies_merge_to_that_of_all(first, second) -> None:
    merged = tally(first)
    merged.merge(tally(second))
    whole = tally(first + second)
    assert merged.classes == whole.classes
    assert (merged.count, merged.max_ms) == (whole.count, whole.max_ms)
    assert merged.mean_ms == pytest.approx(whole.mean_ms)


def test_a_tally_of_nothing_has_no_times() -> None:
    assert Tally().mean_ms is None
    assert Tally().percentile_ms(95) is None


def test_times_below_the_first_class_still_count() -> None:
    assert tally([0.0, 0.001]).percentile_ms(50) == 0.001


@given(TIMES)
def test_a_second_is_read_as_it_was_written(times) -> None:
    failed = Key(route="POST /api/jobs", status=0, ok=False, fault="ConnectionResetError")
    written = Second(
        number=3, users=5, cpu_percent=12.5, tallies={KEY: tally(times), failed: tally([7.0])}
    )
    (read,) = read_record([line_of(written)]).seconds
    assert (read.number, read.users, read.cpu_percent) == (3, 5, 12.5)
    assert read.tallies[failed].count == 1
    assert read.tallies[KEY].classes == written.tallies[KEY].classes
    assert read.tallies[KEY].sum_ms == pytest.approx(written.tallies[KEY].sum_ms, abs=0.001)


def test_a_record_that_was_cut_off_keeps_its_whole_seconds() -> None:
    line = line_of(Second(number=0, users=1, cpu_percent=0, tallies={KEY: tally([1.0])}))
    found = read_record([line, line[:40]])
    assert len(found.seconds) == 1
    assert found.ended_s is None


def test_the_last_word_on_the_end_counts() -> None:
    found = read_record(
        [
            '{"ended_s": 3.5, "stopped": "", "left_jobs": ["a"]}',
            '{"ended_s": 3.5, "stopped": "why", "left_jobs": ["a", "b"]}',
        ]
    )
    assert (found.ended_s, found.stopped, found.left_jobs) == (3.5, "why", ("a", "b"))


def test_nothing_written_is_an_empty_record() -> None:
    assert read_record([]).seconds == ()
