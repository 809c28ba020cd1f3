"""What should run, and what to do so that it does: every event changes what is known, and yields actions.

Nothing here touches a process. ``handle`` first takes in what happened, then lets every slot take the next step
that it can take.
"""

from __future__ import annotations

from dataclasses import replace

from quetzalcore.ops.supervisor.backoff import backoff_s
from quetzalcore.ops.supervisor.events import (
    Event,
    Exited,
    Launch,
    Ready,
    Restart,
    Scale,
    Stop,
    Terminate,
)
from quetzalcore.ops.supervisor.slots import (
    Action,
    End,
    Forget,
    Kill,
    Patience,
    Phase,
    Role,
    Run,
    Slot,
    Start,
    Supervision,
)

__all__ = ["begin", "handle"]

_Step = tuple[Supervision, tuple[Action, ...]]


def begin(life: str, *, instances: int, others: tuple[Role, ...], now: float) -> Supervision:
    """Give what is to run at first; the next event starts it."""
    first = tuple(Slot(name=role.value, role=role, made_at=now) for role in others)
    return _grown(Supervision(life=life, slots=first), instances, now)


def handle(known: Supervision, event: Event, *, now: float, patience: Patience) -> _Step:
    """Take in an event and give what to do; ``now`` is a clock that only goes forward."""
    known = _taken_in(known, event, now, patience)
    known, actions = _rolled(known, now)
    for slot in known.slots:
        known, steps = _step(known, slot, now, patience)
        known, kills = _insist(known, slot.name, now, patience)
        actions = (*actions, *steps, *kills)
    return known, actions


def _taken_in(known: Supervision, event: Event, now: float, patience: Patience) -> Supervision:
    """Change what is known; do nothing yet."""
    match event:
        case Ready():
            return _readied(known, event.run_id, now)
        case Exited():
            return _without(known, event, now, patience)
        case Stop():
            return replace(known, stopping=True, rolling=())
        case Restart():
            return _to_roll(known, event.slots)
        case Launch() | Terminate() | Scale():
            return _resized(known, event, now)
        case _:
            return known


def _resized(known: Supervision, event: Launch | Terminate | Scale, now: float) -> Supervision:
    """Add instances or let some go."""
    if isinstance(event, Scale):
        return _sized(known, event.instances, now)
    if isinstance(event, Launch):
        there = any(slot.order == event.name for slot in known.slots)
        return known if there else _grown(known, 1, now, order=event.name)
    slot = known.slot_of(event.id) or known.named(event.id)
    if slot is None or slot.role is not Role.GATEWAY:
        return known
    return known.put(replace(slot, wanted=False))


def _grown(known: Supervision, count: int, now: float, *, order: str = "") -> Supervision:
    """Add instances, each under the lowest free number."""
    for _ in range(0 if known.stopping else count):
        taken = {slot.name for slot in known.slots}
        names = (f"{Role.GATEWAY}-{number}" for number in range(1, len(taken) + 2))
        name = next(name for name in names if name not in taken)
        slot = Slot(name=name, role=Role.GATEWAY, order=order, made_at=now)
        known = replace(known, slots=(*known.slots, slot))
    return known


def _sized(known: Supervision, count: int, now: float) -> Supervision:
    """Add instances or take some away: first those that do not serve, then the youngest."""
    instances = known.instances()
    if count >= len(instances):
        return _grown(known, count - len(instances), now)
    ages = range(len(instances), 0, -1)
    ranked = sorted(zip(ages, instances, strict=True), key=lambda each: (each[1].serves, each[0]))
    for _, slot in ranked[: len(instances) - count]:
        known = known.put(replace(slot, wanted=False))
    return known


def _to_roll(known: Supervision, names: tuple[str, ...]) -> Supervision:
    """Queue the processes that run now for replacement; slots without one get a new one anyway."""
    if known.stopping:
        return known
    for slot in known.slots:
        if slot.name not in names or not slot.wanted:
            continue
        if slot.run is None:
            known = known.put(replace(slot, retry_at=0.0))  # who asks does not wait for a backoff
        elif slot.run.id not in known.rolling:
            known = replace(known, rolling=(*known.rolling, slot.run.id))
    return replace(known, trouble="")


def _readied(known: Supervision, run_id: str, now: float) -> Supervision:
    slot = known.slot_of(run_id)
    if slot is None:
        return known

    def ready(run: Run | None) -> Run | None:
        if run is None or run.id != run_id or run.phase is not Phase.STARTING or run.killed:
            return run
        return replace(run, phase=Phase.READY, since=now)

    return known.put(replace(slot, run=ready(slot.run), heir=ready(slot.heir)))


