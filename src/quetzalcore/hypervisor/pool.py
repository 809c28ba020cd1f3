"""Which VMs are kept ready: bookkeeping without a clock, a process or a loop.

A VM is handed over once. It is then its taker's, to be ended by it; nothing comes back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = [
    "Action",
    "Asked",
    "Begin",
    "Bounds",
    "Closed",
    "ColdEnded",
    "Died",
    "End",
    "Event",
    "GoCold",
    "HandOver",
    "Outdated",
    "PoolState",
    "StartFailed",
    "Started",
    "Ticked",
    "decide",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many VMs are kept ready, how many of them start at once, and how old they grow."""

    wanted: int
    starts: int = 1
    stale_s: float = 900.0
    first_wait_s: float = 1.0  # after a failed start; doubled by each further one
    longest_wait_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """The VMs of one tier. ``cold`` counts takers that start their own: those go first."""

    idle: tuple[tuple[str, float], ...] = ()  # (id, ready since), oldest first
    starting: int = 0
    waiting: int = 0
    cold: int = 0
    failures: int = 0
    not_before_s: float = 0.0
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Somebody needs a VM."""

    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A VM that was begun is ready."""

    at_s: float
    vm_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFailed:
    """A VM that was begun did not come up."""

    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdEnded:
    """A taker's own start is over, well or not."""

    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Died:
    """An idle VM is gone."""

    at_s: float
    vm_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """Time has passed."""

    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """What idle VMs have loaded is no longer the best."""

    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """No VM is needed any more."""

    at_s: float


Event = Asked | Started | StartFailed | ColdEnded | Died | Ticked | Outdated | Closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Start one VM in the background."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """Give this VM to the taker who has waited longest; it is his."""

    vm_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoCold:
    """Tell the taker who has waited longest to start his own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """End this VM: nobody will take it."""

    vm_id: str


Action = Begin | HandOver | GoCold | End


def decide(state: PoolState, event: Event, bounds: Bounds) -> tuple[PoolState, tuple[Action, ...]]:
    """Give what is true after the event and what is to be done, in order."""
    state, first = _react(state, event, bounds)
    state, second = _refill(state, event.at_s, bounds)
    return state, (*first, *second)


def _react(  # noqa: C901, PLR0911 -- one for each event
    state: PoolState, event: Event, bounds: Bounds
) -> tuple[PoolState, tuple[Action, ...]]:
    match event:
        case Asked():
            return _serve(state)
        case Started():
            return _arrive(state, event)
        case StartFailed():
            return _give_up(state, event, bounds)
        case ColdEnded():
            return replace(state, cold=max(0, state.cold - 1)), ()
        case Died():
            return _without(state, {event.vm_id}), ()
        case Ticked():
            stale = [vm for vm, since in state.idle if event.at_s - since >= bounds.stale_s]
            return _without(state, set(stale)), tuple(End(vm_id=vm) for vm in stale)
        case Outdated():
            ends = tuple(End(vm_id=vm) for vm, _ in state.idle)
            return replace(state, idle=()), ends
        case Closed():
            return _close(state)


def _serve(state: PoolState) -> tuple[PoolState, tuple[Action, ...]]:
    if state.idle:
        (vm, _), *rest = state.idle
        return replace(state, idle=tuple(rest)), (HandOver(vm_id=vm),)
    if state.starting > state.waiting and not state.closed:
        return replace(state, waiting=state.waiting + 1), ()
    return replace(state, cold=state.cold + 1), (GoCold(),)


def _arrive(state: PoolState, event: Started) -> tuple[PoolState, tuple[Action, ...]]:
    state = replace(state, starting=max(0, state.starting - 1), failures=0)
    if state.waiting:
        return replace(state, waiting=state.waiting - 1), (HandOver(vm_id=event.vm_id),)
    if state.closed:
        return state, (End(vm_id=event.vm_id),)
    return replace(state, idle=(*state.idle, (event.vm_id, event.at_s))), ()


def _give_up(
    state: PoolState, event: StartFailed, bounds: Bounds
) -> tuple[PoolState, tuple[Action, ...]]:
    wait_s = min(bounds.longest_wait_s, bounds.first_wait_s * 2.0 ** min(state.failures, 30))
    state = replace(
        state,
        starting=max(0, state.starting - 1),
        failures=state.failures + 1,
        not_before_s=event.at_s + wait_s,
    )
    if state.waiting <= state.starting:
        return state, ()
    return replace(state, waiting=state.waiting - 1, cold=state.cold + 1), (GoCold(),)


def _close(state: PoolState) -> tuple[PoolState, tuple[Action, ...]]:
    ends = tuple(End(vm_id=vm) for vm, _ in state.idle)
    return replace(state, idle=(), closed=True), ends


def _without(state: PoolState, gone: set[str]) -> PoolState:
    return replace(state, idle=tuple(one for one in state.idle if one[0] not in gone))


def _refill(state: PoolState, at_s: float, bounds: Bounds) -> tuple[PoolState, tuple[Action, ...]]:
    if state.closed or state.cold or at_s < state.not_before_s:
        return state, ()
    missing = bounds.wanted - len(state.idle) - (state.starting - state.waiting)
    count = max(0, min(missing, bounds.starts - state.starting))
    return replace(state, starting=state.starting + count), (Begin(),) * count
