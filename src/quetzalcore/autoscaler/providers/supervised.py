"""Gateway instances of this host, kept running by a supervisor."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import LaunchOrder, Machine, MachineState, NoCapacity
from quetzalcore.errors import QuetzalError
from quetzalcore.jobs.ledger import StaleEpoch

__all__ = ["Instance", "InstanceSupervisor", "SupervisedProvider"]

_SHAPE = Shape(name="instance", cpus=1.0, memory_mib=256)


class Instance(Protocol):
    """An instance that a supervisor keeps."""

    @property
    def id(self) -> str:
        """The id under which it reports itself."""
        ...

    @property
    def state(self) -> str:
        """One of pending, running and stopping."""
        ...

    @property
    def launched_at(self) -> dt.datetime:
        """When its process was started."""
        ...

    @property
    def url(self) -> str:
        """Where it answers."""
        ...


class InstanceSupervisor(Protocol):
    """What keeps instances running. A refused leader meets an error with the code ``stale_epoch``."""

    async def launch(self, name: str, *, epoch: int) -> Instance | None:
        """Ask for one more, idempotently by its name; None where there is no room."""
        ...

    async def list(self) -> Sequence[Instance]:
        """Give those that there are."""
        ...

    async def room(self) -> int:
        """Say how many more there may be."""
        ...

    async def terminate(self, instance_id: str, *, epoch: int) -> None:
        """Let one drain and end; one that is gone is no error."""
        ...


class SupervisedProvider:
    """Adds and removes instances. When one is started anew it has another id, and is the same machine to nobody."""

    def __init__(self, supervisor: InstanceSupervisor, *, shape: Shape = _SHAPE) -> None:
        self._supervisor = supervisor
        self._shape = shape

    async def shapes(self) -> tuple[Shape, ...]:
        """Give the one size that there is."""
        return (replace(self._shape, room=await self._supervisor.room()),)

    async def launch(self, order: LaunchOrder) -> Machine:
        """Ask for one more instance; ``NoCapacity``, ``StaleEpoch``."""
        try:
            instance = await self._supervisor.launch(order.name, epoch=order.epoch)
        except QuetzalError as error:
            raise _known(error) from error
        if instance is None:
            raise NoCapacity(
                "this host has as many instances as it may have",
                hint="raise scaling_max_instances",
            )
        return self._machine(instance)

    async def list(self) -> tuple[Machine, ...]:
        """Give every instance of the supervisor, whoever asked for it."""
        return tuple(self._machine(each) for each in await self._supervisor.list())

    async def terminate(self, machine_id: str, *, epoch: int) -> None:
        """Let an instance drain and end; ``StaleEpoch``."""
        try:
            await self._supervisor.terminate(machine_id, epoch=epoch)
        except QuetzalError as error:
            raise _known(error) from error

    async def close(self) -> None:
        """Hold nothing open."""

    def _machine(self, instance: Instance) -> Machine:
        return Machine(
            id=instance.id,
            shape=self._shape,
            state=MachineState(instance.state),
            launched_at=instance.launched_at,
            address=instance.url,
        )


def _known(error: QuetzalError) -> QuetzalError:
    return StaleEpoch(error.detail, hint=error.hint) if error.code == StaleEpoch.code else error
