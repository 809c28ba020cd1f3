from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.client.sse import JobEvent, parse_events

_VALUES = st.dictionaries(st.text(max_size=8), st.text(max_size=20) | st.integers(), max_size=4)
_EVENTS = st.lists(
    st.builds(
        JobEvent,
        sequence=st.integers(min_value=1, max_value=10**9),
        type=st.sampled_from(["progress", "log", "state", "result"]),
        data=_VALUES,
    ),
    max_size=8,
)


@given(events=_EVENTS, spaced=st.booleans())
def test_what_is_written_as_the_standard_says_is_read_back(
    *, events: list[JobEvent], spaced: bool
) -> None:
    space = " " if spaced else ""
    lines: list[str] = []
    for event in events:
        lines += [
            ": a heartbeat",
            "",
            f"id:{space}{event.sequence}",
            f"event:{space}{event.type}",
            *(f"data:{space}{part}" for part in json.dumps(event.data, indent=1).split("\n")),
            "retry: 1000",
            "",
        ]
    assert list(parse_events(lines)) == events


@given(_EVENTS)
def test_an_event_that_breaks_off_is_not_given(events: list[JobEvent]) -> None:
    lines = [
        line
        for event in events
        for line in (
            f"id: {event.sequence}",
            f"event: {event.type}",
            f"data: {json.dumps(event.data)}",
            "",
        )
    ]
    assert list(parse_events(lines[:-1])) == events[:-1]
