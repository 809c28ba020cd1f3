from __future__ import annotations

import pytest

from quetzalcore.ops.supervisor.backoff import FAILING, backoff_s
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
from quetzalcore.ops.supervisor.slots import Action, End, Forget, Kill, Patience, Role, Start
from quetzalcore.ops.supervisor.supervision import begin, handle

PATIENCE = Patience(start_s=10.0, stop_s=5.0, healthy_s=60.0)


class Watched:
    """A supervision with a clock of its own."""

    def __init__(self, instances: int = 2, others: tuple[Role, ...] = ()) -> None:
        self.known = begin("ab", instances=instances, others=others, now=100.0)
        self.now = 100.0

    def after(self, event: Event, *, wait_s: float = 0.0) -> tuple[Action, ...]:
        self.now += wait_s
        self.known, actions = handle(self.known, event, now=self.now, patience=PATIENCE)
        return actions

    def all_ready(self) -> None:
        for slot in self.known.slots:
            if slot.run is not None:
                self.after(Ready(run_id=slot.run.id))

    def states(self) -> dict[str, str]:
        return {slot.name: slot.state for slot in self.known.slots}


@pytest.fixture
def two() -> Watched:
    """Two instances that serve."""
    watched = Watched()
    watched.after(Tick())
    watched.all_ready()
    return watched


def test_everything_is_started_once() -> None:
    watched = Watched(instances=2, others=(Role.MASTER,))
    assert watched.after(Tick()) == (
        Start(slot="master", role=Role.MASTER, run_id="master-ab-1"),
        Start(slot="gateway-1", role=Role.GATEWAY, run_id="i1-ab-2"),
        Start(slot="gateway-2", role=Role.GATEWAY, run_id="i2-ab-3"),
    )
    assert watched.after(Tick(), wait_s=1.0) == ()
    assert not watched.known.ready()
    watched.all_ready()
    assert watched.known.ready()


def test_what_dies_is_started_again_after_a_wait_and_under_another_id(two: Watched) -> None:
    assert two.after(Exited(run_id="i1-ab-1")) == ()
    assert two.states()["gateway-1"] == "restarting"
    assert two.after(Tick(), wait_s=0.2) == ()
    assert two.after(Tick(), wait_s=0.05) == (
        Start(slot="gateway-1", role=Role.GATEWAY, run_id="i1-ab-3"),
    )


def test_the_wait_doubles_and_is_long_once_a_process_counts_as_failing() -> None:
    assert [backoff_s(n, jitter=0.0) for n in range(7)] == [0, 0.25, 0.5, 1.0, 2.0, 30.0, 30.0]
    assert backoff_s(3, jitter=1.0) == 0.5


def test_five_quick_deaths_are_failing_and_it_is_still_tried() -> None:
    watched = Watched(instances=1)
    (start,) = watched.after(Tick())
    for _ in range(FAILING):
        assert isinstance(start, Start)
        assert watched.after(Exited(run_id=start.run_id)) == ()
        (start,) = watched.after(Tick(), wait_s=30.0)
    assert watched.states() == {"gateway-1": "failing"}


def test_a_healthy_minute_forgets_earlier_deaths(two: Watched) -> None:
    two.after(Exited(run_id="i1-ab-1"))
    (start,) = two.after(Tick(), wait_s=1.0)
    assert isinstance(start, Start)
    two.after(Ready(run_id=start.run_id))
    two.after(Tick(), wait_s=60.0)
    assert two.known.slots[0].failures == 0


def test_what_does_not_get_ready_is_killed_once(two: Watched) -> None:
    two.after(Exited(run_id="i1-ab-1"))
    two.after(Tick(), wait_s=1.0)
    assert two.after(Tick(), wait_s=10.0) == (Kill(run_id="i1-ab-3"),)
    assert two.after(Tick(), wait_s=1.0) == ()
    assert two.after(Ready(run_id="i1-ab-3")) == ()  # too late: it dies
    assert not two.known.ready()


def test_an_instance_is_launched_once_by_its_name(two: Watched) -> None:
    (start,) = two.after(Launch(name="order-1"))
    assert start == Start(slot="gateway-3", role=Role.GATEWAY, run_id="i3-ab-3")
    assert two.after(Launch(name="order-1")) == ()


def test_a_terminated_instance_drains_and_its_socket_is_closed_when_it_is_gone(
    two: Watched,
) -> None:
    assert two.after(Terminate(id="i1-ab-1")) == (End(run_id="i1-ab-1"),)
    assert two.states()["gateway-1"] == "draining"
    assert two.after(Terminate(id="i1-ab-1")) == ()
    assert two.after(Exited(run_id="i1-ab-1")) == (Forget(slot="gateway-1"),)
    assert two.after(Terminate(id="i1-ab-1")) == ()
    assert [slot.name for slot in two.known.slots] == ["gateway-2"]


