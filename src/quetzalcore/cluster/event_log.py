"""The numbered events that an agent keeps until its master has stored them."""

from __future__ import annotations

from collections import Counter, deque
from itertools import islice
from typing import Any, TypeVar

from quetzalcore.cluster.messages import AgentEvent, Finished, LogLine, Produced, Progressed

__all__ = ["CHATTER_LIMIT", "EventLog"]

CHATTER_LIMIT = 1000  # unread progress and log lines of one attempt; what comes after is dropped
_PRESSING = (Finished, Produced)
E = TypeVar("E", bound=AgentEvent)


class EventLog:
    """Events in order, each until acknowledged.

    Starts, products and endings are never dropped. Progress and log lines of an attempt are, while
    ``CHATTER_LIMIT`` of them wait unread.
    """

    def __init__(self, *, first: int = 1) -> None:
        self._next = first
        self._events: deque[AgentEvent] = deque()
        self._chatter: Counter[str] = Counter()
        self._pressing = 0

    def __len__(self) -> int:
        """Count what waits to be acknowledged."""
        return len(self._events)

    def is_pressing(self) -> bool:
        """Say whether somebody waits for what happened: an end, or products that need their links."""
        return self._pressing > 0

    def add(self, kind: type[E], *, attempt_id: str, job_id: str, **fields: Any) -> E | None:  # noqa: ANN401 -- the event's own fields
        """Append an event under the next number; give None if it was dropped."""
        chatter = issubclass(kind, Progressed | LogLine)
        if chatter and self._chatter[attempt_id] >= CHATTER_LIMIT:
            return None
        event = kind(sequence=self._next, attempt_id=attempt_id, job_id=job_id, **fields)
        self._next += 1
        self._events.append(event)
        if chatter:
            self._chatter[attempt_id] += 1
        self._pressing += isinstance(event, _PRESSING)
        return event

    def acknowledge(self, after: int) -> tuple[AgentEvent, ...]:
        """Drop and give the events up to and including a number."""
        dropped: list[AgentEvent] = []
        while self._events and self._events[0].sequence <= after:
            event = self._events.popleft()
            dropped.append(event)
            if isinstance(event, Progressed | LogLine):
                self._chatter[event.attempt_id] -= 1
            self._pressing -= isinstance(event, _PRESSING)
        self._chatter = +self._chatter
        return tuple(dropped)

    def read(self, *, limit: int = 500) -> tuple[AgentEvent, ...]:
        """Give the oldest events; up to the last for which somebody waits, if there is one.

        So the start of a short task is stored with its end.
        """
        oldest = list(islice(self._events, limit))
        pressing = [place for place, event in enumerate(oldest, 1) if isinstance(event, _PRESSING)]
        return tuple(oldest[: pressing[-1]] if pressing else oldest)
