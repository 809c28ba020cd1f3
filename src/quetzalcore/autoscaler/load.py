"""How many gateway instances their load asks for: thresholds, and targets beside them."""

from __future__ import annotations

import math

from quetzalcore.autoscaler.fitting import by_price, launches
from quetzalcore.autoscaler.model import Metrics, Policy, ScalingState
from quetzalcore.autoscaler.muster import Muster
from quetzalcore.autoscaler.wanting import Wanted
from quetzalcore.autoscaler.wording import counted, figure

__all__ = ["fewest_for_load", "load_growth"]

_TOLERANCE = 1.1
_MOST_GROWTH = 2
_BELOW_UP = 0.875  # where no target is set: 70 % for a threshold of 80 %
_LESS_LOAD = 0.8


def load_growth(metrics: Metrics, policy: Policy, there: Muster, most: int) -> Wanted | None:
    """Say how many instances the load asks for; None where those there suffice."""
    tracked = _tracked(metrics, policy, there)
    crossed = _crossed(metrics, policy)
    if not tracked and not crossed:
        return None
    reason = "; ".join([*crossed, *(words for _, words in tracked)])
    wanted = max([count for count, _ in tracked] + [there.ready + 1 if crossed else 0])
    count = min(wanted, _MOST_GROWTH * max(1, there.live)) - there.live
    if count <= 0:
        against = f"{counted(there.starting, 'instance')} starting will take it"
        return Wanted(count=0, launches=(), reason=reason, against=against)
    shapes = by_price((s for s in metrics.shapes if not s.spot), first=policy.default_shape)
    return Wanted(
        count=count,
        launches=launches([(shapes, count)], most=most - there.live),
        reason=reason,
        strained=True,
    )


def fewest_for_load(metrics: Metrics, policy: Policy, state: ScalingState, there: Muster) -> int:
    """Give the fewest members that would not be asked to grow again by the load that there is now.

    After a growth the count that was too small stays too small until clearly less comes in, since response times say
    little about what fewer members would do.
    """
    fewest = 0
    if metrics.cpu_percent is not None:
        fewest = _ceil(there.ready * metrics.cpu_percent / reference_cpu(policy))
    if policy.target_response_s is not None and metrics.mean_s is not None:
        fewest = max(fewest, _ceil(there.ready * metrics.mean_s / policy.target_response_s))
    before, now = state.strained_rate_per_s, metrics.rate_per_s
    if (
        state.strained_count is not None
        and before is not None
        and now is not None
        and now > _LESS_LOAD * before
    ):
        fewest = max(fewest, state.strained_count + 1)
    return fewest


def reference_cpu(policy: Policy) -> float:
    """Give the CPU in percent that a set is brought near; always below where it would grow."""
    ceilings = [c for c in (policy.cpu_up,) if c is not None]
    below = min([_BELOW_UP * c for c in ceilings], default=100.0 * _BELOW_UP)
    return min(below, policy.target_cpu) if policy.target_cpu is not None else below


def _tracked(metrics: Metrics, policy: Policy, there: Muster) -> list[tuple[int, str]]:
    """Give the counts that would bring each measure to its target, where it is off by more than a tenth."""
    found = []
    cpu, target = metrics.cpu_percent, policy.target_cpu
    if cpu is not None and target is not None and cpu > _TOLERANCE * target:
        words = f"CPU is at {figure(cpu)} %, the target is {figure(target)} %"
        found.append((_ceil(there.ready * cpu / target), words))
    mean_s, target_s = metrics.mean_s, policy.target_response_s
    if mean_s is not None and target_s is not None and mean_s > _TOLERANCE * target_s:
        words = f"the mean response takes {figure(mean_s)} s, the target is {figure(target_s)} s"
        found.append((_ceil(there.ready * mean_s / target_s), words))
    return found


def _crossed(metrics: Metrics, policy: Policy) -> list[str]:
    """Name the thresholds that are crossed."""
    pairs = (
        (metrics.cpu_percent, policy.cpu_up, "CPU is at {} %, above {} %"),
        (metrics.memory_percent, policy.memory_up, "memory is at {} %, above {} %"),
        (metrics.p95_s, policy.p95_up_s, "the p95 of responses is {} s, above {} s"),
    )
    return [
        words.format(figure(value), figure(limit))
        for value, limit, words in pairs
        if value is not None and limit is not None and value > limit
    ]


def _ceil(count: float) -> int:
    return math.ceil(round(count, 6))
