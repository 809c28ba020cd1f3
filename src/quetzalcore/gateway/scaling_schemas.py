"""The shapes of what is said about scaling."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

__all__ = [
    "InstanceView",
    "ScaleAnswer",
    "ScaleRequest",
    "ScalingChanges",
    "ScalingChangesView",
    "ScalingStatus",
]

TargetName = Literal["workers", "instances"]
_AT = "2026-05-04T09:30:00.125000Z"
_METRICS: JsonDict = {
    "queue_depth": 48,
    "cpu_percent": 91.5,
    "memory_percent": 40.2,
    "p95_s": None,
    "mean_s": None,
    "rate_per_s": None,
    "expected_depth": None,
}
_REASON = "48 jobs wait, more than 10 for 1 worker: 4 are added"
_RECORD: JsonDict = {
    "at": _AT,
    "target": "workers",
    "action": "up",
    "count": 4,
    "done": 4,
    "before": 1,
    "reason": _REASON,
    "by": "policy",
    "note": "",
    "metrics": _METRICS,
}
_SET: JsonDict = {
    "at": _AT,
    "count": 5,
    "expected": 5,
    "ready": 1,
    "starting": 4,
    "draining": 0,
    "bounds": {"least": 1, "most": 10},
    "metrics": _METRICS,
    "decision": {"action": "up", "count": 4, "reason": _REASON, "until": None},
    "next_allowed": {"up": "2026-05-04T09:35:00Z", "down": "2026-05-04T09:40:00Z"},
    "manual": None,
    "leaving": {},
    "shapes": [
        {
            "name": "slot",
            "cpus": 2.0,
            "memory_mib": 4096,
            "vgpus": 0,
            "hourly_price": 0.0,
            "spot": False,
            "room": 5,
        }
    ],
    "members": [
        {
            "id": "node-1",
            "state": "ready",
            "shape": "host",
            "busy": 2,
            "idle_s": 0.0,
            "removable": False,
        }
    ],
    "policy": {"least": 1, "most": 10, "queue_up": 10, "up_cooldown_s": 300.0},
    "wish": None,
    "changes": {},
}


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BoundsView(_Said):
    """The fewest and the most members."""

    least: int
    most: int


class ScalingDecisionView(_Said):
    """What the leader decided when it last looked; ``until`` says when what is held back may happen."""

    action: Literal["up", "down", "hold"]
    count: int
    reason: str
    until: dt.datetime | None = None


class NextAllowedView(_Said):
    """From when the set may grow and shrink by itself; null for at once."""

    up: dt.datetime | None = None
    down: dt.datetime | None = None


class ManualView(_Said):
    """What an operator asked for, and until when it wins."""

    count: int
    until: dt.datetime
    by: str


class WishView(_Said):
    """What an operator asked for last."""

    count: int
    at: dt.datetime
    by: str


class ShapeView(_Said):
    """A size of machine that the provider has; ``room`` is how many more it could give now."""

    name: str
    cpus: float
    memory_mib: int
    vgpus: int
    hourly_price: float
    spot: bool
    room: int | None = None


class MemberView(_Said):
    """One worker or instance."""

    id: str
    state: Literal["starting", "ready", "draining"]
    shape: str
    busy: int
    idle_s: float
    removable: bool


class ScaledSetView(_Said):
    """One scaled set as the leader saw it last."""

    at: dt.datetime
    count: int
    expected: int
    ready: int
    starting: int
    draining: int
    bounds: BoundsView
    metrics: dict[str, float | None]
    decision: ScalingDecisionView
    next_allowed: NextAllowedView
    manual: ManualView | None = None
    leaving: dict[str, dt.datetime]
    shapes: list[ShapeView]
    members: list[MemberView]
    policy: dict[str, Any]
    wish: WishView | None = None
    changes: dict[str, Any]


class ScaledSetsView(_Said):
    """Both sets; null for one that does not scale here."""

    workers: ScaledSetView | None = None
    instances: ScaledSetView | None = None


class ScalingRecordView(_Said):
    """One decision that changed something, or tried to."""

    at: dt.datetime
    target: TargetName
    action: Literal["up", "down", "replace"]
    count: int
    done: int
    before: int
    reason: str
    by: str
    note: str
    metrics: dict[str, float | None]


class ScalingStatus(_Said):
    """How workers and instances scale, and what was decided lately, newest first."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "targets": {"workers": _SET, "instances": None},
                "history": [_RECORD],
            }
        },
    )

    targets: ScaledSetsView
    history: list[ScalingRecordView]


class ScaleRequest(_Said):
    """More, fewer, or a number of members."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"action": "up", "count": 3, "target": "workers"}},
    )

    action: Literal["up", "down", "set"] = Field(
        description="up and down by count; set to count whatever there is."
    )
    count: int = Field(default=1, ge=0, le=1_000_000)
    target: TargetName = "workers"


class ScaleAnswer(_Said):
    """How many members there will be; the leader brings them within seconds."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"target": "workers", "count": 4}}
    )

    target: TargetName
    count: int


class ScalingChanges(_Said):
    """Changes of a set's policy that hold at once; a null takes a change back."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"changes": {"most": 20, "queue_up": 5}}}
    )

    changes: dict[
        Annotated[str, StringConstraints(max_length=64)],
        bool | int | float | Annotated[str, StringConstraints(max_length=200)] | list[str] | None,
    ] = Field(max_length=50)


class ScalingChangesView(_Said):
    """The changes that hold for a set, over its settings."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"target": "workers", "changes": {"most": 20}}},
    )

    target: TargetName
    changes: dict[str, Any]


class InstanceView(_Said):
    """A gateway instance as it last said of itself."""

    id: str
    url: str
    version: str
    started_at: dt.datetime
    seen_at: dt.datetime
    draining: bool
    cpu_percent: float
    memory_mib: float
    requests_per_s: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    open_requests: int
    streams: int
