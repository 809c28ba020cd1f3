from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

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


@dataclass
class _World:
    """What a pool's decisions have led to."""

    begun: int = 0
    idle: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)  # handed over, ended or dead
    askers: int = 0
    cold: int = 0


class PoolMachine(RuleBasedStateMachine):
    """Any order of events, with every promise of the pool checked after each."""

    bounds = Bounds(wanted=3, starts=2, stale_s=100.0)

    def __init__(self) -> None:
        super().__init__()
        self.state, self.world, self.now_s, self.names = PoolState(), _World(), 0.0, 0
        self.closed = False

    def tell(self, event: Event) -> None:
        self.state, actions = decide(self.state, event, self.bounds)
        for action in actions:
            if isinstance(action, Begin):
                assert not self.closed
                self.world.begun += 1
            elif isinstance(action, HandOver | End):
                assert action.vm_id in self.world.idle, "handed over or ended twice, or dead"
                self.world.idle.remove(action.vm_id)
                self.world.gone.add(action.vm_id)
                self.world.askers -= isinstance(action, HandOver)
            elif isinstance(action, GoCold):
                self.world.askers -= 1
                self.world.cold += 1

    @rule(wait_s=st.floats(0, 60))
    def time_passes(self, wait_s: float) -> None:
        self.now_s += wait_s
        self.tell(Ticked(at_s=self.now_s))

    @rule()
    def somebody_asks(self) -> None:
        self.world.askers += 1
        self.tell(Asked(at_s=self.now_s))

    @precondition(lambda self: self.world.begun)
    @rule()
    def one_comes_up(self) -> None:
        self.world.begun -= 1
        self.names += 1
        name = f"vm{self.names}"
        self.world.idle.add(name)
        self.tell(Started(at_s=self.now_s, vm_id=name))

    @precondition(lambda self: self.world.begun)
    @rule()
    def one_fails_to_come_up(self) -> None:
        self.world.begun -= 1
        self.tell(StartFailed(at_s=self.now_s))

    @precondition(lambda self: self.world.cold)
    @rule()
    def a_cold_start_is_over(self) -> None:
        self.world.cold -= 1
        self.tell(ColdEnded(at_s=self.now_s))

    @precondition(lambda self: self.world.idle)
    @rule(data=st.data())
    def an_idle_one_dies(self, data) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.idle)))
        self.world.idle.remove(name)
        self.world.gone.add(name)
        self.tell(Died(at_s=self.now_s, vm_id=name))

    @rule()
    def what_they_loaded_is_outdated(self) -> None:
        self.tell(Outdated(at_s=self.now_s))
        assert not self.world.idle

    @rule()
    def it_closes(self) -> None:
        self.closed = True
        self.tell(Closed(at_s=self.now_s))

    @invariant()
    def its_books_are_right(self) -> None:
        assert {vm for vm, _ in self.state.idle} == self.world.idle
        assert self.state.starting == self.world.begun
        assert self.state.waiting == self.world.askers
        assert self.state.cold == self.world.cold

    @invariant()
    def it_stays_within_its_bounds(self) -> None:
        assert len(self.state.idle) + self.state.starting - self.state.waiting <= self.bounds.wanted
        assert self.state.starting <= self.bounds.starts

    @invariant()
    def nobody_waits_for_what_is_not_coming(self) -> None:
        assert self.state.waiting <= self.state.starting
        assert not (self.state.waiting and self.state.idle)

    @invariant()
    def a_closed_pool_keeps_nothing(self) -> None:
        assert not (self.closed and self.world.idle)


TestPool = PoolMachine.TestCase


def test_an_idle_vm_is_handed_over_and_replaced() -> None:
    state = PoolState(idle=(("a", 0.0),))
    state, actions = decide(state, Asked(at_s=1.0), Bounds(wanted=1))
    assert actions == (HandOver(vm_id="a"), Begin())
    assert state.starting == 1


def test_the_second_asker_does_not_wait_for_the_same_start() -> None:
    state, _ = decide(PoolState(), Ticked(at_s=0.0), Bounds(wanted=1))
    state, first = decide(state, Asked(at_s=0.0), Bounds(wanted=1))
    state, second = decide(state, Asked(at_s=0.0), Bounds(wanted=1))
    assert first == ()
    assert second == (GoCold(),)


def test_nothing_is_started_ahead_while_somebody_starts_his_own() -> None:
    state, actions = decide(PoolState(cold=1), Ticked(at_s=0.0), Bounds(wanted=2))
    assert actions == ()
    _, actions = decide(state, ColdEnded(at_s=0.0), Bounds(wanted=2))
    assert actions == (Begin(),)


@given(st.integers(1, 40))
def test_failed_starts_are_tried_ever_more_rarely(failures: int) -> None:
    bounds = Bounds(wanted=1, first_wait_s=1.0, longest_wait_s=60.0)
    state, now_s, waits = PoolState(starting=1), 0.0, []
    for _ in range(failures):
        state, actions = decide(state, StartFailed(at_s=now_s), bounds)
        assert actions == ()
        waits.append(state.not_before_s - now_s)
        now_s = state.not_before_s
        state, actions = decide(state, Ticked(at_s=now_s), bounds)
        assert actions == (Begin(),)
    assert waits == sorted(waits)
    assert waits[0] == 1.0
    assert waits[-1] <= 60.0


def test_a_stale_vm_is_ended_and_replaced() -> None:
    state = PoolState(idle=(("old", 0.0), ("new", 50.0)))
    state, actions = decide(state, Ticked(at_s=100.0), Bounds(wanted=2, stale_s=100.0))
    assert actions == (End(vm_id="old"), Begin())
