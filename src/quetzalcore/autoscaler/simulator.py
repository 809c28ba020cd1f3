"""Replays a load against the real policy and a provider with delays and failures, event by event."""

from __future__ import annotations

import datetime as dt
import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from quetzalcore.autoscaler.fitting import ALWAYS_FITS
from quetzalcore.autoscaler.fleet import Fleet
from quetzalcore.autoscaler.forecast import QueueForecast
from quetzalcore.autoscaler.model import (
    Decision,
    Demand,
    Hold,
    Launch,
    Metrics,
    Policy,
    ScaleDown,
    ScaleUp,
    ScalingState,
    Shape,
)
from quetzalcore.autoscaler.policy import advance, decide
from quetzalcore.autoscaler.pool import Room
from quetzalcore.autoscaler.traces import Trace
from quetzalcore.errors import BadParameter
from quetzalcore.jobs.model import Resources

__all__ = ["Moment", "Replay", "Supply", "Taken", "simulate"]

_BEGINS = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
"""A Monday, for schedules."""
_STUCK_S = 86_400.0
_MOST_SIZES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """How the provider behaves and how often the policy looks.

    Parameters
    ----------
    ready_after_s, ready_spread : float
        Mean time from asking for a machine to its first job, and the logarithmic spread about it.
    refused, never_ready : float
        Chance that a machine is not to be had, and that one never becomes ready.
    replaced_after_s : float
        A machine that is not ready by then is given up.
    blocked_s : float
        A shape that was refused is not asked for again for so long.
    look_every_s : float
        How often the policy is asked.
    season_s : float
        The forecast's season; 0 for none.
    """

    ready_after_s: float = 60.0
    ready_spread: float = 0.25
    refused: float = 0.0
    never_ready: float = 0.0
    replaced_after_s: float = 600.0
    blocked_s: float = 60.0
    look_every_s: float = 10.0
    season_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """How things were when the policy looked."""

    at_s: float
    waiting: int
    running: int
    ready: int
    starting: int
    draining: int
    cpu_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One decision that changed something."""

    at_s: float
    up: bool
    count: int
    before: int
    reason: str


@dataclass(slots=True, kw_only=True)
class Replay:
    """All that happened. ``wait_s`` is NaN for jobs that never ran."""

    wait_s: NDArray[np.float64]
    moments: list[Moment] = field(default_factory=list)
    decisions: list[Taken] = field(default_factory=list)
    launched: int = 0
    refused: int = 0
    given_up: int = 0
    removed: int = 0
    infeasible: int = 0
    ends_s: float = 0.0
    machine_s: dict[str, float] = field(default_factory=dict)
    core_s: float = 0.0
    busy_core_s: float = 0.0


def simulate(
    trace: Trace,
    policy: Policy,
    shapes: Sequence[Shape],
    supply: Supply,
    rng: np.random.Generator,
) -> Replay:
    """Replay a load from its first job until all are done and the set is small again.

    The policy's own ``decide`` is asked every ``look_every_s``. Jobs go to the fullest worker with room, in the order
    of their arrival, and let others pass while they find none. The set begins with its least.

    Raises
    ------
    BadParameter
        If there is no shape at all.
    """
    if not shapes:
        raise BadParameter("there is no shape to simulate with", hint="give a price list")
    return _World(trace, policy, tuple(shapes), supply, rng).run()


class _World:
    """The simulated cluster: jobs that wait, workers that run them, and what is still to happen."""

    def __init__(
        self,
        trace: Trace,
        policy: Policy,
        shapes: tuple[Shape, ...],
        supply: Supply,
        rng: np.random.Generator,
    ) -> None:
        self._policy, self._shapes, self._supply, self._rng = policy, shapes, supply, rng
        self._asked, self._demands, places = _sizes(trace, shapes)
        possible = np.array([_possible(asked, shapes) for asked in self._asked])[places]
        self._submitted: list[float] = trace.submitted_s[possible].tolist()
        self._duration: list[float] = trace.duration_s[possible].tolist()
        self._size: list[int] = places[possible].tolist()
        self._wait = [math.nan] * len(self._submitted)
        self._next = 0
        self._ended = 0
        self._events: list[tuple[float, int, int]] = []
        self._queues: list[deque[int]] = [deque() for _ in self._asked]
        self._waiting = 0
        self._fleet = Fleet()
        self._state = ScalingState()
        self._blocked: dict[str, float] = {}
        self._forecast = QueueForecast(season_s=supply.season_s)
        self._told = (0, 0)
        self._moved_s = 0.0
        self.replay = Replay(wait_s=np.empty(0), infeasible=int(np.count_nonzero(~possible)))

    def run(self) -> Replay:
        """Go from look to look until the end."""
        at_s, done_s = 0.0, math.inf
        calm_s = (self._policy.idle_down_s or 0.0) + self._policy.down_cooldown_s
        policy = self._policy
        self._launch(
            [Launch(shape=self._first_shape(), count=policy.bounds.least)], 0.0, at_once=True
        )
        while True:
            self._until(at_s)
            self._look(at_s)
            if self._ended == len(self._submitted):
                done_s = min(done_s, at_s)
            small = self._fleet.live <= policy.bounds.least
            if at_s >= done_s + (0.0 if small else 2.0 * calm_s):
                break
            if not self._fleet.running and self._waiting and at_s - self._moved_s > _STUCK_S:
                break
            at_s += self._supply.look_every_s
        return self._finished(at_s)

    def _first_shape(self) -> Shape:
        named = [s for s in self._shapes if s.name == self._policy.default_shape]
        return (named or [s for s in self._shapes if not s.spot] or list(self._shapes))[0]

    def _until(self, end_s: float) -> None:
        """Let everything happen up to a time, in its order."""
        submitted, events = self._submitted, self._events
        count = len(submitted)
        while True:
            arrives_s = submitted[self._next] if self._next < count else math.inf
            if events and events[0][0] < arrives_s:
                if events[0][0] > end_s:
                    return
                at_s, worker, job = heapq.heappop(events)
                self._happen(at_s, worker, job)
            elif arrives_s <= end_s:
                self._arrive(self._next, arrives_s)
                self._next += 1
            else:
                return

    def _arrive(self, job: int, at_s: float) -> None:
        size = self._size[job]
        queue = self._queues[size]
        worker = None if queue else self._fleet.pool.take(self._asked[size])
        if worker is None:
            queue.append(job)
            self._waiting += 1
            self._moved_s = at_s
            return
        fleet, asked = self._fleet, self._asked[size]
        room = fleet.room[worker]
        left = (room[0] - asked[0], room[1] - asked[1], room[2] - asked[2])
        fleet.room[worker] = left
        fleet.pool.put(worker, left)
        self._start(job, worker, at_s)

    def _start(self, job: int, worker: int, at_s: float) -> None:
        self._wait[job] = at_s - self._submitted[job]
        self._fleet.begin(worker, self._asked[self._size[job]])
        heapq.heappush(self._events, (at_s + self._duration[job], worker, job))

    def _happen(self, at_s: float, worker: int, job: int) -> None:
        """Let a job end, or (without one) a worker become ready."""
        fleet = self._fleet
        self._moved_s = at_s
        if job < 0:
            if not fleet.become_ready(worker, at_s):
                return
            before = None
        else:
            asked = self._asked[self._size[job]]
            before = fleet.room[worker]
            fleet.room[worker] = (before[0] + asked[0], before[1] + asked[1], before[2] + asked[2])
            fleet.finish(worker, asked, at_s)
            self._ended += 1
            self.replay.busy_core_s += self._duration[job] * asked[1] / 1000.0
        if fleet.is_draining(worker):
            if not fleet.jobs[worker]:
                self._gone(worker, at_s)
            return
        if self._waiting:
            self._serve(worker, at_s)
        after = fleet.room[worker]
        if before is None:
            fleet.pool.put(worker, after)
        elif after != before:
            fleet.pool.drop(worker, before)
            fleet.pool.put(worker, after)

    def _serve(self, worker: int, at_s: float) -> None:
        """Give a worker with new room what waits longest and fits."""
        room, sizes, there = self._fleet.room, self._asked, self._fleet.room[worker]
        waiting = [
            (queue[0], size)
            for size, queue in enumerate(self._queues)
            if queue and _has(there, sizes[size])
        ]
        heapq.heapify(waiting)
        while waiting:
            _, size = heapq.heappop(waiting)
            there, asked = room[worker], sizes[size]
            if not _has(there, asked):
                continue
            room[worker] = (there[0] - asked[0], there[1] - asked[1], there[2] - asked[2])
            queue = self._queues[size]
            self._waiting -= 1
            self._start(queue.popleft(), worker, at_s)
            if queue:
                heapq.heappush(waiting, (queue[0], size))

    def _look(self, at_s: float) -> None:
        """Ask the policy, and do what it says."""
        fleet, policy, now = self._fleet, self._policy, _BEGINS + dt.timedelta(seconds=at_s)
        for worker in fleet.overdue(at_s - self._supply.replaced_after_s):
            self.replay.given_up += 1
            self._gone(worker, at_s)
        metrics = self._metrics(at_s)
        decision = decide(metrics, policy, self._state, now)
        before = fleet.live
        done = self._carry_out(decision, at_s)
        if not isinstance(done, Hold):
            self._state = advance(self._state, done, now)
            up = isinstance(done, ScaleUp)
            taken = Taken(at_s=at_s, up=up, count=done.count, before=before, reason=done.reason)
            self.replay.decisions.append(taken)
        self.replay.moments.append(
            Moment(
                at_s=at_s,
                waiting=self._waiting,
                running=fleet.running,
                ready=fleet.ready,
                starting=fleet.starting,
                draining=fleet.draining,
                cpu_percent=metrics.cpu_percent or 0.0,
            )
        )

    def _carry_out(self, decision: Decision, at_s: float) -> Decision:
        """Do what was decided; give back what of it was really done."""
        if isinstance(decision, ScaleUp):
            launched = self._launch(decision.launches, at_s)
            if not launched:
                return Hold(reason=decision.reason)
            return replace(decision, launches=launched)
        if isinstance(decision, ScaleDown):
            for name in decision.members:
                worker = self._fleet.drain(name)
                if not self._fleet.jobs[worker]:
                    self._gone(worker, at_s)
        return decision

    def _launch(
        self, launches: Sequence[Launch], at_s: float, *, at_once: bool = False
    ) -> tuple[Launch, ...]:
        done = []
        supply, rng = self._supply, self._rng
        for launch in launches:
            count = launch.count
            if supply.refused and not at_once:
                count = int(rng.binomial(launch.count, 1.0 - supply.refused))
            if count < launch.count:
                self.replay.refused += launch.count - count
                self._blocked[launch.shape.name] = at_s + supply.blocked_s
            waits_s = supply.ready_after_s * np.exp(
                rng.normal(-(supply.ready_spread**2) / 2.0, supply.ready_spread, count)
            )
            lost = rng.random(count) < supply.never_ready
            for wait_s, never in zip(waits_s.tolist(), lost.tolist(), strict=True):
                worker = self._fleet.add(launch.shape, at_s)
                if at_once:
                    self._happen(at_s, worker, -1)
                elif not never:
                    heapq.heappush(self._events, (at_s + wait_s, worker, -1))
            self.replay.launched += count
            if count:
                done.append(replace(launch, count=count))
        return tuple(done)

    def _gone(self, worker: int, at_s: float) -> None:
        shape, lived_s = self._fleet.remove(worker, at_s)
        replay = self.replay
        replay.removed += 1
        replay.machine_s[shape.name] = replay.machine_s.get(shape.name, 0.0) + lived_s
        replay.core_s += lived_s * shape.cpus

    def _metrics(self, at_s: float) -> Metrics:
        fleet = self._fleet
        arrived, ended = self._next - self._told[0], self._ended - self._told[1]
        self._told = (self._next, self._ended)
        expected = None
        if self._policy.use_forecast:
            self._forecast.observe(
                at_s, arrived=arrived, finished=ended, busy_cores=fleet.busy_cores
            )
            expected = self._forecast.expected_depth(
                self._waiting,
                lead_s=self._supply.ready_after_s + self._policy.up_cooldown_s,
                cores=fleet.live_cores,
            )
        demands = tuple(
            replace(self._demands[size], count=len(queue))
            for size, queue in enumerate(self._queues)
            if queue
        )
        return Metrics(
            members=fleet.members(at_s),
            shapes=tuple(
                replace(s, room=0) if self._blocked.get(s.name, -1.0) > at_s else s
                for s in self._shapes
            ),
            queue_depth=self._waiting,
            demands=demands,
            cpu_percent=fleet.cpu_percent,
            memory_percent=fleet.memory_percent,
            rate_per_s=arrived / self._supply.look_every_s,
            expected_depth=expected,
        )

    def _finished(self, at_s: float) -> Replay:
        replay = self.replay
        for worker in self._fleet.all_workers():
            shape, lived_s = self._fleet.lived(worker, at_s)
            replay.machine_s[shape.name] = replay.machine_s.get(shape.name, 0.0) + lived_s
            replay.core_s += lived_s * shape.cpus
        replay.wait_s = np.array(self._wait)
        replay.ends_s = at_s
        return replay


def _sizes(
    trace: Trace, shapes: Sequence[Shape]
) -> tuple[list[Room], list[Demand], NDArray[np.int64]]:
    """Give what each size asks for, and each job's size; many sizes are rounded up to powers of two."""
    small = Resources(
        cpus=min(s.cpus for s in shapes), memory_mib=min(s.memory_mib for s in shapes)
    )
    coarse = len(trace.sizes) > _MOST_SIZES
    places: dict[tuple[Room, bool], int] = {}
    demands: list[Demand] = []
    of_size = []
    for size in trace.sizes:
        asked = size.resources
        cpus, memory = asked.cpus, float(asked.memory_mib)
        if coarse:
            cpus, memory = 2.0 ** math.ceil(math.log2(cpus)), 2.0 ** math.ceil(math.log2(memory))
        if cpus <= ALWAYS_FITS.cpus:  # as admission does: a smaller node gives all it has
            cpus = min(cpus, small.cpus)
        if memory <= ALWAYS_FITS.memory_mib:
            memory = min(memory, small.memory_mib)
        room = (asked.vgpus, math.ceil(1000.0 * cpus), math.ceil(memory))
        key = (room, size.spot)
        if key not in places:
            places[key] = len(demands)
            resources = replace(asked, cpus=cpus, memory_mib=room[2])
            demands.append(Demand(resources=resources, count=0, spot=size.spot))
        of_size.append(places[key])
    rooms = [room for room, _ in places]
    return rooms, demands, np.array(of_size, dtype=np.int64)[trace.size]


def _has(there: Room, asked: Room) -> bool:
    return there[0] >= asked[0] and there[1] >= asked[1] and there[2] >= asked[2]


def _possible(asked: Room, shapes: Sequence[Shape]) -> bool:
    return any(
        asked[0] <= s.vgpus and asked[1] <= 1000.0 * s.cpus and asked[2] <= s.memory_mib
        for s in shapes
    )
