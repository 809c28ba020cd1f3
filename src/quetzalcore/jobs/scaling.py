"""What the ledger keeps of scaling: who serves, what was decided and why, and what operators asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = [
    "InstanceBook",
    "InstanceReport",
    "ScalingBook",
    "ScalingRecord",
    "Standing",
    "Wish",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReport:
    """What a gateway instance says of itself every few seconds; times in milliseconds over the last minute.

    ``url`` is where a balancer reaches it. A ``draining`` instance takes no new requests.
    """

    id: str
    url: str
    version: str
    started_at: dt.datetime
    seen_at: dt.datetime
    draining: bool = False
    cpu_percent: float = 0.0
    memory_mib: float = 0.0
    requests_per_s: float = 0.0
    mean_ms: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    open_requests: int = 0
    streams: int = 0


class InstanceBook(Protocol):
    """Which gateway instances there are."""

    async def report(self, report: InstanceReport) -> None:
        """Write what an instance says of itself; its last word stays until it leaves."""
        ...

    async def list(self) -> tuple[InstanceReport, ...]:
        """Give every instance that has not left, by id; look at ``seen_at``, for one that died said nothing."""
        ...

    async def leave(self, *instance_ids: str) -> None:
        """Forget instances; those that are not there are no error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRecord:
    """One decision that changed something, or tried to.

    ``action`` is ``up``, ``down`` or ``replace``; ``count`` is how many members it meant, ``done`` how many came
    or went. ``by`` is ``policy``, or the operator who asked. ``note`` says what went wrong, if anything.
    """

    at: dt.datetime
    target: str
    action: str
    count: int
    done: int
    before: int
    reason: str
    by: str = "policy"
    note: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How many members an operator asked for, and when; it wins until the next cooldown ends."""

    count: int
    at: dt.datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What holds for one scaled set: the operators' wish and live changes of its policy, and the leader's last view."""

    target: str
    wish: Wish | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    view: Mapping[str, Any] = field(default_factory=dict)


class ScalingBook(Protocol):
    """Everything durable about scaling."""

    async def record(self, records: Sequence[ScalingRecord], *, epoch: int) -> None:
        """Write decisions; the oldest beyond some thousands are forgotten. ``StaleEpoch``."""
        ...

    async def history(self, *, target: str = "", limit: int = 50) -> tuple[ScalingRecord, ...]:
        """Give decisions, newest first; of both sets where no target is named."""
        ...

    async def standing(self, target: str) -> Standing:
        """Give what holds for a set; an empty one where nothing was said yet."""
        ...

    async def wish(self, target: str, wish: Wish) -> None:
        """Write what an operator asks for; the last word counts."""
        ...

    async def change(self, target: str, changes: Mapping[str, Any]) -> None:
        """Merge changes into a set's live policy; a None takes a change back."""
        ...

    async def show(self, target: str, view: Mapping[str, Any], *, epoch: int) -> None:
        """Write the leader's view of a set, for whoever asks how it is. ``StaleEpoch``."""
        ...
