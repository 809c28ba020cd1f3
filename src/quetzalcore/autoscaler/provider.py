"""The seam to where machines come from."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from quetzalcore.autoscaler.model import Shape
from quetzalcore.errors import Permanent, Retryable

__all__ = [
    "LaunchFailed",
    "LaunchOrder",
    "Machine",
    "MachineState",
    "NoCapacity",
    "Provider",
    "ProviderRefused",
    "ProviderUnreachable",
]


class NoCapacity(Retryable):
    """The provider has no such machine now; ask for another shape, or later."""

    code = "no_capacity"
    title = "No machine to be had"


class LaunchFailed(Permanent):
    """The machine could not be made, for a reason that asking again will not change; nothing of it is left."""

    code = "launch_failed"
    title = "The machine could not be started"


class ProviderUnreachable(Retryable):
    """Where machines come from does not answer; what was asked for may or may not have happened."""

    code = "provider_unreachable"
    title = "The provider cannot be reached"


class ProviderRefused(Permanent):
    """Where machines come from does not let us do this: credentials, rights, or what we were told of it are wrong."""

    code = "provider_refused"
    title = "The provider refuses"


class MachineState(StrEnum):
    """How a provider sees its machine."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOrder:
    """One machine that is asked for; ``name`` is unique for ever: the same order given twice makes one machine.

    ``epoch`` is the leader's: a provider that has seen a higher one refuses with ``StaleEpoch``.
    """

    name: str
    shape: Shape
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that a provider made for us; ``id`` is also the node's or the instance's id once it is there.

    A provider that names machines itself gives one that is on its way under a provisional id.
    """

    id: str
    shape: Shape
    state: MachineState
    launched_at: dt.datetime
    provider_id: str = ""
    address: str = ""


class Provider(Protocol):
    """Makes and removes machines. What it made is known to it alone: ``list`` is the truth after any restart."""

    async def shapes(self) -> tuple[Shape, ...]:
        """Give the sizes that may be asked for, the cheapest first."""
        ...

    async def launch(self, order: LaunchOrder) -> Machine:
        """Ask for one machine; ``NoCapacity``, ``LaunchFailed``, ``StaleEpoch``. Idempotent by the order's name.

        Where a part of its making fails, what was made is removed again.
        """
        ...

    async def list(self) -> tuple[Machine, ...]:
        """Give our machines that are there or on their way, whoever asked for them."""
        ...

    async def terminate(self, machine_id: str, *, epoch: int) -> None:
        """Remove a machine and all that belongs to it; one that is gone or was never there is no error."""
        ...

    async def close(self) -> None:
        """Let go of connections; machines stay."""
        ...
