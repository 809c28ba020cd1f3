"""What may happen to a supervisor: processes that get ready or end, time that passes, orders."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Event",
    "Exited",
    "Launch",
    "Order",
    "Ready",
    "Restart",
    "Scale",
    "Stop",
    "Terminate",
    "Tick",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A process serves."""

    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """A process has ended; ``jitter`` from 0 to 1 is drawn by the shell."""

    run_id: str
    jitter: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One more instance is asked for, under a name; the same name again changes nothing."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminate:
    """An instance is to go, by the id of its process or the name of its slot; unknown ones are gone already."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """So many instances are to run."""

    instances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """New processes are to take the places of these slots' old ones, gateways without a gap."""

    slots: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Everything is to end."""


Order = Launch | Terminate | Scale | Restart | Stop
Event = Ready | Exited | Tick | Order
