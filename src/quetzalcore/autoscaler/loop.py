"""The leader's loop over one scaled set: look, decide, act, and write down why."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from quetzalcore.autoscaler.acting import Launcher
from quetzalcore.autoscaler.model import (
    Decision,
    Hold,
    Policy,
    ScaleDown,
    ScaleUp,
    ScalingState,
    Target,
)
from quetzalcore.autoscaler.policies import with_changes
from quetzalcore.autoscaler.policy import advance, bounds_now, decide, wished
from quetzalcore.autoscaler.scaled_set import NotSeenYet, Observed, ScaledSet
from quetzalcore.autoscaler.views import figures, leaving_of, same_view, view_of
from quetzalcore.errors import Permanent, Retryable, UserMistake
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.scaling import ScalingBook, ScalingRecord, Standing

__all__ = ["LoopConfig", "ScalingLoop"]

_SHOWN_S = 10.0  # the view is written at least so often
_REMEMBERED = 20  # records that a new leader reads to know when the set changed last
_NAME = 12  # of an id's characters: 60 random bits
_LONGEST_PAUSE_S = 30.0
_LEAST_WISH_S = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """How a set is looked after; times in seconds.

    Parameters
    ----------
    policy : Policy
        As the settings have it; an operator's live changes are laid over it.
    automatic : bool
        Whether the policy decides; False: only what an operator asks for is done.
    every_s : float
        From one look to the next.
    drain_s : float
        How long a member that is to go may finish what it does.
    settle_s : float
        How long a new leader waits before its first decision, so that it knows who is there.
    prefix : str
        The beginning of its machines' names.
    """

    policy: Policy
    automatic: bool = True
    every_s: float = 1.0
    drain_s: float = 600.0
    settle_s: float = 0.0
    prefix: str = "q"


@dataclass(slots=True)
class _Memory:
    state: ScalingState = field(default_factory=ScalingState)
    leaving: dict[str, dt.datetime] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    shown_at: dt.datetime | None = None
    wish_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at the set led to."""

    seen: Observed
    policy: Policy
    decision: Decision
    now: dt.datetime


