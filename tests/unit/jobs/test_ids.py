"""Ids sort by time and are alike in form."""

from __future__ import annotations

import datetime as dt
import re

from quetzalcore.jobs.ids import new_id

_NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def test_an_id_is_26_lower_case_characters_that_cannot_be_misread() -> None:
    for _ in range(100):
        assert re.fullmatch("[0-9a-hjkmnp-tv-z]{26}", new_id())


def test_ids_sort_by_the_time_they_were_made() -> None:
    moments = [_NOW + dt.timedelta(milliseconds=7**n) for n in range(12)]
    ids = [new_id(moment) for moment in moments]
    assert ids == sorted(ids)


def test_ids_of_one_moment_differ() -> None:
    assert len({new_id(_NOW) for _ in range(1000)}) == 1000


def test_the_time_of_an_id_made_now_is_now() -> None:
    past = new_id(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    future = new_id(dt.datetime(2200, 1, 1, tzinfo=dt.UTC))
    assert past < new_id() < future
