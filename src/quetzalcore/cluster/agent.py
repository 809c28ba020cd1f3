"""The resident of a node: runs attempts in VMs under leases and keeps what happened until it is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from quetzalcore.cluster.attempt import CLOSED, Attempt, Means
from quetzalcore.cluster.event_log import EventLog
from quetzalcore.cluster.leases import LeaseBook
from quetzalcore.cluster.load import Load
from quetzalcore.cluster.messages import (
    AgentEvent,
    Answer,
    Assignment,
    Command,
    EventBatch,
    Finished,
    Grant,
    Renew,
    Start,
    Stop,
)
from quetzalcore.cluster.transfer import Transfer
from quetzalcore.cluster.vms import VMs
from quetzalcore.jobs.ledger import StaleEpoch
from quetzalcore.jobs.model import Failure, Node, Remedy, Resources

__all__ = ["Agent"]

_LINGER_S = 0.1  # how long a start may wait for the end of a short task, to be stored with it
_COMMANDS: TypeAdapter[Command] = TypeAdapter(Command)


class Agent:
    """One node's agent: no sockets, no credentials, no clock but the event loop's.

    A command with an epoch older than the newest seen is answered ``ok=False`` with ``error`` equal to
    ``StaleEpoch.code`` and changes nothing. Make it and call it within one event loop.

    Parameters
    ----------
    node : Node
        Who this node is and what it has in all; what is free is worked out here.
    vms : VMs
        The node's hypervisor.
    folder : Path
        Where inputs are kept while an attempt runs.
    first_event : int
        The first event's number. A restarted agent must begin above its forerunner's: microseconds
        of the wall clock will do.
    load : callable
        Says how busy the host is.
    """

    def __init__(  # noqa: PLR0913 -- each is one part of the node
        self,
        node: Node,
        vms: VMs,
        folder: Path,
        *,
        first_event: int,
        transfer: Transfer | None = None,
        load: Callable[[], Load] = Load,
    ) -> None:
        self._node = node
        self._vms = vms
        self._load = load
        self._events = EventLog(first=first_event)
        self._leases = LeaseBook()
        self._epoch = 0
        self._attempts: dict[str, Attempt] = {}
        self._transfer = transfer or Transfer()
        self._means = Means(vms=vms, transfer=self._transfer, folder=folder, report=self._report)
        self._news, self._pressing = asyncio.Event(), asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = self._now()
        self._obey: Mapping[type, Callable[[Any], None]] = {
            Start: self._start,
            Stop: self._stop,
            Renew: self._renew,
            Grant: self._grant,
        }

    async def command(self, command: Command | bytes) -> Answer:
        """Obey, at once; what it leads to comes as events. Every command may be sent twice."""
        if isinstance(command, bytes):
            command = _COMMANDS.validate_json(command)
        self._heard_at = self._now()
        if command.epoch < self._epoch:
            return Answer(ok=False, error=StaleEpoch.code, node=self.node())
        self._epoch = command.epoch
        self._obey[type(command)](command)
        self._arm()
        return Answer(node=self.node(), attempts=tuple(self._attempts))

    async def events(self, after: int, wait_s: float) -> EventBatch:
        """Forget what is acknowledged; give what came later, waiting for the first of it."""
        self._heard_at = self._now()
        for event in self._events.acknowledge(after):
            if isinstance(event, Finished):
                self._attempts.pop(event.attempt_id, None)
        if not len(self._events):
            await self._hear(self._news, wait_s)
        if len(self._events) and not self._events.is_pressing():
            await self._hear(self._pressing, min(wait_s, _LINGER_S))
        return EventBatch(events=self._events.read(), node=self.node())

    def node(self) -> Node:
        """Say who this node is and what is free on it."""
        held = [a.assignment.resources for a in self._attempts.values() if not a.finished]
        count = self._vms.stats()
        load = self._load()
        return replace(
            self._node,
            free=_without(self._node.total, held),
            active_vms=count.active,
            warm_vms=sum(count.warm.values()),
            cpu_percent=load.cpu_percent,
            memory_percent=load.memory_percent,
        )

    def is_abandoned(self, silence_s: float) -> bool:
        """Say whether nothing runs here and no master has spoken for so long."""
        running = any(not attempt.finished for attempt in self._attempts.values())
        return not running and self._now() - self._heard_at > silence_s

    async def close(self) -> None:
        """Kill everything that runs; the hypervisor is closed by whoever opened it."""
        if self._timer is not None:
            self._timer.cancel()
        for attempt in self._attempts.values():
            attempt.stop(CLOSED)
        for attempt in tuple(self._attempts.values()):
            await attempt.wait()
        await self._transfer.close()

    @staticmethod
    async def _hear(news: asyncio.Event, wait_s: float) -> None:
        news.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), wait_s)

    def _start(self, command: Start) -> None:
        for assignment in command.assignments:
            if assignment.attempt_id not in self._attempts:
                self._attempts[assignment.attempt_id] = Attempt(assignment, self._means)
                self._leases.grant(
                    assignment.attempt_id, lease_s=assignment.lease_s, now_s=self._now()
                )

    def _stop(self, command: Stop) -> None:
        for attempt_id in command.attempt_ids:
            if attempt_id in self._attempts:
                cancelled = command.reason == _CANCELLED.code
                self._attempts[attempt_id].stop(_CANCELLED if cancelled else _SUPERSEDED)

    def _renew(self, command: Renew) -> None:
        for attempt_id, lease_s in command.leases_s.items():
            self._leases.renew(attempt_id, lease_s=lease_s, now_s=self._now())

    def _grant(self, command: Grant) -> None:
        if command.attempt_id in self._attempts:
            self._attempts[command.attempt_id].grant(command.urls)

    def _report(self, kind: type[AgentEvent], assignment: Assignment, **fields: Any) -> None:  # noqa: ANN401 -- the event's own fields
        self._events.add(kind, attempt_id=assignment.attempt_id, job_id=assignment.job_id, **fields)
        if kind is Finished:
            self._leases.release(assignment.attempt_id)
        self._news.set()
        if self._events.is_pressing():
            self._pressing.set()

    def _arm(self) -> None:
        """Set the timer that kills what is not renewed in time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._leases.next_deadline()
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._kill_expired)

    def _kill_expired(self) -> None:
        for attempt_id in self._leases.take_expired(self._now()):
            self._attempts[attempt_id].stop(_EXPIRED)
        self._timer = None
        self._arm()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


_CANCELLED = Failure(code="cancelled", title="Cancelled", detail="the job was cancelled")
_SUPERSEDED = Failure(
    code="superseded",
    title="The attempt was given up",
    detail="the master knows nothing of the attempt any more",
    remedy=Remedy.RETRY,
)
_EXPIRED = Failure(
    code="lease_expired",
    title="The node lost its master",
    detail="the node heard nothing of its master and ended the attempt in time",
    remedy=Remedy.RETRY,
)


def _without(total: Resources, held: list[Resources]) -> Resources:
    """Take from what a node has what its attempts hold."""
    return Resources(
        cpus=max(0.0, total.cpus - sum(r.cpus for r in held)),
        memory_mib=max(0, total.memory_mib - sum(r.memory_mib for r in held)),
        vgpus=max(0, total.vgpus - sum(r.vgpus for r in held)),
        scratch_mib=max(0, total.scratch_mib - sum(r.scratch_mib for r in held)),
    )
