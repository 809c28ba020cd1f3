"""The simulated workers: what each has free, what it runs, and how the policy sees it."""

from __future__ import annotations

from collections.abc import Iterable

from quetzalcore.autoscaler.model import Member, MemberState, Shape
from quetzalcore.autoscaler.pool import Pool, Room

__all__ = ["Fleet"]


class Fleet:
    """Workers by number; a number is never used twice. ``room`` and ``jobs`` are of each worker."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.room: list[Room] = []
        self.jobs: list[int] = []
        self.running = 0
        self._shape: list[Shape] = []
        self._launched_s: list[float] = []
        self._idle_since_s: list[float] = []
        self._seen: dict[int, Member] = {}
        self._starting: dict[int, None] = {}
        self._draining: dict[int, None] = {}
        self._busy = [0, 0]
        self._there = [0, 0]

    @property
    def live(self) -> int:
        """How many are ready or starting."""
        return len(self._seen) - len(self._draining)

    @property
    def starting(self) -> int:
        """How many are on their way."""
        return len(self._starting)

    @property
    def draining(self) -> int:
        """How many finish what they run and go."""
        return len(self._draining)

    @property
    def ready(self) -> int:
        """How many take jobs."""
        return self.live - self.starting

    @property
    def busy_cores(self) -> float:
        """Cores that jobs hold."""
        return self._busy[0] / 1000.0

    @property
    def live_cores(self) -> float:
        """Cores of ready and starting workers."""
        return self._there[0] / 1000.0 + sum(self._shape[w].cpus for w in self._starting)

    @property
    def cpu_percent(self) -> float | None:
        """Share of the ready workers' cores that jobs hold; jobs of draining workers count too."""
        return min(100.0, 100.0 * self._busy[0] / self._there[0]) if self._there[0] else None

    @property
    def memory_percent(self) -> float | None:
        """The same of memory."""
        return min(100.0, 100.0 * self._busy[1] / self._there[1]) if self._there[1] else None

    def add(self, shape: Shape, at_s: float) -> int:
        """Ask for a worker."""
        worker = len(self.room)
        self.room.append((shape.vgpus, round(1000.0 * shape.cpus), shape.memory_mib))
        self.jobs.append(0)
        self._shape.append(shape)
        self._launched_s.append(at_s)
        self._idle_since_s.append(at_s)
        self._starting[worker] = None
        self._seen[worker] = Member(id=str(worker), state=MemberState.STARTING, shape=shape)
        return worker

    def become_ready(self, worker: int, at_s: float) -> bool:
        """Say whether a worker is still wanted now that it is there; put it into the pool yourself."""
        if worker not in self._starting:
            return False
        del self._starting[worker]
        self._idle_since_s[worker] = at_s
        self._count(self._there, worker, 1)
        return True

    def begin(self, worker: int, asked: Room) -> None:
        """Let a job begin."""
        self.jobs[worker] += 1
        self.running += 1
        self._busy[0] += asked[1]
        self._busy[1] += asked[2]

    def finish(self, worker: int, asked: Room, at_s: float) -> None:
        """Let a job end."""
        self.jobs[worker] -= 1
        self.running -= 1
        self._busy[0] -= asked[1]
        self._busy[1] -= asked[2]
        self._idle_since_s[worker] = at_s

    def drain(self, name: str) -> int:
        """Let a worker take nothing new."""
        worker = int(name)
        self._draining[worker] = None
        if worker not in self._starting:
            self.pool.drop(worker, self.room[worker])
            self._count(self._there, worker, -1)
        return worker

    def is_draining(self, worker: int) -> bool:
        """Say whether a worker is on its way out."""
        return worker in self._draining

    def overdue(self, launched_before_s: float) -> list[int]:
        """Give the workers that should long be ready."""
        return [w for w in self._starting if self._launched_s[w] <= launched_before_s]

    def remove(self, worker: int, at_s: float) -> tuple[Shape, float]:
        """Let a worker go that is draining or never came; give its shape and how long it was paid for."""
        self._starting.pop(worker, None)
        self._draining.pop(worker, None)
        del self._seen[worker]
        return self.lived(worker, at_s)

    def lived(self, worker: int, at_s: float) -> tuple[Shape, float]:
        """Give a worker's shape and how long it has been paid for."""
        return self._shape[worker], at_s - self._launched_s[worker]

    def all_workers(self) -> Iterable[int]:
        """Give those that are there in any state."""
        return self._seen

    def members(self, at_s: float) -> tuple[Member, ...]:
        """Give the workers as the policy sees them; those that did not change are not built again."""
        seen, jobs = self._seen, self.jobs
        for worker, member in seen.items():
            busy = jobs[worker]
            if busy and busy == member.busy and worker not in self._draining:
                continue
            seen[worker] = self._member(worker, busy, at_s)
        return tuple(seen.values())

    def _member(self, worker: int, busy: int, at_s: float) -> Member:
        state = MemberState.READY
        if worker in self._draining:
            state = MemberState.DRAINING
        elif worker in self._starting:
            state = MemberState.STARTING
        idle_s = 0.0 if busy or state is MemberState.STARTING else at_s - self._idle_since_s[worker]
        return Member(
            id=str(worker), state=state, shape=self._shape[worker], busy=busy, idle_s=idle_s
        )

    def _count(self, where: list[int], worker: int, sign: int) -> None:
        shape = self._shape[worker]
        where[0] += sign * round(1000.0 * shape.cpus)
        where[1] += sign * shape.memory_mib
