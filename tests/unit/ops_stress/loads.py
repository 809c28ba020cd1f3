"""Records of load tests that never ran."""

from __future__ import annotations

from collections.abc import Iterable

from quetzalcore.ops.stress.plan import LoadPlan, Scenario
from quetzalcore.ops.stress.record import Key, Record, Second, Tally

PLAN = LoadPlan(
    url="http://127.0.0.1:8000", scenario=Scenario.READ, users=10, duration_s=20, ramp_up_s=5
)
ROUTE = "GET /api/jobs/{job_id}"


def tally(count: int, took_ms: float) -> Tally:
    found = Tally()
    for _ in range(count):
        found.add(took_ms)
    return found


def key(instance: str = "one", status: int = 200, *, route: str = ROUTE, fault: str = "") -> Key:
    return Key(route=route, status=status, ok=status == 200, instance=instance, fault=fault)


def second(number: int, tallies: dict[Key, Tally], *, users: int = 10, cpu: float = 20.0) -> Second:
    return Second(number=number, users=users, cpu_percent=cpu, tallies=tallies)


def record(seconds: Iterable[Second], *, ended_s: float | None = 25.0) -> Record:
    return Record(seconds=tuple(seconds), ended_s=ended_s)


def steady(rates: dict[str, int], *, took_ms: float = 10.0, seconds: int = 25) -> Record:
    """Let every instance answer as often every second."""
    return record(
        (
            second(n, {key(name): tally(rate, took_ms) for name, rate in rates.items()})
            for n in range(seconds)
        ),
        ended_s=float(seconds),
    )
