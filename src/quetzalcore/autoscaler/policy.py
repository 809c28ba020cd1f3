"""Whether a set of workers or instances grows, shrinks or stays: one pure decision, with its reason."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from quetzalcore.autoscaler.backlog import backlog_growth
from quetzalcore.autoscaler.fitting import allowed, by_price, launches
from quetzalcore.autoscaler.load import load_growth
from quetzalcore.autoscaler.model import (
    Bounds,
    Decision,
    Hold,
    Metrics,
    Policy,
    ScaleDown,
    ScaleUp,
    ScalingState,
    Target,
)
from quetzalcore.autoscaler.muster import muster
from quetzalcore.autoscaler.schedules import bounds_at
from quetzalcore.autoscaler.shrinking import fewer_instances, fewer_workers, least_needed
from quetzalcore.autoscaler.wanting import Fewer, Wanted
from quetzalcore.autoscaler.wording import clock, counted, noun, verb
from quetzalcore.jobs.scaling import Wish

__all__ = ["advance", "bounds_now", "decide", "wished"]


def decide(metrics: Metrics, policy: Policy, state: ScalingState, now: dt.datetime) -> Decision:
    """Decide for one set; the same arguments always give the same answer.

    An operator's wish goes first, then the bounds, then need. A growth begins ``up_cooldown_s`` in which the set
    does not grow again and ``down_cooldown_s`` in which it does not shrink; so does a shrinking.
    """
    return _Desk(metrics, policy, state, now).decide()


def advance(state: ScalingState, decision: Decision, now: dt.datetime) -> ScalingState:
    """Give what is remembered after a decision was carried out; give it only what was really done."""
    if isinstance(decision, Hold) or decision.forced:
        return state
    if isinstance(decision, ScaleDown):
        return replace(state, last_down_at=now)
    if decision.strained_count is None:
        return replace(state, last_up_at=now)
    return replace(
        state,
        last_up_at=now,
        strained_count=decision.strained_count,
        strained_rate_per_s=decision.strained_rate_per_s,
    )


def wished(
    state: ScalingState, policy: Policy, wish: Wish, *, before: int | None = None
) -> ScalingState:
    """Take up an operator's wish; it wins until the cooldown of what it does ends.

    ``before`` is how many members there were when it was said; where unknown, the longer cooldown counts.
    """
    cooldown_s = max(policy.up_cooldown_s, policy.down_cooldown_s)
    if before is not None and wish.count != before:
        cooldown_s = policy.up_cooldown_s if wish.count > before else policy.down_cooldown_s
    return replace(
        state,
        manual_count=wish.count,
        manual_at=wish.at,
        manual_until=wish.at + dt.timedelta(seconds=cooldown_s),
        manual_by=wish.by,
    )


class _Desk:
    """One decision."""

    def __init__(
        self, metrics: Metrics, policy: Policy, state: ScalingState, now: dt.datetime
    ) -> None:
        self._metrics = metrics
        self._policy = policy
        self._state = state
        self._now = now
        self._bounds = bounds_at(policy.bounds, policy.schedules, now)
        self._there = muster(metrics.members)
        self._word = noun(policy.target)

    def decide(self) -> Decision:
        """Ask the rules in their order."""
        return self._by_hand() or self._by_bounds() or self._by_need()

    def _by_hand(self) -> Decision | None:
        state, live = self._state, self._there.live
        if state.manual_count is None or state.manual_until is None:
            return None
        if self._now >= state.manual_until:
            return None
        count = min(max(state.manual_count, self._bounds.least), self._bounds.most)
        who = f" by {state.manual_by}" if state.manual_by else ""
        since = f" at {clock(state.manual_at)}" if state.manual_at else ""
        asked = state.manual_count
        reason = f"{counted(asked, self._word)} {verb(asked, 'was', 'were')} asked for{who}{since}"
        if count != asked:
            reason += f", within the bounds {count}"
        if count == live:
            until = state.manual_until
            words = f"{reason} and {verb(live, 'is', 'are')} there; the policy resumes at {clock(until)}"
            return Hold(reason=words, until=until, wanted=count)
        return self._to(count, reason, forced=False)

    def _by_bounds(self) -> Decision | None:
        live, bounds = self._there.live, self._bounds
        have = f"there {verb(live, 'is', 'are')} {counted(live, self._word)}"
        if live < bounds.least:
            return self._to(bounds.least, f"{have}, below the least, {bounds.least}", forced=True)
        if live > bounds.most:
            return self._to(bounds.most, f"{have}, above the most, {bounds.most}", forced=True)
        return None

    def _to(self, count: int, reason: str, *, forced: bool) -> Decision:
        """Bring the set to a count, without a look at cooldowns."""
        difference = count - self._there.live
        if difference > 0:
            metrics = self._metrics
            offered = allowed(metrics.shapes, metrics.demands, spot=False)
            shapes = by_price(offered, first=self._policy.default_shape)
            given = launches([(shapes, difference)], most=difference)
            if not given:
                return Hold(reason=f"{reason}, but {self._full()}", wanted=count)
            added = sum(launch.count for launch in given)
            return ScaleUp(launches=given, reason=f"{reason}: {_are(added)} added", forced=forced)
        gone = least_needed(self._metrics.members, -difference)
        if not gone:
            return Hold(reason=f"{reason}, but none of them may be removed", wanted=count)
        return ScaleDown(members=gone, reason=f"{reason}: {_are(len(gone))} removed", forced=forced)

    def _by_need(self) -> Decision:
        wanted = self._growth()
        if wanted is not None and wanted.launches:
            return self._grow(wanted)
        fewer = self._shrinking()
        if fewer is not None:
            return self._shrink(fewer)
        if wanted is not None:
            against = wanted.against or (
                f"{counted(self._there.live, self._word)} is the most"
                if self._there.live >= self._bounds.most
                else self._full()
            )
            total = self._there.live + wanted.count
            return Hold(reason=f"{wanted.reason}, but {against}", wanted=total)
        return self._rest()

    def _growth(self) -> Wanted | None:
        grow = backlog_growth if self._policy.target is Target.WORKERS else load_growth
        return grow(self._metrics, self._policy, self._there, self._bounds.most)

    def _shrinking(self) -> Fewer | None:
        fewer = fewer_workers if self._policy.target is Target.WORKERS else fewer_instances
        return fewer(self._metrics, self._policy, self._state, self._there, self._bounds.least)

    def _grow(self, wanted: Wanted) -> Decision:
        live = self._there.live
        until, since = self._waits(self._policy.up_cooldown_s)
        count = sum(launch.count for launch in wanted.launches)
        if until is not None:
            reason = (
                f"{wanted.reason}: {count} more {verb(count, 'is', 'are')} wanted, but {since}; "
                f"not before {clock(until)}"
            )
            return Hold(reason=reason, until=until, wanted=live + count)
        of = f" of {wanted.count} wanted" if count < wanted.count else ""
        reason = f"{wanted.reason}: {count}{of} {verb(count, 'is', 'are')} added"
        if not wanted.strained:
            return ScaleUp(launches=wanted.launches, reason=reason)
        return ScaleUp(
            launches=wanted.launches,
            reason=reason,
            strained_count=live,
            strained_rate_per_s=self._metrics.rate_per_s,
        )

    def _shrink(self, fewer: Fewer) -> Decision:
        live, count = self._there.live, len(fewer.members)
        until, since = self._waits(self._policy.down_cooldown_s)
        if until is not None:
            reason = f"{fewer.reason}: {counted(count, self._word)} could go, but {since}; not before {clock(until)}"
            return Hold(reason=reason, until=until, wanted=live - count)
        return ScaleDown(members=fewer.members, reason=f"{fewer.reason}: {_are(count)} removed")

    def _waits(self, cooldown_s: float) -> tuple[dt.datetime | None, str]:
        """Give until when a cooldown lasts, and since what; None where none does."""
        changes = [
            (at, what)
            for at, what in ((self._state.last_up_at, "grew"), (self._state.last_down_at, "shrank"))
            if at is not None and (self._now - at).total_seconds() < cooldown_s
        ]
        if not changes:
            return None, ""
        at, what = max(changes)
        ago_s = max(0.0, (self._now - at).total_seconds())
        return at + dt.timedelta(seconds=cooldown_s), f"the set {what} {ago_s:.0f} s ago"

    def _full(self) -> str:
        """Say why nothing can be launched."""
        if not self._metrics.shapes:
            return "no shape is offered by the provider"
        return "the provider is full"

    def _rest(self) -> Hold:
        live, depth = self._there.live, self._metrics.queue_depth
        have = f"{counted(live, self._word)} {verb(live, 'suffices', 'suffice')}"
        within = f"within {self._bounds.least} to {self._bounds.most}"
        waits = f", {counted(depth, 'job')} {verb(depth, 'waits', 'wait')}" if depth else ""
        return Hold(reason=f"{have}, {within}{waits}", wanted=live)


def bounds_now(policy: Policy, now: dt.datetime) -> Bounds:
    """Give the bounds that hold now, schedules included."""
    return bounds_at(policy.bounds, policy.schedules, now)


def _are(count: int) -> str:
    return f"{count} {verb(count, 'is', 'are')}"
