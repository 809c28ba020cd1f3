"""The gateway instances as the scaling loop sees them: by their own reports, and by who keeps them running."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from quetzalcore.autoscaler.model import Member, MemberState, Metrics, Shape, Target
from quetzalcore.autoscaler.provider import Machine, MachineState, Provider
from quetzalcore.autoscaler.scaled_set import Observed
from quetzalcore.autoscaler.smoothing import Smooth, mean
from quetzalcore.jobs.scaling import InstanceBook, InstanceReport

__all__ = ["SILENT_S", "InstanceSet", "living"]

SILENT_S = 10.0
"""An instance that has said nothing for so long does not serve."""

_FORGOTTEN_S = 120.0
_WINDOW_S, _LEAST_S = 30.0, 10.0  # starting takes CPU, and says nothing of the load
_ANY = Shape(name="instance", cpus=1.0, memory_mib=256)


class InstanceSet:
    """The set of gateway instances; its provider drains what it terminates."""

    target = Target.INSTANCES

    def __init__(self, provider: Provider, book: InstanceBook, *, ready_s: float) -> None:
        self.provider = provider
        self._book = book
        self._ready_s = ready_s
        self._cpu = Smooth(_WINDOW_S, least_s=_LEAST_S)

    async def observe(self, now: dt.datetime) -> Observed:
        """Look at reports and processes; forget the reports of those that are long dead."""
        machines = {machine.id: machine for machine in await self.provider.list()}
        reports = await self._book.list()
        dead = [one.id for one in reports if (now - one.seen_at).total_seconds() > _FORGOTTEN_S]
        if dead:
            await self._book.leave(*dead)
        alive = {report.id: report for report in living(reports, now)}
        serving = [one for one in alive.values() if not one.draining]
        return Observed(
            metrics=Metrics(
                members=_members(machines, alive),
                shapes=await self.provider.shapes(),
                cpu_percent=self._cpu.add(now, mean([one.cpu_percent for one in serving])),
                p95_s=_weighted([(one.p95_ms, one.requests_per_s) for one in serving]),
                mean_s=_weighted([(one.mean_ms, one.requests_per_s) for one in serving]),
                rate_per_s=sum(one.requests_per_s for one in serving),
            ),
            made=frozenset(machines),
            vacant=frozenset(machines),
            overdue=tuple(
                machine.id
                for machine in machines.values()
                if machine.id not in alive
                and machine.state is not MachineState.STOPPING
                and (now - machine.launched_at).total_seconds() > self._ready_s
            ),
        )

    async def drain(self, member_id: str) -> None:
        """Leave it to the provider, whose ``terminate`` drains."""


def living(reports: Sequence[InstanceReport], now: dt.datetime) -> tuple[InstanceReport, ...]:
    """Give the reports of those that have spoken lately."""
    return tuple(one for one in reports if (now - one.seen_at).total_seconds() <= SILENT_S)


def _members(
    machines: Mapping[str, Machine], alive: Mapping[str, InstanceReport]
) -> tuple[Member, ...]:
    """Give processes and those that only report: the ones that somebody else keeps running cannot be removed."""
    members = [
        Member(
            id=name,
            state=_state(machine, alive.get(name)),
            shape=machine.shape,
            busy=_busy(alive.get(name)),
        )
        for name, machine in machines.items()
    ]
    members += [
        Member(
            id=name,
            state=MemberState.DRAINING if report.draining else MemberState.READY,
            shape=_ANY,
            busy=_busy(report),
            removable=False,
        )
        for name, report in alive.items()
        if name not in machines
    ]
    return tuple(members)


def _state(machine: Machine, report: InstanceReport | None) -> MemberState:
    if machine.state is MachineState.STOPPING or (report is not None and report.draining):
        return MemberState.DRAINING
    return MemberState.STARTING if report is None else MemberState.READY


def _busy(report: InstanceReport | None) -> int:
    return 0 if report is None else report.open_requests


def _weighted(times: Sequence[tuple[float, float]]) -> float | None:
    """Give the mean of times in milliseconds by how many requests each stands for, in seconds; None without requests."""
    total = sum(rate for _, rate in times)
    return sum(ms * rate for ms, rate in times) / total / 1000.0 if total > 0 else None
