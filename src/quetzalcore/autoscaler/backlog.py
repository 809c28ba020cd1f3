"""How many workers waiting jobs ask for, and of which shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from quetzalcore.autoscaler.fitting import allowed, by_price, fits, jobs_at_once, launches
from quetzalcore.autoscaler.model import Demand, Metrics, Policy, Shape
from quetzalcore.autoscaler.muster import Muster
from quetzalcore.autoscaler.wanting import Wanted
from quetzalcore.autoscaler.wording import counted, figure, verb

__all__ = ["awaited_depth", "backlog_growth", "fits_a_member"]


@dataclass(slots=True)
class _Group:
    """Jobs that go to the same shape first."""

    shapes: Sequence[Shape]
    lonely: bool
    """No live member fits them."""
    jobs: float = 0.0
    machines: float = 0.0

    def step(self, jobs_per_worker: int) -> int:
        """Give what would run them all at once, at most one worker for so many jobs."""
        most = math.ceil(round(self.jobs / jobs_per_worker, 6))
        return max(1, min(most, math.ceil(round(self.machines, 6))))


def awaited_depth(metrics: Metrics, policy: Policy) -> int:
    """Give the depth of the queue that counts: now, or as it is expected."""
    if not policy.use_forecast or metrics.expected_depth is None:
        return metrics.queue_depth
    return max(metrics.queue_depth, math.floor(metrics.expected_depth))


def fits_a_member(demand: Demand, there: Muster) -> bool:
    """Say whether some live member could run a job."""
    return any(fits(demand.resources, shape) for shape in there.shapes)


def backlog_growth(metrics: Metrics, policy: Policy, there: Muster, most: int) -> Wanted | None:
    """Say how many workers what waits asks for; None where nothing asks for more."""
    depth = awaited_depth(metrics, policy)
    if depth <= 0:
        return None
    lonely = [d for d in metrics.demands if d.count > 0 and not fits_a_member(d, there)]
    causes = _causes(metrics, policy, there, depth)
    if not causes and not lonely and there.live:
        return None
    offered = allowed(metrics.shapes, metrics.demands, spot=policy.use_spot)
    groups = _groups(metrics, policy, there, depth, offered)
    wanted = [g for g in groups if g.shapes and (g.lonely or causes or not there.live)]
    orders = _orders(wanted, metrics, policy, there, depth)
    count = sum(number for _, number in orders)
    reason = "; ".join(causes) or _lonely_words(lonely, depth)
    hopeless = sum(round(g.jobs) for g in groups if not g.shapes)
    if hopeless and not wanted:
        what = "no shape is offered by the provider" if not offered else "no shape fits them"
        return Wanted(count=0, launches=(), reason=reason, against=what)
    if not count:
        free = sum(there.free.values())
        against = (
            f"{counted(free, 'worker')} {verb(free, 'is', 'are')} starting or free to take them"
        )
        return Wanted(count=0, launches=(), reason=reason, against=against)
    return Wanted(count=count, launches=launches(orders, most=most - there.live), reason=reason)


def _causes(metrics: Metrics, policy: Policy, there: Muster, depth: int) -> list[str]:
    """Name the thresholds that are crossed; CPU and memory count only while something waits."""
    now = metrics.queue_depth
    waiting = f"{counted(now, 'job')} {verb(now, 'waits', 'wait')}"
    if depth > now:
        waiting += f" and {depth} are expected before a next growth would help"
    causes = []
    if policy.queue_up is not None and depth > policy.queue_up:
        causes.append(f"{waiting}, more than {policy.queue_up} for {counted(there.live, 'worker')}")
    if now and policy.cpu_up is not None and (metrics.cpu_percent or 0.0) > policy.cpu_up:
        used = figure(metrics.cpu_percent or 0.0)
        causes.append(f"{waiting} and CPU is at {used} %, above {figure(policy.cpu_up)} %")
    if now and policy.memory_up is not None and (metrics.memory_percent or 0.0) > policy.memory_up:
        used = figure(metrics.memory_percent or 0.0)
        causes.append(f"{waiting} and memory is at {used} %, above {figure(policy.memory_up)} %")
    return causes


def _lonely_words(lonely: Sequence[Demand], depth: int) -> str:
    count = sum(d.count for d in lonely)
    if not count:
        return f"{counted(depth, 'job')} {verb(depth, 'waits', 'wait')} and there is no worker"
    asked = max((d.resources for d in lonely), key=lambda r: (r.vgpus, r.cpus, r.memory_mib))
    vgpus = f" and {counted(asked.vgpus, 'vGPU')}" if asked.vgpus else ""
    size = f"{asked.cpus:g} cores, {asked.memory_mib} MiB{vgpus}"
    return f"{counted(count, 'waiting job')} {verb(count, 'fits', 'fit')} no worker ({size})"


def _groups(
    metrics: Metrics, policy: Policy, there: Muster, depth: int, offered: Sequence[Shape]
) -> list[_Group]:
    """Put what waits together by the shape that it would go to."""
    told = sum(d.count for d in metrics.demands)
    scale = max(1.0, depth / told) if told else 1.0  # those expected are like those that wait
    groups: dict[tuple[str, bool], _Group] = {}
    for demand in metrics.demands:
        if demand.count <= 0:
            continue
        fitting = [s for s in offered if fits(demand.resources, s) and (demand.spot or not s.spot)]
        shapes = by_price(fitting, first=policy.default_shape)
        lonely = not fits_a_member(demand, there)
        key = (shapes[0].name if shapes else "", lonely)
        group = groups.setdefault(key, _Group(shapes=shapes, lonely=lonely))
        group.jobs += demand.count * scale
        if shapes:
            group.machines += demand.count * scale / jobs_at_once(demand.resources, shapes[0])
    if not told:  # nothing is known of their sizes
        shapes = by_price((s for s in offered if not s.spot), first=policy.default_shape)
        groups["", False] = _Group(shapes=shapes, lonely=False, jobs=depth, machines=depth)
    return list(groups.values())


def _orders(
    groups: Sequence[_Group], metrics: Metrics, policy: Policy, there: Muster, depth: int
) -> list[tuple[Sequence[Shape], int]]:
    """Say how many of which, less the members that take the next jobs anyway; lonely jobs first."""
    coming = sum(
        count
        for shape, count in there.free.items()
        if not metrics.demands or any(fits(d.resources, shape) for d in metrics.demands)
    )
    left = math.ceil(depth / policy.jobs_per_worker)
    orders: list[tuple[Sequence[Shape], int]] = []
    for group in sorted(groups, key=lambda g: (not g.lonely, -g.jobs)):
        count = min(left, group.step(policy.jobs_per_worker))
        left -= count
        if not group.lonely:
            spared = min(coming, count)
            coming -= spared
            count -= spared
        if count:
            orders.append((group.shapes, count))
    return orders
