"""Long messages are cut, and nothing of them is lost or told twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.cluster.messages import Assignment, EventBatch, LogLine, Start, Stop
from quetzalcore.cluster.portions import commands, first_events
from quetzalcore.jobs.model import Resources

SIZES = st.lists(st.integers(0, 3000), max_size=20)
MOST = st.integers(500, 5000)


def _assignment(number: int, size: int) -> Assignment:
    return Assignment(
        attempt_id=str(number), job_id="j", tenant="t", kind="k", run="m:f", tier="bare",
        resources=Resources(), params={"text": "a" * size}, wall_s=1, trust="tenant", lease_s=1,
    )  # fmt: skip


@given(SIZES, MOST)
def test_a_long_order_is_given_in_parts_that_make_the_whole(sizes: list[int], most: int) -> None:
    whole = Start(epoch=3, assignments=tuple(_assignment(i, n) for i, n in enumerate(sizes)))
    parts = [(len(body), Start.model_validate_json(body)) for body in commands(whole, most=most)]
    assert tuple(a for _, part in parts for a in part.assignments) == whole.assignments
    for size, part in parts:
        assert part.epoch == 3
        assert size <= most or len(part.assignments) == 1


@given(SIZES, MOST)
def test_events_are_read_in_parts_until_none_is_left(sizes: list[int], most: int) -> None:
    left = tuple(
        LogLine(sequence=i, attempt_id="a", job_id="j", text="a" * n) for i, n in enumerate(sizes)
    )
    heard: list[str] = []
    while left:
        body = first_events(EventBatch(events=left), most=most)
        some = EventBatch.model_validate_json(body).events
        assert some == left[: len(some)]
        assert some
        assert len(body) <= most or len(some) == 1
        left = left[len(some) :]
        heard += [event.type for event in some]
    assert len(heard) == len(sizes)


def test_other_commands_are_given_whole() -> None:
    stop = Stop(epoch=1, attempt_ids=("a" * 100,))
    assert commands(stop, most=10) == (stop.model_dump_json().encode(),)