class ScalingLoop:
    """Works under one leader's epoch; what it must know of earlier ones is in the ledger."""

    def __init__(
        self,
        scaled: ScaledSet,
        book: ScalingBook,
        config: LoopConfig,
        *,
        clock: Callable[[], dt.datetime],
        epoch: int,
    ) -> None:
        self._set = scaled
        self._book = book
        self._config = config
        self._clock = clock
        self._epoch = epoch
        self._memory = _Memory()
        self._launcher = Launcher(scaled.provider, epoch=epoch, new_name=self._new_name)

    async def run(self) -> None:
        """Look after the set until cancelled; ``StaleEpoch`` when another leads."""
        await asyncio.sleep(self._config.settle_s)
        pause_s = self._config.every_s
        begun = False
        while True:
            try:
                if not begun:
                    await self.recall()
                    begun = True
                await self.tick()
                pause_s = self._config.every_s
            except NotSeenYet:
                pass
            except (Retryable, Permanent, UserMistake) as error:
                log.warning("scaling %s: %s; looking again later", self._set.target, error)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)

    async def recall(self) -> None:
        """Read what earlier leaders have done: cooldowns go on, and who was leaving still is."""
        target = str(self._set.target)
        records = await self._book.history(target=target, limit=_REMEMBERED)
        kept = [one for one in records if one.done and one.by != "bounds"]
        self._memory.state = ScalingState(
            last_up_at=next((one.at for one in kept if one.action == "up"), None),
            last_down_at=next((one.at for one in kept if one.action == "down"), None),
        )
        standing = await self._book.standing(target)
        self._memory.leaving = leaving_of(standing.view)

    async def tick(self) -> Decision:
        """Look once, decide, act."""
        now = self._clock()
        memory = self._memory
        standing = await self._book.standing(str(self._set.target))
        policy = self._policy(standing)
        seen = await self._set.observe(now)
        seen = replace(
            seen,
            metrics=replace(seen.metrics, shapes=self._launcher.open_to(seen.metrics.shapes, now)),
        )
        self._heed(standing, policy, seen)
        await self._see_off(seen, now)
        await self._replace(seen, now)
        decision = self._decide(seen, policy, now)
        looked = _Look(seen, policy, decision, now)
        acts = not isinstance(decision, Hold)
        await self._show(looked, _live(seen), at_once=acts)  # fenced before anything is done
        if acts:
            change = await self._act(decision, seen, now)
            await self._show(looked, _live(seen) + change, at_once=True)
        memory.leaving = {n: at for n, at in memory.leaving.items() if n in seen.made}
        return decision

    def _policy(self, standing: Standing) -> Policy:
        try:
            return with_changes(self._config.policy, standing.changes)
        except UserMistake as error:  # of another version, or against settings that changed since
            log.warning("live changes of %s are left out: %s", self._set.target, error)
            return self._config.policy

    def _heed(self, standing: Standing, policy: Policy, seen: Observed) -> None:
        """Take up what an operator asked for, once."""
        wish = standing.wish
        if wish is None or wish.at == self._memory.wish_at:
            return
        self._memory.wish_at = wish.at
        state = wished(self._memory.state, policy, wish, before=_live(seen))
        least = wish.at + dt.timedelta(seconds=_LEAST_WISH_S)  # a short cooldown must not hide it
        until = max(state.manual_until or least, least)
        self._memory.state = replace(state, manual_until=until)

    def _decide(self, seen: Observed, policy: Policy, now: dt.datetime) -> Decision:
        state = self._memory.state
        manual = state.manual_until is not None and now < state.manual_until
        if self._config.automatic or manual:
            return decide(seen.metrics, policy, state, now)
        return Hold(
            reason="the set does not scale by itself: auto_scale is off", wanted=_live(seen)
        )

    async def _see_off(self, seen: Observed, now: dt.datetime) -> None:
        """Remove members that are to go once they have finished, or have had their time."""
        leaving = {n: at for n, at in self._memory.leaving.items() if n in seen.made}
        await asyncio.gather(*(self._see_one_off(n, at, seen, now) for n, at in leaving.items()))

    async def _see_one_off(
        self, name: str, since: dt.datetime, seen: Observed, now: dt.datetime
    ) -> None:
        late = (now - since).total_seconds() >= self._config.drain_s
        if name in seen.vacant or late:
            await self._set.provider.terminate(name, epoch=self._epoch)
            log.info("%s: %s is gone%s", self._set.target, name, ", unfinished" * late)
        else:
            await self._set.drain(name)  # a leader before us may not have come to it

    async def _replace(self, seen: Observed, now: dt.datetime) -> None:
        """Remove machines that never became members; the need for them stays, so others are asked for."""
        overdue = [name for name in seen.overdue if name not in self._memory.leaving]
        if not overdue:
            return
        shapes = {member.id: member.shape for member in seen.metrics.members}
        for name in overdue:
            await self._set.provider.terminate(name, epoch=self._epoch)
            if name in shapes:
                self._launcher.pause(shapes[name], now)
        reason = f"{', '.join(overdue)} did not become ready in time and {_was(overdue)} removed"
        await self._record("replace", seen, now, reason=reason, count=len(overdue), by="bounds")

    async def _act(self, decision: Decision, seen: Observed, now: dt.datetime) -> int:
        """Carry a decision out; give by how many members the set will be larger."""
        if isinstance(decision, ScaleUp):
            return await self._grow(decision, seen, now)
        if isinstance(decision, ScaleDown):
            return await self._shrink(decision, seen, now)
        return 0

    async def _grow(self, growth: ScaleUp, seen: Observed, now: dt.datetime) -> int:
        came = await self._launcher.launch(growth, now)
        if came.launches:
            done = replace(growth, launches=came.launches)
            self._memory.state = advance(self._memory.state, done, now)
        await self._record(
            "up",
            seen,
            now,
            reason=growth.reason,
            count=growth.count,
            done=len(came.names),
            by=self._who(forced=growth.forced, now=now),
            note="; ".join(came.notes),
        )
        return len(came.names)

    async def _shrink(self, fewer: ScaleDown, seen: Observed, now: dt.datetime) -> int:
        for name in fewer.members:
            self._memory.leaving[name] = now
            await self._set.drain(name)
        self._memory.state = advance(self._memory.state, fewer, now)
        await self._record(
            "down",
            seen,
            now,
            reason=fewer.reason,
            count=fewer.count,
            by=self._who(forced=fewer.forced, now=now),
        )
        return -fewer.count

    def _who(self, *, forced: bool, now: dt.datetime) -> str:
        state = self._memory.state
        if state.manual_until is not None and now < state.manual_until:
            return state.manual_by or "operator"
        return "bounds" if forced else "policy"

    async def _record(  # noqa: PLR0913 -- the parts of one record
        self,
        action: str,
        seen: Observed,
        now: dt.datetime,
        *,
        reason: str,
        count: int,
        by: str,
        done: int | None = None,
        note: str = "",
    ) -> None:
        log.info("%s %s %d: %s%s", self._set.target, action, count, reason, note and f" ({note})")
        record = ScalingRecord(
            at=now,
            target=str(self._set.target),
            action=action,
            count=count,
            done=count if done is None else done,
            before=_live(seen),
            reason=reason,
            by=by,
            note=note,
            metrics=figures(seen.metrics),
        )
        await self._book.record([record], epoch=self._epoch)

    async def _show(self, looked: _Look, expected: int, *, at_once: bool) -> None:
        """Write the view, if it tells something new or is old."""
        memory, now = self._memory, looked.now
        view = view_of(
            looked.seen.metrics,
            looked.policy,
            memory.state,
            looked.decision,
            bounds=bounds_now(looked.policy, now),
            leaving=memory.leaving,
            expected=expected,
            now=now,
        )
        old = memory.shown_at is None or (now - memory.shown_at).total_seconds() >= _SHOWN_S
        if at_once or old or not same_view(view, memory.shown):
            await self._book.show(str(self._set.target), view, epoch=self._epoch)
            memory.shown, memory.shown_at = view, now

    def _new_name(self) -> str:
        letter = "w" if self._set.target is Target.WORKERS else "i"
        return f"{self._config.prefix}{letter}-{new_id(self._clock())[-_NAME:]}"


def _live(seen: Observed) -> int:
    return sum(member.state != "draining" for member in seen.metrics.members)


def _was(names: Sequence[str]) -> str:
    return "was" if len(names) == 1 else "were"
