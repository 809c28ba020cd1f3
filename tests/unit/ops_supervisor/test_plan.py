from __future__ import annotations

from pathlib import Path

from quetzalcore.ops.supervisor.plan import Handed, SupervisorPlan, command
from quetzalcore.ops.supervisor.slots import Patience, Role, Start

PLAN = SupervisorPlan(
    run=Path("/data/run"),
    logs=Path("/data/logs"),
    commands={"gateway": ("quetzal", "gateway"), "master": ("quetzal", "master")},
    instances=3,
    most_instances=20,
    host="127.0.0.1",
    port=8000,
    master_host="127.0.0.1",
    master_port=9000,
    shared=True,
    drain_s=3.5,
    started_at=1.5,
    patience=Patience(stop_s=9.0),
)


def test_a_plan_comes_back_from_json_as_it_was() -> None:
    assert SupervisorPlan.of_json(PLAN.to_json()) == PLAN
    assert PLAN.others == (Role.MASTER,)


def test_a_gateway_is_told_who_it_is_and_what_it_inherits() -> None:
    start = Start(slot="gateway-1", role=Role.GATEWAY, run_id="i1-ab-2")
    assert command(PLAN, start, handed=Handed(own=7, shared=5), ready=9) == (
        "quetzal", "gateway", "--ready-fd", "9", "--fd", "7", "--shared-fd", "5",
        "--instance", "i1-ab-2", "--drain", "3.5",
    )  # fmt: skip


def test_a_master_is_only_told_what_it_inherits() -> None:
    start = Start(slot="master", role=Role.MASTER, run_id="master-ab-1")
    assert command(PLAN, start, handed=Handed(own=6), ready=8) == (
        "quetzal", "master", "--ready-fd", "8", "--fd", "6",
    )  # fmt: skip
    assert Handed(own=6).numbers == (6,)