def _without(known: Supervision, event: Exited, now: float, patience: Patience) -> Supervision:
    """Take a process that ended out of its slot; say when the next may start."""
    slot = known.slot_of(event.run_id)
    if slot is None:
        return known
    if slot.heir is not None and slot.heir.id == event.run_id:
        trouble = f"{slot.name}: the new process ended before it was ready; the old one goes on"
        return replace(known.put(replace(slot, heir=None)), rolling=(), trouble=trouble)
    if slot.run is None or slot.run.id != event.run_id:
        left = tuple(run for run in slot.leaving if run.id != event.run_id)
        return known.put(replace(slot, leaving=left))
    restarts = slot.restarts + 1
    if slot.heir is not None:  # it was to be replaced: its heir goes on alone
        return known.put(replace(slot, run=slot.heir, heir=None, restarts=restarts))
    lived_s = now - slot.run.born_at
    failures = 1 if lived_s >= patience.healthy_s else slot.failures + 1
    retry_at = now + backoff_s(failures, jitter=event.jitter)
    return known.put(
        replace(slot, run=None, failures=failures, restarts=restarts, retry_at=retry_at)
    )


def _rolled(known: Supervision, now: float) -> _Step:
    """Begin the next replacement of a rolling restart, one at a time."""
    while known.rolling:
        run_id, *rest = known.rolling
        slot = known.slot_of(run_id)
        if slot is None or slot.run is None or slot.run.id != run_id or not slot.wanted:
            known = replace(known, rolling=tuple(rest))  # it is gone already
        elif slot.role is not Role.GATEWAY:  # its socket keeps who knocks until the next one comes
            return _leave(known, slot.name, now)
        elif slot.heir is not None or slot.leaving or slot.run.phase is not Phase.READY:
            break  # until it serves, or has died and another was started
        else:
            known, heir, start = _born(known, slot, now)
            return known.put(replace(slot, heir=heir)), (start,)
    return known, ()


def _step(known: Supervision, slot: Slot, now: float, patience: Patience) -> _Step:
    """Let a slot take the step that it can take now."""
    if known.stopping or not slot.wanted:
        return _emptied(known, slot, now)
    if slot.run is None:
        if slot.leaving or now < slot.retry_at:
            return known, ()
        known, run, start = _born(known, slot, now)
        return known.put(replace(slot, run=run)), (start,)
    if slot.heir is not None and slot.heir.phase is Phase.READY:
        return _leave(known, slot.name, now)
    if slot.serves and now - slot.run.since >= patience.healthy_s:
        return known.put(replace(slot, failures=0)), ()
    return known, ()


def _emptied(known: Supervision, slot: Slot, now: float) -> _Step:
    """Let every process of a slot leave; forget the slot once none is left."""
    actions: tuple[Action, ...] = ()
    for run in (slot.run, slot.heir):
        if run is not None:
            known, ends = _leave(known, slot.name, now)
            actions = (*actions, *ends)
    if slot.runs:
        return known, actions
    left = tuple(other for other in known.slots if other.name != slot.name)
    return replace(known, slots=left), (Forget(slot=slot.name),)


def _born(known: Supervision, slot: Slot, now: float) -> tuple[Supervision, Run, Start]:
    """Give a process to start, under an id that was never used."""
    mark = f"i{slot.name.rpartition('-')[2]}" if slot.role is Role.GATEWAY else slot.name
    count = known.count + 1
    run_id = f"{mark}-{known.life}-{count}"
    run = Run(id=run_id, phase=Phase.STARTING, born_at=now, since=now)
    return replace(known, count=count), run, Start(slot=slot.name, role=slot.role, run_id=run_id)


def _leave(known: Supervision, name: str, now: float) -> _Step:
    """Ask a slot's process to end; its heir, if it has one, takes its place."""
    slot = known.named(name)
    if slot is None or slot.run is None:
        return known, ()
    gone = replace(slot.run, phase=Phase.LEAVING, since=now)
    rolling = tuple(other for other in known.rolling if other != gone.id)
    slot = replace(slot, run=slot.heir, heir=None, leaving=(*slot.leaving, gone))
    end = End(run_id=gone.id, drain=not known.stopping)
    return replace(known.put(slot), rolling=rolling), (end,)


def _insist(known: Supervision, name: str, now: float, patience: Patience) -> _Step:
    """Kill, once, what takes too long to start or to end."""
    slot = known.named(name)
    late = {run.id for run in slot.runs if _is_late(run, now, patience)} if slot else set()
    if slot is None or not late:
        return known, ()

    def marked(run: Run) -> Run:
        return replace(run, killed=True) if run.id in late else run

    slot = replace(
        slot,
        run=None if slot.run is None else marked(slot.run),
        heir=None if slot.heir is None else marked(slot.heir),
        leaving=tuple(marked(run) for run in slot.leaving),
    )
    return known.put(slot), tuple(Kill(run_id=run_id) for run_id in sorted(late))


def _is_late(run: Run, now: float, patience: Patience) -> bool:
    longest = {Phase.STARTING: patience.start_s, Phase.LEAVING: patience.stop_s}.get(run.phase)
    return longest is not None and not run.killed and now - run.since >= longest
