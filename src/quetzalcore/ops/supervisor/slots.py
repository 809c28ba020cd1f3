"""What a supervisor knows of the processes that it keeps: slots, what runs in them, and what may be done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from quetzalcore.ops.supervisor.backoff import FAILING

__all__ = [
    "Action",
    "End",
    "Forget",
    "Kill",
    "Patience",
    "Phase",
    "Role",
    "Run",
    "Slot",
    "Start",
    "Supervision",
]


class Role(StrEnum):
    """What a process does."""

    GATEWAY = "gateway"
    MASTER = "master"
    BALANCER = "balancer"


class Phase(StrEnum):
    """How far a process is in its life."""

    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things may take, in seconds; ``healthy_s`` of life make earlier deaths forgotten."""

    start_s: float = 60.0
    stop_s: float = 40.0
    healthy_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One life of a process; ``id`` is never used again. ``since`` is when its phase began."""

    id: str
    phase: Phase
    born_at: float
    since: float
    killed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place that one process fills: a gateway instance with its port, the master, the balancer.

    While a gateway is replaced its ``heir`` starts beside ``run``, on the same listening socket. ``order`` is the
    name under which somebody asked for it. A slot that is not ``wanted`` goes once it is empty.
    """

    name: str
    role: Role
    made_at: float
    order: str = ""
    run: Run | None = None
    heir: Run | None = None
    leaving: tuple[Run, ...] = ()
    wanted: bool = True
    failures: int = 0
    restarts: int = 0
    retry_at: float = 0.0

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every process of the slot, those that leave last."""
        return tuple(run for run in (self.run, self.heir) if run is not None) + self.leaving

    @property
    def serves(self) -> bool:
        """Say whether its process is ready."""
        return self.run is not None and self.run.phase is Phase.READY

    @property
    def state(self) -> str:
        """Say in one word how it is."""
        if not self.wanted:
            return "draining"
        if self.heir is not None:
            return "replacing"
        if self.serves:
            return "ready"
        if self.failures >= FAILING:
            return "failing"
        return "restarting" if self.restarts else "starting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """Everything that is supervised.

    ``life`` marks this supervisor's ids, ``count`` numbers them. ``rolling`` are the runs that a rolling restart
    still has to replace. ``trouble`` says why the last one stopped half-way.
    """

    life: str
    slots: tuple[Slot, ...] = ()
    rolling: tuple[str, ...] = ()
    trouble: str = ""
    stopping: bool = False
    count: int = 0

    def slot_of(self, run_id: str) -> Slot | None:
        """Give the slot that a process belongs to."""
        return next((s for s in self.slots if any(run.id == run_id for run in s.runs)), None)

    def named(self, name: str) -> Slot | None:
        """Give the slot of this name."""
        return next((slot for slot in self.slots if slot.name == name), None)

    def instances(self) -> tuple[Slot, ...]:
        """Give the gateway instances that are wanted."""
        return tuple(s for s in self.slots if s.role is Role.GATEWAY and s.wanted)

    def ready(self) -> bool:
        """Say whether everything that is wanted serves."""
        return all(slot.serves for slot in self.slots if slot.wanted)

    def put(self, slot: Slot) -> Supervision:
        """Give it with this slot in the place of the one of the same name."""
        return replace(self, slots=tuple(slot if s.name == slot.name else s for s in self.slots))


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start a process in a slot, under this id."""

    slot: str
    role: Role
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Ask a process to end; with ``drain`` it first waits until nobody sends it anything more."""

    run_id: str
    drain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """End a process at once."""

    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Close what a slot that is no more had open."""

    slot: str


Action = Start | End | Kill | Forget
