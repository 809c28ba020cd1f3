"""Keeps VMs of one tier ready: does what ``pool.decide`` says."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

from quetzalcore.errors import QuetzalError
from quetzalcore.hypervisor.pool import (
    Asked,
    Begin,
    Bounds,
    Closed,
    ColdEnded,
    Died,
    End,
    Event,
    GoCold,
    HandOver,
    Outdated,
    PoolState,
    Started,
    StartFailed,
    Ticked,
    decide,
)
from quetzalcore.hypervisor.started import StartedVM

__all__ = ["WarmPool"]

_TICK_S = 5.0
_GIVE_WAY_S = 0.05  # a new VM is started this much later than one was taken: the taker goes first
_log = logging.getLogger(__name__)


class WarmPool:
    """VMs that wait for a job; each is handed over once and never comes back."""

    def __init__(
        self,
        bounds: Bounds,
        *,
        start: Callable[[], Awaitable[StartedVM]],
        clock: Callable[[], float],
    ) -> None:
        self._bounds = bounds
        self._start = start
        self._clock = clock
        self._state = PoolState()
        self._vms: dict[str, StartedVM] = {}
        self._takers: deque[asyncio.Future[StartedVM | None]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticks: asyncio.Task[None] | None = None
        self._waited_for = asyncio.Event()

    def open(self) -> None:
        """Begin to keep VMs ready."""
        self._handle(Ticked(at_s=self._clock()))
        self._ticks = asyncio.create_task(self._tick())

    async def close(self) -> None:
        """End every VM that nobody has taken, those included that are still starting."""
        if self._ticks is not None:
            self._ticks.cancel()
        self._handle(Closed(at_s=self._clock()))
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def take(self) -> StartedVM | None:
        """Give a VM, now the caller's to end; None: start one yourself, then say ``cold_ended``."""
        taker: asyncio.Future[StartedVM | None] = asyncio.get_running_loop().create_future()
        self._takers.append(taker)
        self._handle(Asked(at_s=self._clock()))
        return await taker

    def cold_ended(self) -> None:
        """Say that a caller's own start is over."""
        self._handle(ColdEnded(at_s=self._clock()))

    def renew(self) -> None:
        """Replace the VMs that wait."""
        self._handle(Outdated(at_s=self._clock()))

    def idle(self) -> tuple[StartedVM, ...]:
        """Give the VMs that wait."""
        return tuple(self._vms.values())

    def _handle(self, event: Event) -> None:
        self._state, actions = decide(self._state, event, self._bounds)
        if self._state.waiting or self._state.closed:
            self._waited_for.set()
        else:
            self._waited_for.clear()
        for action in actions:
            match action:
                case Begin():
                    self._spawn(self._begin())
                case HandOver(vm_id=vm_id):
                    self._takers.popleft().set_result(self._vms.pop(vm_id))
                case GoCold():
                    self._takers.popleft().set_result(None)
                case End(vm_id=vm_id):
                    self._spawn(self._vms.pop(vm_id).remove())

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._waited_for.wait(), _GIVE_WAY_S)
        try:
            vm = await self._start()
        except (QuetzalError, OSError) as error:
            _log.warning("a warm VM did not come up: %s", error)
            self._handle(StartFailed(at_s=self._clock()))
            return
        self._vms[vm.vm_id] = vm
        vm.channel.end.add_done_callback(lambda _: self._miss(vm))
        self._handle(Started(at_s=self._clock(), vm_id=vm.vm_id))

    def _miss(self, vm: StartedVM) -> None:
        """Replace a VM that has ended, or has spoken unasked, while it waited."""
        if self._vms.pop(vm.vm_id, None) is not None:
            self._handle(Died(at_s=self._clock(), vm_id=vm.vm_id))
            self._spawn(vm.remove())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._handle(Ticked(at_s=self._clock()))
