"""What a scaling decision is made from, and what it may be."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from quetzalcore.jobs.model import Resources

__all__ = [
    "Bounds",
    "Decision",
    "Demand",
    "Hold",
    "Launch",
    "Member",
    "MemberState",
    "Metrics",
    "Policy",
    "ScaleDown",
    "ScaleUp",
    "ScalingState",
    "Schedule",
    "Shape",
    "Target",
]


class Target(StrEnum):
    """The two sets that scale."""

    WORKERS = "workers"
    INSTANCES = "instances"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A size of machine that a provider has.

    ``hourly_price`` is in the currency of the price list, 0 where nothing is charged. A ``spot`` machine may be
    taken away at any time. ``room`` is how many more of them the provider could give now; None where unknown.
    """

    name: str
    cpus: float
    memory_mib: int
    vgpus: int = 0
    scratch_mib: int = 0
    hourly_price: float = 0.0
    spot: bool = False
    room: int | None = None


class MemberState(StrEnum):
    """How far a member of a set is in its life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One worker or one gateway instance; ``busy`` counts its jobs or open requests, ``idle_s`` is 0 while it has any.

    ``removable`` is False where the provider did not make it: it is counted, and never taken away.
    """

    id: str
    state: MemberState
    shape: Shape
    busy: int = 0
    idle_s: float = 0.0
    removable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Jobs that wait and ask for the same; ``spot`` says whether losing the machine would do them no harm."""

    resources: Resources
    count: int
    spot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What is measured of one set now; None where it cannot be known.

    ``cpu_percent`` and ``memory_percent`` are means over ready members. ``p95_s`` and ``mean_s`` are response times.
    ``rate_per_s`` is of arriving jobs or requests. ``expected_depth`` is a forecast of ``queue_depth`` by the time
    a machine of the growth after this one would be ready: after the cooldown, and what a machine takes to come.
    """

    members: tuple[Member, ...] = ()
    shapes: tuple[Shape, ...] = ()
    queue_depth: int = 0
    demands: tuple[Demand, ...] = ()
    cpu_percent: float | None = None
    memory_percent: float | None = None
    p95_s: float | None = None
    mean_s: float | None = None
    rate_per_s: float | None = None
    expected_depth: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The least and the most members of a set, both included."""

    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Bounds that hold in a weekly window: ``days`` 0 is Monday, times are of ``timezone``, and may pass midnight."""

    days: frozenset[int]
    begins: dt.time
    ends: dt.time
    bounds: Bounds
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How one set scales; percentages from 0 to 100, times in seconds. A threshold of None is not looked at."""

    target: Target
    bounds: Bounds
    up_cooldown_s: float = 300.0
    down_cooldown_s: float = 600.0
    queue_up: int | None = None
    jobs_per_worker: int = 10
    cpu_up: float | None = 80.0
    memory_up: float | None = None
    p95_up_s: float | None = None
    cpu_down: float | None = None
    response_down_s: float | None = None
    idle_down_s: float | None = None
    target_cpu: float | None = None
    target_response_s: float | None = None
    schedules: tuple[Schedule, ...] = ()
    default_shape: str = ""
    use_spot: bool = False
    use_forecast: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingState:
    """What is remembered from one decision to the next.

    ``manual_count`` is what an operator asked for at ``manual_at``; it wins until ``manual_until``.
    ``strained_count`` members were too few for ``strained_rate_per_s``: a set does not shrink to them again before less
    comes in, however calm it looks with more.
    """

    last_up_at: dt.datetime | None = None
    last_down_at: dt.datetime | None = None
    manual_count: int | None = None
    manual_at: dt.datetime | None = None
    manual_until: dt.datetime | None = None
    manual_by: str = ""
    strained_count: int | None = None
    strained_rate_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """So many machines of one shape."""

    shape: Shape
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleUp:
    """Members to add.

    ``forced`` where the bounds ask for them: no cooldown begins. ``strained_count`` and ``strained_rate_per_s`` say
    under which load how many were too few.
    """

    launches: tuple[Launch, ...]
    reason: str
    forced: bool = False
    strained_count: int | None = None
    strained_rate_per_s: float | None = None

    @property
    def count(self) -> int:
        """How many in all."""
        return sum(launch.count for launch in self.launches)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleDown:
    """Members to drain and remove, by id; ``forced`` where the bounds ask for it: no cooldown begins."""

    members: tuple[str, ...]
    reason: str
    forced: bool = False

    @property
    def count(self) -> int:
        """How many."""
        return len(self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Nothing to do, or not now: then ``until`` says when it may be."""

    reason: str
    until: dt.datetime | None = None
    wanted: int = 0


Decision = ScaleUp | ScaleDown | Hold
