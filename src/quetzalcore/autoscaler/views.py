"""How a set is, as the leader tells it: a document that the ledger keeps for whoever asks."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import Any

from quetzalcore.autoscaler.model import (
    Bounds,
    Decision,
    Hold,
    Member,
    MemberState,
    Metrics,
    Policy,
    ScaleUp,
    ScalingState,
    Shape,
)
from quetzalcore.autoscaler.policies import told

__all__ = ["figures", "leaving_of", "next_allowed", "same_view", "view_of"]

_MOST_MEMBERS = 200
_VOLATILE = ("at", "members", "metrics", "shapes")


def view_of(  # noqa: PLR0913 -- what a decision was made from, and the decision
    metrics: Metrics,
    policy: Policy,
    state: ScalingState,
    decision: Decision,
    *,
    bounds: Bounds,
    leaving: Mapping[str, dt.datetime],
    expected: int,
    now: dt.datetime,
) -> dict[str, Any]:
    """Describe a set as it is now, what was decided last, and when it may change again.

    ``expected`` is how many members there are once that decision is carried out.
    """
    states = Counter(member.state for member in metrics.members)
    return {
        "at": now.isoformat(),
        "count": states[MemberState.READY] + states[MemberState.STARTING],
        "expected": expected,
        "ready": states[MemberState.READY],
        "starting": states[MemberState.STARTING],
        "draining": states[MemberState.DRAINING],
        "bounds": {"least": bounds.least, "most": bounds.most},
        "metrics": figures(metrics),
        "decision": _decision(decision),
        "next_allowed": next_allowed(policy, state, now),
        "manual": _manual(state, now),
        "leaving": {name: at.isoformat() for name, at in sorted(leaving.items())},
        "shapes": [_shape(shape) for shape in metrics.shapes],
        "members": [_member(member) for member in metrics.members[:_MOST_MEMBERS]],
        "policy": told(policy),
    }


def same_view(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether two views tell the same, apart from what changes all the time."""
    return _lasting(one) == _lasting(other)


def figures(metrics: Metrics) -> dict[str, Any]:
    """Give what was measured, without the members."""
    return {
        "queue_depth": metrics.queue_depth,
        "cpu_percent": _rounded(metrics.cpu_percent),
        "memory_percent": _rounded(metrics.memory_percent),
        "p95_s": _rounded(metrics.p95_s),
        "mean_s": _rounded(metrics.mean_s),
        "rate_per_s": _rounded(metrics.rate_per_s),
        "expected_depth": _rounded(metrics.expected_depth),
    }


def next_allowed(policy: Policy, state: ScalingState, now: dt.datetime) -> dict[str, str | None]:
    """Say from when the set may grow and shrink by itself; None for at once."""
    changes = [at for at in (state.last_up_at, state.last_down_at) if at is not None]
    if not changes:
        return {"up": None, "down": None}
    last = max(changes)
    found = {
        "up": last + dt.timedelta(seconds=policy.up_cooldown_s),
        "down": last + dt.timedelta(seconds=policy.down_cooldown_s),
    }
    return {name: at.isoformat() if at > now else None for name, at in found.items()}


def leaving_of(view: Mapping[str, Any]) -> dict[str, dt.datetime]:
    """Read from an earlier leader's view who was on the way out, and since when."""
    return {
        name: dt.datetime.fromisoformat(at) for name, at in dict(view.get("leaving", {})).items()
    }


def _lasting(view: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in view.items() if name not in _VOLATILE}


def _decision(decision: Decision) -> dict[str, Any]:
    if isinstance(decision, Hold):
        until = decision.until and decision.until.isoformat()
        return {"action": "hold", "count": 0, "reason": decision.reason, "until": until}
    action = "up" if isinstance(decision, ScaleUp) else "down"
    return {"action": action, "count": decision.count, "reason": decision.reason, "until": None}


def _manual(state: ScalingState, now: dt.datetime) -> dict[str, Any] | None:
    until = state.manual_until
    if state.manual_count is None or until is None or until <= now:
        return None
    return {"count": state.manual_count, "until": until.isoformat(), "by": state.manual_by}


def _shape(shape: Shape) -> dict[str, Any]:
    return {
        "name": shape.name,
        "cpus": shape.cpus,
        "memory_mib": shape.memory_mib,
        "vgpus": shape.vgpus,
        "hourly_price": shape.hourly_price,
        "spot": shape.spot,
        "room": shape.room,
    }


def _member(member: Member) -> dict[str, Any]:
    return {
        "id": member.id,
        "state": str(member.state),
        "shape": member.shape.name,
        "busy": member.busy,
        "idle_s": round(member.idle_s, 1),
        "removable": member.removable,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
