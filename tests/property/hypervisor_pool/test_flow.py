from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.hypervisor.flow import LOG_BYTES, Flow, Said, admit
from quetzalcore.hypervisor.protocol import Logged, Progressed

SAID = st.builds(Logged, text=st.text(max_size=20) | st.just("a" * 60_000)) | st.builds(
    Progressed, stage=st.sampled_from("ab"), fraction=st.floats(0, 1)
)


def _all_heard(said: list[tuple[float, Said]]) -> tuple[Flow, list[Said]]:
    heard: list[Said] = []
    flow, now_s = Flow(at_s=0.0), 0.0
    for wait_s, one in said:
        now_s += wait_s
        flow, passed = admit(flow, one, now_s)
        heard += passed
    return flow, heard


@given(st.lists(st.tuples(st.floats(0, 0.1), SAID), max_size=200))
def test_no_more_is_heard_than_is_allowed(said: list[tuple[float, Said]]) -> None:
    _, heard = _all_heard(said)
    duration_s = sum(wait_s for wait_s, _ in said)
    steps = [one for one in heard if isinstance(one, Progressed)]
    lines = [one for one in heard if isinstance(one, Logged)]
    assert len(steps) <= 50 + 20 * duration_s + 1
    assert sum(len(line.text) for line in lines) <= LOG_BYTES + 200  # and the notes
    assert sum(line.level == "warning" for line in lines) <= 2


def test_the_newest_step_that_came_too_fast_waits_to_be_told() -> None:
    steps = [(0.0, Progressed(stage="a", fraction=i / 100)) for i in range(100)]
    flow, heard = _all_heard(list(steps))
    assert len(heard) == 50
    assert flow.waiting == Progressed(stage="a", fraction=0.99)


def test_a_quiet_task_is_heard_in_full() -> None:
    said: list[tuple[float, Said]] = [(0.01, Logged(text=str(i))) for i in range(500)]
    _, heard = _all_heard(said)
    assert heard == [one for _, one in said]


def test_a_flood_of_lines_is_cut_with_one_note() -> None:
    _, heard = _all_heard([(0.0, Logged(text="a")) for _ in range(10_000)])
    assert len(heard) == 2001
    assert isinstance(heard[-1], Logged)
    assert "left out" in heard[-1].text


def test_a_log_of_many_bytes_ends_with_one_note() -> None:
    _, heard = _all_heard([(1.0, Logged(text="a" * 60_000)) for _ in range(100)])
    assert isinstance(heard[-1], Logged)
    assert "1 MiB" in heard[-1].text
    assert len(heard) == 18
