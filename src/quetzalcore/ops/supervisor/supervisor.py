"""The shell around ``supervision``: processes, sockets, logs and the clock, driven by what the pure part says."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quetzalcore.errors import QuetzalError
from quetzalcore.ops.supervisor.events import Event, Exited, Order, Ready, Stop, Tick
from quetzalcore.ops.supervisor.log_files import RotatingFile
from quetzalcore.ops.supervisor.plan import SupervisorPlan, command
from quetzalcore.ops.supervisor.processes import Birth, Child, spawn
from quetzalcore.ops.supervisor.slots import Action, End, Forget, Kill, Role, Start, Supervision
from quetzalcore.ops.supervisor.sockets import PlatformSockets
from quetzalcore.ops.supervisor.status import Condition, instance_document, process_document
from quetzalcore.ops.supervisor.supervision import begin, handle

__all__ = ["Clocks", "Supervisor"]

_TICK_S = 0.25
_HOPELESS = 2  # quick deaths in a row

log = logging.getLogger("quetzalcore.supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Time and chance: a clock that only goes forward, the one on the wall, and a number from 0 to 1."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]
    jitter: Callable[[], float] = random.random


class Supervisor:
    """Keeps running what its plan names; ``on_ready`` is called once, when all of it serves for the first time."""

    def __init__(
        self,
        plan: SupervisorPlan,
        environment: Mapping[str, str],
        *,
        life: str,
        clocks: Clocks,
        on_ready: Callable[[], None],
    ) -> None:
        self.plan = plan
        self.sockets = PlatformSockets(plan)
        self._environment = {
            **environment,
            "QUETZAL_PORT": str(self.sockets.port),  # it may have been 0: any free one
            "QUETZAL_MASTER_PORT": str(self.sockets.master_port),
        }
        self._clocks = clocks
        self._on_ready: Callable[[], None] | None = on_ready
        self._offset = clocks.wall() - clocks.monotonic()
        self.logs: dict[str, RotatingFile] = {}
        self._children: dict[str, Child] = {}
        self._epitaphs: dict[str, str] = {}
        self._wake = asyncio.Event()
        self.known: Supervision = begin(
            life, instances=plan.instances, others=plan.others, now=clocks.monotonic()
        )

    async def run(self) -> None:
        """Work until told to stop and everything has ended."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._wake.set)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGUSR1, self.reopen_logs)
        try:
            self._handle(Tick())
            while self.known.slots:
                self._wake.clear()
                for child in tuple(self._children.values()):
                    self._bury(child)
                self._handle(Tick())
                if self._on_ready is not None and self.known.ready() and self.known.slots:
                    self._on_ready()
                    self._on_ready = None
                await self._pause()
        finally:
            for child in self._children.values():  # only after an error of our own
                child.signal(signal.SIGKILL)
                child.close()
            self.sockets.close()

    def stop(self) -> None:
        """End everything; ``run`` returns after that."""
        if not self.known.stopping:
            log.info("stopping")
            self.order(Stop())
            self._wake.set()

    def order(self, order: Order) -> None:
        """Take an order."""
        self._handle(order)
        self._wake.set()

    def reopen_logs(self) -> None:
        """Go on in the files that now have the logs' names."""
        for file in self.logs.values():
            file.reopen()

    def status(self) -> dict[str, Any]:
        """Tell how everything is."""
        return {
            "url": self.sockets.url,
            "master_url": self.sockets.master_url,
            "ready": self.known.ready(),
            "stopping": self.known.stopping,
            "rolling": len(self.known.rolling),
            "trouble": self.known.trouble,
            "processes": [
                process_document(slot, self._condition(slot.name), self._on_the_wall)
                for slot in self.known.slots
            ],
            "instances": self.instances(),
            "most_instances": self.plan.most_instances,
        }

    def instances(self) -> list[dict[str, Any]]:
        """Tell of the instances as machines that were launched."""
        return [
            instance_document(slot, self.sockets.url_of(slot.name), self._on_the_wall)
            for slot in self.known.slots
            if slot.role is Role.GATEWAY
        ]

    def _condition(self, slot: str) -> Condition:
        return Condition(
            url=self.sockets.url if slot == Role.BALANCER else self.sockets.url_of(slot),
            pids={child.run_id: child.pid for child in self._children.values()},
            epitaph=self._epitaphs.get(slot, ""),
        )

    def _on_the_wall(self, at: float) -> float:
        return round(at + self._offset, 3)

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), _TICK_S)
        except TimeoutError:
            return

    def _handle(self, event: Event) -> None:
        now = self._clocks.monotonic()
        trouble = self.known.trouble
        self.known, actions = handle(self.known, event, now=now, patience=self.plan.patience)
        if self.known.trouble not in {trouble, ""}:
            log.warning("the rolling restart stopped: %s", self.known.trouble)
        for action in actions:
            self._do(action)

    def _do(self, action: Action) -> None:
        match action:
            case Start():
                self._start(action)
            case End():
                self._tell(action.run_id, signal.SIGTERM if action.drain else signal.SIGINT)
            case Kill():
                log.warning("%s takes too long and is killed", action.run_id)
                self._tell(action.run_id, signal.SIGKILL)
            case Forget():
                self.sockets.forget(action.slot)

    def _tell(self, run_id: str, number: signal.Signals) -> None:
        child = self._children.get(run_id)
        if child is not None:
            log.info("%s (process %d): %s", run_id, child.pid, number.name)
            child.signal(number)

    def _start(self, start: Start) -> None:
        try:
            child = self._spawn(start)
        except (OSError, QuetzalError) as error:
            log.warning("%s could not be started: %s", start.run_id, error)
            self._epitaphs[start.slot] = str(error)
            lost = Exited(run_id=start.run_id, jitter=self._clocks.jitter())
            asyncio.get_running_loop().call_soon(self._handle, lost)
            return
        self._children[start.run_id] = child
        log.info("%s is started in %s, as process %d", start.run_id, start.slot, child.pid)
        child.hear(lambda: self._ready(start.run_id))

    def _spawn(self, start: Start) -> Child:
        handed = self.sockets.handed(start.slot, start.role)
        birth = Birth(
            command=lambda ready: command(self.plan, start, handed=handed, ready=ready),
            environment=self._environment,
            inherited=handed.numbers,
            # the balancer ends its nginx before it ends itself
            last_signal=signal.SIGTERM if start.role is Role.BALANCER else signal.SIGKILL,
        )
        return spawn(start.run_id, birth, log=self._log(start.slot))

    def _log(self, slot: str) -> RotatingFile:
        if slot not in self.logs:
            path = self.plan.logs / f"{slot}.log"
            self.logs[slot] = RotatingFile(path, most_bytes=self.plan.log_bytes)
        return self.logs[slot]

    def _ready(self, run_id: str) -> None:
        log.info("%s is ready", run_id)
        self._handle(Ready(run_id=run_id))
        self._wake.set()

    def _bury(self, child: Child) -> None:
        """Take note of a process that has ended."""
        status = child.ended()
        if status is None:
            return
        del self._children[child.run_id]
        child.close()
        slot = self.known.slot_of(child.run_id)
        told = slot is not None and any(run.id == child.run_id for run in slot.leaving)
        if told:
            log.info("%s has ended with %d", child.run_id, status)
        else:
            log.warning("%s has ended with %d: %s", child.run_id, status, child.last_line)
            if slot is not None:
                self._epitaphs[slot.name] = f"ended with {status}: {child.last_line}"
        self._handle(Exited(run_id=child.run_id, jitter=self._clocks.jitter()))
        if slot is not None:
            self._hang_up(slot.name)

    def _hang_up(self, name: str) -> None:
        """Let nobody wait on the socket of an instance that dies again and again: others serve them sooner.

        The next process gets another socket, and reports itself under that.
        """
        slot = self.known.named(name)
        hopeless = slot is not None and slot.failures >= _HOPELESS and not slot.runs
        if slot is not None and slot.role is Role.GATEWAY and hopeless:
            self.sockets.forget(name)
