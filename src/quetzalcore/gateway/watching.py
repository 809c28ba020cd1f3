"""Jobs' events for any number of watchers, from one poll of the ledger per instance."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog

from quetzalcore.errors import Retryable
from quetzalcore.jobs.ledger import JobLedger
from quetzalcore.jobs.model import TERMINAL, Event, EventType, JobState

__all__ = ["Subscription", "Watcher", "is_end"]

_log = structlog.get_logger(__name__)
_PAGE = 500
_REMEMBERED = 256
_TICK_S = 1.0
_LEAST_PAUSE_S = 0.002
_AWAY_PAUSE_S = 1.0


@dataclass(slots=True)
class _Topic:
    """What is known of one job's events: all after ``base`` and up to ``seen`` are in ``recent``."""

    seen: int
    base: int
    watchers: int = 0
    recent: deque[Event] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, events: tuple[Event, ...]) -> None:
        self.recent.extend(events)
        self.seen = events[-1].sequence
        while len(self.recent) > _REMEMBERED:
            self.base = self.recent.popleft().sequence
        self.wake()

    def wake(self) -> None:
        self.news.set()
        self.news = asyncio.Event()


class Subscription:
    """One watcher's place in a job's story; holds a number, not a queue, so slow readers cost nothing."""

    def __init__(self, watcher: Watcher, topic: _Topic, job_id: str, after: int) -> None:
        self._watcher = watcher
        self._topic = topic
        self._job_id = job_id
        self.after = after

    async def batch(self, *, timeout_s: float) -> tuple[Event, ...]:
        """Give the next events in order, at most 500; nothing after the timeout or when the instance ends."""
        news = self._topic.news
        events = await self._read()
        if not events and not self._watcher.closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await news.wait()
            events = await self._read()
        if events:
            self.after = events[-1].sequence
        return events

    async def _read(self) -> tuple[Event, ...]:
        topic = self._topic
        if self.after >= topic.base:
            return tuple(event for event in topic.recent if event.sequence > self.after)
        return await self._watcher.ledger.events(self._job_id, after=self.after, limit=_PAGE)


class Watcher:
    """Polls the ledger while anybody watches, soon after each change; ends with ``close``."""

    def __init__(self, ledger: JobLedger) -> None:
        self.ledger = ledger
        self.closed = False
        self._topics: dict[str, _Topic] = {}
        self._task: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()

    @property
    def watched(self) -> int:
        """How many jobs are watched."""
        return len(self._topics)

    @contextlib.contextmanager
    def subscribe(self, job_id: str, *, after: int = 0) -> Iterator[Subscription]:
        """Watch a job's events after a sequence number; the caller has checked the tenant."""
        topic = self._topics.get(job_id)
        if topic is None:
            topic = self._topics[job_id] = _Topic(seen=after, base=after)
        elif not topic.recent:  # nobody has checked the number that the first watcher gave
            topic.seen = topic.base = min(after, topic.seen)
        topic.watchers += 1
        self._arrived.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll(), name="gateway-watcher")
        try:
            yield Subscription(self, topic, job_id, after)
        finally:
            topic.watchers -= 1
            if topic.watchers == 0:
                del self._topics[job_id]

    async def until_done(self, job_id: str, *, timeout_s: float) -> None:
        """Return when a job has ended, or after the timeout."""
        with self.subscribe(job_id) as subscription, contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self.closed:
                    if any(map(is_end, await subscription.batch(timeout_s=timeout_s))):
                        return

    async def close(self) -> None:
        """Wake every watcher for the last time and stop polling."""
        self.closed = True
        for topic in self._topics.values():
            topic.wake()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _poll(self) -> None:
        seen = None
        while self._topics:
            try:
                if seen is None:
                    seen = await self.ledger.changed(timeout_s=0)
                spent_s = await self._read_all()
                # Half of the time at most goes into reading, however many jobs are watched.
                await asyncio.sleep(max(_LEAST_PAUSE_S, spent_s))
                seen = await self._change(seen)
            except Retryable as error:
                _log.warning("gateway.ledger_away", error=str(error))
                await asyncio.sleep(_AWAY_PAUSE_S)

    async def _change(self, seen: int) -> int:
        """Wait for a change of the ledger, or for somebody who begins to watch."""
        changed = asyncio.create_task(self.ledger.changed(timeout_s=_TICK_S, seen=seen))
        arrived = asyncio.create_task(self._arrived.wait())
        try:
            await asyncio.wait({changed, arrived}, return_when=asyncio.FIRST_COMPLETED)
            return changed.result() if changed.done() else seen
        finally:
            changed.cancel()
            arrived.cancel()
            await asyncio.gather(changed, arrived, return_exceptions=True)

    async def _read_all(self) -> float:
        """Read what is new of every watched job; give how long that took, in seconds."""
        self._arrived.clear()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for job_id, topic in list(self._topics.items()):
            after = topic.seen
            events = await self.ledger.events(job_id, after=after, limit=_PAGE)
            if events and topic.seen == after:  # else somebody came meanwhile who knows less
                topic.add(events)
        return loop.time() - began


def is_end(event: Event) -> bool:
    """Say whether an event tells of a job's end."""
    return event.type is EventType.STATE and event.data.get("state") in _ENDS


_ENDS = frozenset(JobState(state).value for state in TERMINAL)
