"""Whatever happens, in whatever order: one process a slot, no gap in a rolling restart, and an end of everything."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from quetzalcore.ops.supervisor.events import (
    Event,
    Exited,
    Launch,
    Ready,
    Restart,
    Scale,
    Stop,
    Terminate,
    Tick,
)
from quetzalcore.ops.supervisor.slots import End, Kill, Patience, Phase, Role, Start
from quetzalcore.ops.supervisor.supervision import begin, handle

PATIENCE = Patience(start_s=10.0, stop_s=5.0, healthy_s=60.0)


class Supervised(RuleBasedStateMachine):
    """A world of processes that do what they are told, late, or die."""

    @initialize(instances=st.integers(1, 4))
    def begin(self, instances: int) -> None:
        self.known = begin("ab", instances=instances, others=(Role.MASTER,), now=0.0)
        self.now = 0.0
        self.alive: dict[str, str] = {}
        self.told: set[str] = set()
        self.killed: set[str] = set()
        self.used: set[str] = set()
        self.steady = False  # only a rolling restart goes on
        self.event(Tick())

    def event(self, event: Event) -> None:
        serving = self.serving()
        self.known, actions = handle(self.known, event, now=self.now, patience=PATIENCE)
        for action in actions:
            match action:
                case Start():
                    assert action.run_id not in self.used, "ids are used once"
                    assert not self.known.stopping
                    self.used.add(action.run_id)
                    self.alive[action.run_id] = action.slot
                case End():
                    assert action.run_id in self.alive
                    assert action.run_id not in self.told, "asked once"
                    self.told.add(action.run_id)
                case Kill():
                    assert action.run_id in self.alive
                    assert action.run_id not in self.killed, "killed once"
                    self.killed.add(action.run_id)
        if self.steady and isinstance(event, Ready | Tick | Restart):
            assert self.serving() >= serving, "a rolling restart makes no gap"

    def serving(self) -> int:
        """Count instances that take requests."""
        runs = [run for slot in self.known.slots if slot.role is Role.GATEWAY for run in slot.runs]
        return sum(run.phase is Phase.READY for run in runs if run.id not in self.told)

    @rule(wait_s=st.sampled_from([0.0, 0.3, 1.0, 4.0, 11.0, 31.0, 61.0]))
    def time_passes(self, wait_s: float) -> None:
        self.now += wait_s
        self.event(Tick())

    @rule(data=st.data())
    def one_gets_ready(self, data: Any) -> None:  # noqa: ANN401 -- hypothesis's
        if self.alive:
            self.event(Ready(run_id=data.draw(st.sampled_from(sorted(self.alive)))))

    @rule(data=st.data(), jitter=st.floats(0, 1))
    def one_ends(self, data: Any, jitter: float) -> None:  # noqa: ANN401 -- hypothesis's
        if self.alive:
            run_id = data.draw(st.sampled_from(sorted(self.alive)))
            del self.alive[run_id]
            self.event(Exited(run_id=run_id, jitter=jitter))

    @rule(name=st.sampled_from(["a", "b"]))
    def one_is_launched(self, name: str) -> None:
        self.steady = False
        self.event(Launch(name=name))

    @rule(data=st.data())
    def one_is_terminated(self, data: Any) -> None:  # noqa: ANN401 -- hypothesis's
        self.steady = False
        self.event(Terminate(id=data.draw(st.sampled_from(["nobody", *sorted(self.alive)]))))

    @rule(count=st.integers(1, 5))
    def the_number_changes(self, count: int) -> None:
        self.steady = False
        self.event(Scale(instances=count))

    @rule()
    def all_are_restarted(self) -> None:
        self.steady = True
        self.event(Restart(slots=tuple(slot.name for slot in self.known.instances())))

    @rule()
    def the_master_is_restarted(self) -> None:
        self.event(Restart(slots=("master",)))

    @rule()
    def all_is_stopped(self) -> None:
        self.steady = False
        self.event(Stop())

    @invariant()
    def what_is_known_is_what_lives(self) -> None:
        known = {run.id: slot.name for slot in self.known.slots for run in slot.runs}
        assert known == self.alive

    @invariant()
    def a_slot_has_one_process_but_while_it_is_replaced(self) -> None:
        for slot in self.known.slots:
            assert len(slot.runs) <= (2 if slot.role is Role.GATEWAY else 1)
        heirs = [slot for slot in self.known.slots if slot.heir is not None]
        assert len(heirs) <= 1, "one is replaced at a time"
        for slot in self.known.slots:
            two = [run for run in (slot.run, slot.heir) if run is not None]
            assert len(two) <= 1 or slot.heir is not None

    @invariant()
    def once_stopped_everything_was_told(self) -> None:
        if self.known.stopping:
            assert set(self.alive) <= self.told

    def teardown(self) -> None:
        """Left alone, it comes to rest with everything that is wanted, and can be stopped."""
        if not hasattr(self, "known"):
            return
        for step in range(60):
            self.now += 0.0 if step % 3 else 31.0  # whatever starts is ready before it is late
            self.event(Tick())
            for run_id in sorted(self.alive):
                if run_id in self.told | self.killed:
                    del self.alive[run_id]
                    self.event(Exited(run_id=run_id))
                else:
                    self.event(Ready(run_id=run_id))
        if self.known.stopping:
            assert self.known.slots == ()
            return
        assert self.known.ready()
        assert self.known.rolling == ()
        self.event(Stop())
        for run_id in sorted(self.alive):
            del self.alive[run_id]
            self.event(Exited(run_id=run_id))
        assert self.known.slots == ()


TestSupervised = Supervised.TestCase
TestSupervised.settings = settings(max_examples=60, stateful_step_count=30)