def test_what_does_not_end_is_killed(two: Watched) -> None:
    two.after(Terminate(id="gateway-1"))
    assert two.after(Tick(), wait_s=5.0) == (Kill(run_id="i1-ab-1"),)


def test_the_master_is_no_instance_that_can_be_terminated() -> None:
    watched = Watched(instances=1, others=(Role.MASTER,))
    watched.after(Tick())
    assert watched.after(Terminate(id="master")) == ()


def test_scaling_down_takes_those_that_do_not_serve_and_then_the_youngest() -> None:
    watched = Watched(instances=4)
    watched.after(Tick())
    for run_id in ("i1-ab-1", "i3-ab-3", "i4-ab-4"):
        watched.after(Ready(run_id=run_id))
    assert watched.after(Scale(instances=2)) == (End(run_id="i2-ab-2"), End(run_id="i4-ab-4"))
    assert [slot.name for slot in watched.known.instances()] == ["gateway-1", "gateway-3"]


def test_scaling_up_takes_the_lowest_free_numbers(two: Watched) -> None:
    two.after(Terminate(id="gateway-1"))
    two.after(Exited(run_id="i1-ab-1"))
    starts = two.after(Scale(instances=3))
    assert [start.slot for start in starts if isinstance(start, Start)] == [
        "gateway-1",
        "gateway-3",
    ]


def test_a_rolling_restart_replaces_one_after_the_other_and_never_before_the_new_one_serves(
    two: Watched,
) -> None:
    assert two.after(Restart(slots=("gateway-1", "gateway-2"))) == (
        Start(slot="gateway-1", role=Role.GATEWAY, run_id="i1-ab-3"),
    )
    assert two.states() == {"gateway-1": "replacing", "gateway-2": "ready"}
    assert two.after(Tick(), wait_s=1.0) == ()
    assert two.after(Ready(run_id="i1-ab-3")) == (End(run_id="i1-ab-1"),)
    assert two.after(Tick()) == (Start(slot="gateway-2", role=Role.GATEWAY, run_id="i2-ab-4"),)
    assert two.after(Ready(run_id="i2-ab-4")) == (End(run_id="i2-ab-2"),)
    assert two.after(Exited(run_id="i1-ab-1")) == ()
    assert two.after(Exited(run_id="i2-ab-2")) == ()
    assert two.known.rolling == ()
    assert two.known.ready()


def test_a_rolling_restart_stops_where_a_new_process_fails(two: Watched) -> None:
    two.after(Restart(slots=("gateway-1", "gateway-2")))
    assert two.after(Exited(run_id="i1-ab-3")) == ()
    assert two.known.trouble.startswith("gateway-1: the new process ended before it was ready")
    assert two.after(Tick(), wait_s=30.0) == ()
    assert two.known.ready()


def test_an_instance_that_dies_while_it_is_replaced_leaves_its_place_to_its_heir(
    two: Watched,
) -> None:
    two.after(Restart(slots=("gateway-1",)))
    assert two.after(Exited(run_id="i1-ab-1")) == ()
    assert two.after(Ready(run_id="i1-ab-3")) == ()
    assert two.known.ready()
    assert two.known.rolling == ()


def test_the_master_ends_before_the_next_one_starts() -> None:
    watched = Watched(instances=1, others=(Role.MASTER,))
    watched.after(Tick())
    watched.all_ready()
    assert watched.after(Restart(slots=("master",))) == (End(run_id="master-ab-1"),)
    assert watched.after(Tick(), wait_s=1.0) == ()
    assert watched.after(Exited(run_id="master-ab-1")) == (
        Start(slot="master", role=Role.MASTER, run_id="master-ab-3"),
    )


def test_at_the_stop_everything_ends_without_draining_and_nothing_starts_again(
    two: Watched,
) -> None:
    two.after(Restart(slots=("gateway-1",)))
    assert two.after(Stop()) == (
        End(run_id="i1-ab-1", drain=False),
        End(run_id="i1-ab-3", drain=False),
        End(run_id="i2-ab-2", drain=False),
    )
    assert two.after(Launch(name="late")) == ()
    for run_id in ("i1-ab-1", "i1-ab-3", "i2-ab-2"):
        two.after(Exited(run_id=run_id))
    assert two.known.slots == ()


def test_a_process_that_nobody_knows_changes_nothing(two: Watched) -> None:
    before = two.known
    assert two.after(Exited(run_id="stranger")) == ()
    assert two.after(Ready(run_id="stranger")) == ()
    assert two.known == before
