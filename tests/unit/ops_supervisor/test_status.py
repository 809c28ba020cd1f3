from __future__ import annotations

import pytest

from quetzalcore.ops.supervisor.slots import Phase, Role, Run, Slot
from quetzalcore.ops.supervisor.status import Condition, instance_document, process_document


def wall(at: float) -> float:
    return 1000.0 + at


def run(run_id: str, phase: Phase = Phase.READY) -> Run:
    return Run(id=run_id, phase=phase, born_at=5.0, since=7.0)


READY = Slot(name="gateway-1", role=Role.GATEWAY, made_at=1.0, order="scale-7", run=run("i1-a-3"))


def test_an_instance_is_known_by_its_process_and_counts_from_when_that_began() -> None:
    assert instance_document(READY, "http://127.0.0.1:9", wall) == {
        "id": "i1-a-3",
        "name": "scale-7",
        "state": "running",
        "launched_at": 1005.0,
        "url": "http://127.0.0.1:9",
    }


def test_one_that_waits_to_be_started_again_counts_from_then_and_has_its_slots_name() -> None:
    slot = Slot(
        name="gateway-1", role=Role.GATEWAY, made_at=1.0, restarts=6, failures=6, retry_at=9.0
    )
    told = instance_document(slot, "", wall)
    assert (told["id"], told["state"], told["launched_at"]) == ("gateway-1", "pending", 1009.0)


def test_one_that_drains_keeps_its_id_until_it_is_gone() -> None:
    gone = run("i1-a-3", Phase.LEAVING)
    slot = Slot(name="gateway-1", role=Role.GATEWAY, made_at=1.0, leaving=(gone,), wanted=False)
    told = instance_document(slot, "", wall)
    assert (told["id"], told["state"]) == ("i1-a-3", "stopping")


@pytest.mark.parametrize(
    ("slot", "said"),
    [
        (READY, ""),
        (Slot(name="gateway-1", role=Role.GATEWAY, made_at=1.0, restarts=1), "ended with 1: boom"),
    ],
    ids=["ready", "restarting"],
)
def test_what_a_process_said_last_is_told_until_the_next_one_serves(slot: Slot, said: str) -> None:
    condition = Condition(url="", pids={"i1-a-3": 42}, epitaph="ended with 1: boom")
    told = process_document(slot, condition, wall)
    assert told["said"] == said
    assert told["pid"] == (42 if slot.run else None)
    assert told["since"] == (1007.0 if slot.run else 1001.0)
