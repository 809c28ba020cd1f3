"""Which members could go: nobody who is needed, and of the others the most expensive first."""

from __future__ import annotations

from collections.abc import Iterable

from quetzalcore.autoscaler.backlog import awaited_depth, fits_a_member
from quetzalcore.autoscaler.load import fewest_for_load
from quetzalcore.autoscaler.model import (
    Member,
    MemberState,
    Metrics,
    Policy,
    ScalingState,
)
from quetzalcore.autoscaler.muster import Muster
from quetzalcore.autoscaler.wanting import Fewer
from quetzalcore.autoscaler.wording import counted, figure, verb

__all__ = ["fewer_instances", "fewer_workers", "least_needed"]


def least_needed(members: Iterable[Member], count: int) -> tuple[str, ...]:
    """Choose who goes where somebody must: those not ready yet, the idle, the dearest, the least busy; never the fixed."""
    removable = [m for m in members if m.removable and m.state is not MemberState.DRAINING]
    removable.sort(key=_need)
    return tuple(member.id for member in removable[: max(0, count)])


def fewer_workers(
    metrics: Metrics, policy: Policy, state: ScalingState, there: Muster, least: int
) -> Fewer | None:
    """Say which idle workers could go; one that runs a job never does."""
    free = _workless(metrics, policy, there)
    long_idle = [
        m for m in free if policy.idle_down_s is not None and m.idle_s >= policy.idle_down_s
    ]
    spare = there.live - least
    cpu = metrics.cpu_percent
    if cpu is not None and policy.cpu_down is not None and cpu < policy.cpu_down:
        calm = min(there.live - fewest_for_load(metrics, policy, state, there), len(free))
        if calm > len(long_idle) and not there.starting:
            return _fewer(
                free,
                min(calm, spare),
                f"nothing waits and CPU is at {figure(cpu)} %, below {figure(policy.cpu_down)} %",
            )
    count = len(long_idle)
    waits = "nothing waits" if not metrics.queue_depth else "nothing waits that they could run"
    return _fewer(
        long_idle,
        min(count, spare),
        f"{waits} and {counted(count, 'worker')} {verb(count, 'has', 'have')} idled "
        f"{figure(policy.idle_down_s or 0.0)} s or longer",
    )


def fewer_instances(
    metrics: Metrics, policy: Policy, state: ScalingState, there: Muster, least: int
) -> Fewer | None:
    """Say which instances could go while CPU and response times are low; they drain, so a busy one may."""
    cpu = metrics.cpu_percent
    if cpu is None or policy.cpu_down is None or cpu >= policy.cpu_down or there.starting:
        return None
    if not _quick(metrics, policy):
        return None
    count = there.live - max(least, 1, fewest_for_load(metrics, policy, state, there))
    if count <= 0:
        return None
    chosen = least_needed(metrics.members, count)
    response = (
        "nothing is asked"
        if metrics.mean_s is None
        else f"the mean response takes {figure(metrics.mean_s)} s, below "
        f"{figure(policy.response_down_s or 0.0)} s"
    )
    reason = f"CPU is at {figure(cpu)} %, below {figure(policy.cpu_down)} %, and {response}"
    return Fewer(members=chosen, reason=reason) if chosen else None


def _quick(metrics: Metrics, policy: Policy) -> bool:
    """Say whether responses are quick; where none is known, whether that is because nothing is asked."""
    if policy.p95_up_s is not None and (metrics.p95_s or 0.0) > policy.p95_up_s:
        return False
    if policy.response_down_s is None:
        return True
    if metrics.mean_s is None:
        return metrics.rate_per_s == 0
    return metrics.mean_s < policy.response_down_s


def _workless(metrics: Metrics, policy: Policy, there: Muster) -> list[Member]:
    """Give the idle workers that nothing waits for: neither a job now, nor one that is expected."""
    if awaited_depth(metrics, policy) > metrics.queue_depth:
        return []
    told = sum(d.count for d in metrics.demands)
    if metrics.queue_depth > told:
        return []  # what waits is not known in full
    if any(d.count > 0 and fits_a_member(d, there) for d in metrics.demands):
        return []
    return [
        m for m in metrics.members if m.state is MemberState.READY and not m.busy and m.removable
    ]


def _fewer(free: list[Member], count: int, reason: str) -> Fewer | None:
    if count <= 0:
        return None
    return Fewer(members=least_needed(free, count), reason=reason)


def _need(member: Member) -> tuple[bool, bool, float, int, float, str]:
    """Order by need, the least needed first."""
    busy = member.busy > 0
    price = member.shape.hourly_price
    return (
        member.state is not MemberState.STARTING,
        busy,
        0.0 if busy else -price,
        member.busy,
        -member.idle_s,
        member.id,
    )
