"""What a load test is told to do, and with what it is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.ops.stress.plan import (
    LOCUSTFILE,
    Action,
    LoadPlan,
    Scenario,
    locust_command,
    locust_environment,
    weights,
)


def plan(**changes: Any) -> LoadPlan:  # noqa: ANN401 -- any field
    usual = {"users": 50, "duration_s": 60, "ramp_up_s": 10, "scenario": Scenario.MIXED}
    return LoadPlan(url="http://127.0.0.1:8000", **{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"users": 0}, "--users is 0"),
        ({"users": 10_001}, "--users"),
        ({"duration_s": 0}, "--duration"),
        ({"ramp_up_s": -1}, "--ramp-up"),
    ],
)
def test_a_number_out_of_range_is_named(changes, option) -> None:
    with pytest.raises(BadParameter, match=option):
        plan(**changes)


def test_the_command_says_who_comes_and_how_fast() -> None:
    said = locust_command(plan(), python="python")
    assert said == (
        "python", "-m", "locust",
        "--locustfile", str(LOCUSTFILE),
        "--headless",
        "--host", "http://127.0.0.1:8000",
        "--users", "50",
        "--spawn-rate", "5",
        "--stop-timeout", "31",
        "--exit-code-on-error", "0",
        "--loglevel", "WARNING",
    )  # fmt: skip
    assert LOCUSTFILE.is_file()


def test_without_a_ramp_up_all_come_at_once() -> None:
    said = locust_command(plan(ramp_up_s=0))
    assert said[said.index("--spawn-rate") + 1] == "50"


def test_neither_our_secrets_nor_the_owners_habits_reach_locust() -> None:
    given = {
        "PATH": "/bin",
        "HOME": "/root",
        "QUETZAL_API_KEY": "qz_x",
        "LOCUST_USERS": "9",
        "LOCUSTFILE": "other.py",
        "SSL_CERT_FILE": "/ca.pem",
    }
    found = locust_environment(given, Path("/scratch"))
    assert found == {"PATH": "/bin", "HOME": "/scratch", "SSL_CERT_FILE": "/ca.pem"}


@pytest.mark.parametrize("scenario", Scenario)
def test_who_may_not_see_the_system_does_not_ask_for_it(scenario) -> None:
    allowed, not_allowed = weights(scenario, system=True), weights(scenario, system=False)
    assert Action.SYSTEM not in not_allowed
    assert not_allowed == {name: n for name, n in allowed.items() if name != Action.SYSTEM}
    assert sum(not_allowed.values()) > 0


def test_a_mixed_load_is_mostly_reads() -> None:
    found = weights(Scenario.MIXED, system=True)
    assert (found[Action.READ], found[Action.UPLOAD], sum(found.values())) == (60, 10, 100)
