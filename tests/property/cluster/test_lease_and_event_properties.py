"""Lease books and event logs under any sequence of calls, beside plain models of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.cluster.event_log import CHATTER_LIMIT, EventLog
from quetzalcore.cluster.leases import MARGIN, LeaseBook
from quetzalcore.cluster.messages import AgentEvent, Finished, LogLine, Started

attempts = st.sampled_from("abc")
steps = st.lists(
    st.tuples(st.sampled_from(["grant", "renew", "release", "wait"]), attempts, st.floats(0.1, 50)),
    max_size=40,
)


class Model:
    """A lease book beside the true ends of its leases, which the ledger goes by."""

    def __init__(self) -> None:
        self.book, self.now = LeaseBook(), 0.0
        self.true_ends: dict[str, float] = {}

    def grant(self, attempt: str, seconds: float) -> None:
        self.book.grant(attempt, lease_s=seconds, now_s=self.now)
        self.true_ends[attempt] = self.now + seconds

    def renew(self, attempt: str, seconds: float) -> None:
        known = self.book.renew(attempt, lease_s=seconds, now_s=self.now)
        assert known == (attempt in self.true_ends)
        if known:
            self.true_ends[attempt] = max(self.true_ends[attempt], self.now + seconds)

    def release(self, attempt: str, _seconds: float) -> None:
        self.book.release(attempt)
        self.true_ends.pop(attempt, None)

    def wait(self, _attempt: str, seconds: float) -> None:
        until = self.now + seconds
        while (deadline := self.book.next_deadline()) is not None and deadline <= until:
            for expired in self.book.take_expired(deadline):
                assert deadline <= self.true_ends.pop(expired), "the ledger gave it away before"
        self.now = until
        assert all(end > until for end in self.true_ends.values()), "left to run too long"


@given(steps)
def test_an_attempt_expires_once_and_never_after_its_lease_has_ended(sequence) -> None:
    model = Model()
    for action, attempt, seconds in sequence:
        getattr(model, action)(attempt, seconds)
        assert set(model.book.attempts()) == set(model.true_ends)


@given(st.floats(1, 100), st.floats(0, 100))
def test_a_deadline_lies_a_margin_before_the_lease_ends(lease_s, now) -> None:
    book = LeaseBook()
    book.grant("a", lease_s=lease_s, now_s=now)
    deadline = book.next_deadline()
    assert deadline is not None
    assert abs((now + lease_s - deadline) - MARGIN * lease_s) < 1e-9 * (1 + now + lease_s)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.sampled_from([Started, LogLine, Finished])),
            st.tuples(st.just("acknowledge"), st.integers(0, 30)),
        ),
        max_size=60,
    )
)
def test_every_event_is_given_until_it_is_acknowledged_and_in_order(sequence) -> None:
    log = EventLog(first=5)
    expected: list[AgentEvent] = []
    for action, what in sequence:
        if action == "add":
            extra = {Started: {}, LogLine: {"text": "x"}, Finished: {"ending": "succeeded"}}[what]
            event = log.add(what, attempt_id="a", job_id="j", **extra)
            assert event is not None
            assert not expected or event.sequence == expected[-1].sequence + 1
            expected.append(event)
        else:
            dropped = log.acknowledge(what)
            assert all(event.sequence <= what for event in dropped)
            expected = [event for event in expected if event.sequence > what]
        ends = [place for place, event in enumerate(expected, 1) if isinstance(event, Finished)]
        assert list(log.read()) == (expected[: ends[-1]] if ends else expected)
        assert log.is_pressing() == bool(ends)


def test_chatter_is_dropped_when_nobody_reads_and_endings_never() -> None:
    log = EventLog()
    for number in range(CHATTER_LIMIT + 10):
        log.add(LogLine, attempt_id="a", job_id="j", text=str(number))
    assert log.add(LogLine, attempt_id="a", job_id="j", text="dropped") is None
    assert log.add(LogLine, attempt_id="b", job_id="k", text="another attempt's") is not None
    assert log.add(Finished, attempt_id="a", job_id="j", ending="succeeded") is not None
    assert len(log) == CHATTER_LIMIT + 2
    log.acknowledge(log.read(limit=1)[0].sequence)
    assert log.add(LogLine, attempt_id="a", job_id="j", text="room again") is not None
