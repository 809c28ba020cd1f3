"""Workers on this host: more slots for jobs, never more hardware than there is."""

from __future__ import annotations

import asyncio
import datetime as dt
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from quetzalcore.autoscaler.marks import Fence
from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import (
    LaunchFailed,
    LaunchOrder,
    Machine,
    MachineState,
    NoCapacity,
)

__all__ = ["SLOTS_PER_CORE", "Fleet", "FleetMember", "HostSize", "LocalProvider", "slot_shapes"]

SLOTS_PER_CORE = 4
"""Cores of workers are slots: jobs that wait for files or memory leave theirs to others."""

_BOOK = "provider.json"
_LOCK = "provider.lock"
_SIZES = {1: "slot", 2: "slot-x2", 4: "slot-x4"}


class FleetMember(Protocol):
    """A worker of this host; a size of None means the whole host."""

    @property
    def node_id(self) -> str:
        """Its name in the cluster."""
        ...

    @property
    def cpus(self) -> float | None:
        """Cores that it offers."""
        ...

    @property
    def memory_mib(self) -> int | None:
        """Memory that it offers."""
        ...


class Fleet(Protocol):
    """The processes behind the workers; whoever leads next finds the same ones."""

    def members(self) -> Sequence[FleetMember]:
        """Give the workers that were added, started or not."""
        ...

    async def add(self, name: str, *, cpus: float, memory_mib: int) -> object:
        """Add a worker; one of that name is left as it is."""
        ...

    async def remove(self, name: str) -> None:
        """End a worker; one that is not there is no error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSize:
    """What the host offers to workers, and what of it the first one, which never goes, holds already."""

    cpus: float
    memory_mib: int
    first_cpus: float = 0.0
    first_memory_mib: int = 0


class _Book(BaseModel):
    """What we remember beside the fleet: the highest epoch, and when each worker was added."""

    model_config = ConfigDict(extra="ignore")

    epoch: int = 0
    launched: dict[str, dt.datetime] = {}


def slot_shapes(slot: Shape, host: HostSize, members: Sequence[FleetMember]) -> tuple[Shape, ...]:
    """Give one, two and four slots as far as an empty host holds them, with the room that is left now."""
    cpus = SLOTS_PER_CORE * host.cpus - host.first_cpus
    memory_mib = host.memory_mib - host.first_memory_mib
    free_cpus = cpus - sum(host.cpus if one.cpus is None else one.cpus for one in members)
    free_mib = memory_mib - sum(
        host.memory_mib if one.memory_mib is None else one.memory_mib for one in members
    )
    sizes = (
        replace(slot, name=name, cpus=times * slot.cpus, memory_mib=times * slot.memory_mib)
        for times, name in _SIZES.items()
    )
    return tuple(
        replace(
            size, room=max(0, min(int(free_cpus / size.cpus + 1e-9), free_mib // size.memory_mib))
        )
        for size in sizes
        if size.cpus <= cpus and size.memory_mib <= memory_mib
    )


class LocalProvider:
    """Adds workers to a fleet; the lock in ``folder`` is shared by all masters of this host."""

    def __init__(
        self,
        fleet: Fleet,
        folder: Path,
        *,
        slot: Shape,
        host: HostSize,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._fleet = fleet
        self._folder = folder
        self._slot = slot
        self._host = host
        self._now = now
        self._turn = asyncio.Lock()

    async def shapes(self) -> tuple[Shape, ...]:
        """Give one, two and four slots, as far as they fit."""
        return slot_shapes(self._slot, self._host, self._fleet.members())

    async def launch(self, order: LaunchOrder) -> Machine:
        """Add a worker, unless it is there or the host is full."""
        async with self._book(order.epoch) as book:
            if self._find(order.name) is None:
                self._check_room(order.shape)
                book.launched[order.name] = self._now()
                self._write(book)
                await self._add(order)
            there = self._find(order.name)
            if there is None:
                raise NoCapacity(
                    f"worker {order.name} was added and is gone", hint="ask for it again later"
                )
            return self._machine(there, book)

    async def list(self) -> tuple[Machine, ...]:
        """Give the workers that were added."""
        book = self._read()
        return tuple(self._machine(member, book) for member in self._fleet.members())

    async def terminate(self, machine_id: str, *, epoch: int) -> None:
        """End a worker."""
        async with self._book(epoch) as book:
            if self._find(machine_id) is not None:
                await self._fleet.remove(machine_id)
            book.launched.pop(machine_id, None)
            self._write(book)

    async def close(self) -> None:
        """Nothing is open; the fleet is whoever's who handed it in."""

    async def _add(self, order: LaunchOrder) -> None:
        """Add a worker whole, or not at all."""
        shape = order.shape
        try:
            await self._fleet.add(order.name, cpus=shape.cpus, memory_mib=shape.memory_mib)
        except OSError as error:
            await self._fleet.remove(order.name)
            raise LaunchFailed(
                f"worker {order.name} cannot be added: {error}", hint="see the master's log"
            ) from error
        except asyncio.CancelledError:
            await self._fleet.remove(order.name)
            raise

    def _find(self, name: str) -> FleetMember | None:
        return next((one for one in self._fleet.members() if one.node_id == name), None)

    def _check_room(self, shape: Shape) -> None:
        fitting = (
            size
            for size in slot_shapes(self._slot, self._host, self._fleet.members())
            if size.name == shape.name and size.room
        )
        if next(fitting, None) is None:
            host = self._host
            raise NoCapacity(
                f"this host has no room for a worker of {shape.cpus:g} cores and"
                f" {shape.memory_mib} MiB: it offers {host.memory_mib} MiB and"
                f" {SLOTS_PER_CORE * host.cpus:g} slots in all",
                hint="wait until a worker goes, make slots smaller, or use another provider",
            )

    def _machine(self, member: FleetMember, book: _Book) -> Machine:
        cpus = self._host.cpus if member.cpus is None else member.cpus
        memory_mib = self._host.memory_mib if member.memory_mib is None else member.memory_mib
        known = {
            (times * self._slot.cpus, times * self._slot.memory_mib): name
            for times, name in _SIZES.items()
        }
        name = known.get((cpus, memory_mib), "other")
        return Machine(
            id=member.node_id,
            shape=replace(self._slot, name=name, cpus=cpus, memory_mib=memory_mib),
            state=MachineState.RUNNING,
            launched_at=book.launched.get(member.node_id) or self._now(),
            provider_id=member.node_id,
        )

    @asynccontextmanager
    async def _book(self, epoch: int) -> AsyncIterator[_Book]:
        """Keep every other master out, refuse an older one, and note the epoch."""
        async with self._turn:
            with await asyncio.to_thread(_locked, self._folder):
                book = self._read()
                fence = Fence()
                fence.see(book.epoch)
                fence.admit(epoch)
                book.epoch = epoch
                self._write(book)
                yield book

    def _read(self) -> _Book:
        try:
            return _Book.model_validate_json((self._folder / _BOOK).read_bytes())
        except (FileNotFoundError, ValidationError):
            return _Book()

    def _write(self, book: _Book) -> None:
        draft = self._folder / f"{_BOOK}.{os.getpid()}"
        draft.write_text(book.model_dump_json(), encoding="utf-8")
        draft.replace(self._folder / _BOOK)


def _locked(folder: Path) -> IO[bytes]:
    """Open and lock the folder's lock; closing it gives it back."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (folder / _LOCK).open("ab")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file
