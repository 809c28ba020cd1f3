"""Which VM forks which job: bookkeeping without a clock, a process or a loop.

A VM that forks is bound to one ``Bond`` (its tenant above all) for life, and serves nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from quetzalcore.hypervisor.spec import Tier, Trust, VMSpec

__all__ = [
    "Asked",
    "Bond",
    "BranchEnded",
    "Claim",
    "ClaimFailed",
    "Claimed",
    "Closed",
    "Died",
    "End",
    "Fork",
    "ForkLimits",
    "ForkState",
    "GoAlone",
    "Parent",
    "Ticked",
    "bond_of",
    "decide",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bond:
    """Whose jobs of which size a VM forks; never another's."""

    tenant: str
    trust: Trust
    tier: Tier
    cpus: float
    memory_mib: int
    vgpu: int
    pids: int
    scratch_mib: int


def bond_of(spec: VMSpec) -> Bond:
    """Give the bond of a job's VM: jobs of one tenant and one size share a parent."""
    return Bond(
        tenant=spec.tenant,
        trust=spec.trust,
        tier=spec.tier,
        cpus=spec.cpus,
        memory_mib=spec.memory_mib,
        vgpu=spec.vgpu,
        pids=spec.pids,
        scratch_mib=spec.scratch_mib,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkLimits:
    """How many jobs a VM forks at once and in its life, and how long it waits for the next."""

    at_once: int = 4
    in_all: int = 1000
    idle_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A VM that forks."""

    vm_id: str
    bond: Bond
    idle_since_s: float
    running: int = 0
    served: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkState:
    """The VMs that fork; ``claims`` counts the askers that wait for a VM under way, by bond."""

    parents: tuple[Parent, ...] = ()
    claims: tuple[tuple[Bond, int], ...] = ()
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A job could be forked."""

    at_s: float
    bond: Bond


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A VM that never served anybody is now bound."""

    at_s: float
    bond: Bond
    vm_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFailed:
    """No VM could be had."""

    at_s: float
    bond: Bond


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchEnded:
    """Nothing of a forked job runs any more."""

    at_s: float
    vm_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Died:
    """A VM that forks is gone, and its jobs with it."""

    at_s: float
    vm_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """Time has passed."""

    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """No VM is needed any more."""

    at_s: float


Event = Asked | Claimed | ClaimFailed | BranchEnded | Died | Ticked | Closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Fork the job that has waited longest for this bond from this VM."""

    bond: Bond
    vm_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Get a VM that never served anybody, for this bond."""

    bond: Bond


@dataclass(frozen=True, slots=True, kw_only=True)
class GoAlone:
    """Give the job that has waited longest for this bond a VM of its own."""

    bond: Bond


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """End this VM: it has served its time."""

    vm_id: str


Action = Fork | Claim | GoAlone | End


def decide(
    state: ForkState, event: Event, limits: ForkLimits
) -> tuple[ForkState, tuple[Action, ...]]:
    """Give what is true after the event and what is to be done, in order."""
    match event:
        case Asked():
            return _ask(state, event, limits)
        case Claimed() | ClaimFailed():
            return _settle(state, event)
        case BranchEnded():
            state = _changed(state, event.vm_id, at_s=event.at_s)
        case Died():
            return _without(state, {event.vm_id}), ()
        case Closed():
            state = replace(state, closed=True)
        case Ticked():
            pass
    return _retire(state, event.at_s, limits)


def _ask(
    state: ForkState, event: Asked, limits: ForkLimits
) -> tuple[ForkState, tuple[Action, ...]]:
    if state.closed:
        return state, (GoAlone(bond=event.bond),)
    for parent in state.parents:
        if parent.bond == event.bond and _has_room(parent, limits):
            return _forked(state, parent.vm_id), (Fork(bond=event.bond, vm_id=parent.vm_id),)
    for place, (bond, waiting) in enumerate(state.claims):
        if bond == event.bond and waiting < min(limits.at_once, limits.in_all):
            claims = (*state.claims[:place], (bond, waiting + 1), *state.claims[place + 1 :])
            return replace(state, claims=claims), ()
    return replace(state, claims=(*state.claims, (event.bond, 1))), (Claim(bond=event.bond),)


def _settle(state: ForkState, event: Claimed | ClaimFailed) -> tuple[ForkState, tuple[Action, ...]]:
    place = next(i for i, (bond, _) in enumerate(state.claims) if bond == event.bond)
    waiting = state.claims[place][1]
    state = replace(state, claims=(*state.claims[:place], *state.claims[place + 1 :]))
    if isinstance(event, ClaimFailed):
        return state, (GoAlone(bond=event.bond),) * waiting
    parent = Parent(
        vm_id=event.vm_id,
        bond=event.bond,
        idle_since_s=event.at_s,
        running=waiting,
        served=waiting,
    )
    forks = (Fork(bond=event.bond, vm_id=event.vm_id),) * waiting
    return replace(state, parents=(*state.parents, parent)), forks


def _has_room(parent: Parent, limits: ForkLimits) -> bool:
    return parent.running < limits.at_once and parent.served < limits.in_all


def _forked(state: ForkState, vm_id: str) -> ForkState:
    return replace(
        state,
        parents=tuple(
            replace(p, running=p.running + 1, served=p.served + 1) if p.vm_id == vm_id else p
            for p in state.parents
        ),
    )


def _changed(state: ForkState, vm_id: str, *, at_s: float) -> ForkState:
    return replace(
        state,
        parents=tuple(
            replace(p, running=max(0, p.running - 1), idle_since_s=at_s) if p.vm_id == vm_id else p
            for p in state.parents
        ),
    )


def _retire(
    state: ForkState, at_s: float, limits: ForkLimits
) -> tuple[ForkState, tuple[Action, ...]]:
    done = [
        parent.vm_id
        for parent in state.parents
        if not parent.running
        and (
            state.closed
            or parent.served >= limits.in_all
            or at_s - parent.idle_since_s >= limits.idle_s
        )
    ]
    return _without(state, set(done)), tuple(End(vm_id=vm_id) for vm_id in done)


def _without(state: ForkState, gone: set[str]) -> ForkState:
    return replace(state, parents=tuple(p for p in state.parents if p.vm_id not in gone))
