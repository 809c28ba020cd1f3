"""The two policies: their defaults, as the settings have them, and with an operator's live changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from quetzalcore.autoscaler.model import Bounds, Policy, Target
from quetzalcore.autoscaler.schedules import schedules_of
from quetzalcore.errors import BadParameter, Where
from quetzalcore.settings import Settings, validated

__all__ = ["from_settings", "instance_policy", "told", "with_changes", "worker_policy"]

_WORKERS: Mapping[str, Any] = {
    "queue_up": 10,
    "cpu_up": 80.0,
    "memory_up": 85.0,
    "cpu_down": 20.0,
    "idle_down_s": 300.0,
}
_INSTANCES: Mapping[str, Any] = {
    "cpu_up": 80.0,
    "p95_up_s": 3.0,
    "cpu_down": 40.0,
    "response_down_s": 2.0,
    "target_cpu": 70.0,
    "target_response_s": 2.0,
}
_P95_OVER_TARGET = 1.5  # a target of 2 s means growth from a p95 of 3 s


def worker_policy(*, least: int = 1, most: int = 10, **values: Any) -> Policy:  # noqa: ANN401 -- Policy's own fields
    """Give the policy of workers: what is not given is as documented."""
    bounds = _bounds(least, most)
    return _checked(Policy(target=Target.WORKERS, bounds=bounds, **{**_WORKERS, **values}))


def instance_policy(*, least: int = 2, most: int = 20, **values: Any) -> Policy:  # noqa: ANN401 -- Policy's own fields
    """Give the policy of gateway instances: what is not given is as documented."""
    bounds = _bounds(least, most)
    return _checked(Policy(target=Target.INSTANCES, bounds=bounds, **{**_INSTANCES, **values}))


def from_settings(settings: Settings, target: Target) -> Policy:
    """Give a set's policy as the operator set it.

    Raises
    ------
    BadParameter
        If the least is above the most, or a schedule cannot be read.
    """
    common = {
        "up_cooldown_s": settings.scaling_scale_up_cooldown,
        "down_cooldown_s": settings.scaling_scale_down_cooldown,
        "cpu_up": settings.scaling_scale_up_threshold,
        "schedules": schedules_of(settings.scaling_schedules, target),
    }
    if target is Target.WORKERS:
        return worker_policy(
            least=settings.scaling_min_workers,
            most=settings.scaling_max_workers,
            queue_up=settings.scaling_queue_up,
            idle_down_s=settings.scaling_idle_s,
            cpu_down=min(_WORKERS["cpu_down"], settings.scaling_scale_up_threshold / 4),
            use_spot=settings.scaling_spot,
            use_forecast=settings.scaling_forecast,
            **common,
        )
    response_s = settings.scaling_target_response_time
    return instance_policy(
        least=settings.scaling_min_instances,
        most=settings.scaling_max_instances,
        target_cpu=settings.scaling_target_cpu,
        target_response_s=response_s,
        response_down_s=response_s,
        p95_up_s=_P95_OVER_TARGET * response_s,
        cpu_down=settings.scaling_scale_down_threshold,
        **common,
    )


_Count = Annotated[int, Field(ge=0, le=1_000_000)]
_Seconds = Annotated[float, Field(ge=0, le=1e7)]
_Response = Annotated[float, Field(gt=0, le=1e6)]
_Percent = Annotated[float, Field(gt=0, le=100)]


class _Changes(BaseModel):
    """What an operator may change while all runs; a threshold of None is not looked at."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    least: _Count = 0
    most: _Count = 0
    up_cooldown_s: _Seconds = 0.0
    down_cooldown_s: _Seconds = 0.0
    queue_up: _Count | None = None
    jobs_per_worker: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    cpu_up: _Percent | None = None
    memory_up: _Percent | None = None
    p95_up_s: _Response | None = None
    cpu_down: Annotated[float, Field(ge=0, le=100)] | None = None
    response_down_s: _Response | None = None
    idle_down_s: _Seconds | None = None
    target_cpu: _Percent | None = None
    target_response_s: _Response | None = None
    schedules: tuple[str, ...] = ()
    default_shape: Annotated[str, Field(max_length=200)] = ""
    use_spot: bool = False
    use_forecast: bool = False


def with_changes(policy: Policy, changes: Mapping[str, Any]) -> Policy:
    """Lay an operator's live changes over a policy.

    Raises
    ------
    BadParameter
        Naming the key, what was given and what is allowed.
    """
    given = validated(_Changes, dict(changes), source="the changes of the policy")
    new = {name: getattr(given, name) for name in given.model_fields_set}
    bounds = _bounds(new.pop("least", policy.bounds.least), new.pop("most", policy.bounds.most))
    if "schedules" in new:
        new["schedules"] = schedules_of(new["schedules"], policy.target)
    return _checked(replace(policy, bounds=bounds, **new))


def told(policy: Policy) -> dict[str, Any]:
    """Give a policy's figures by the names that ``with_changes`` takes, without its schedules."""
    left_out = {"target", "bounds", "schedules"}
    values = {f.name: getattr(policy, f.name) for f in fields(policy) if f.name not in left_out}
    return {"least": policy.bounds.least, "most": policy.bounds.most, **values}


def _bounds(least: int, most: int) -> Bounds:
    if least > most:
        raise BadParameter(
            f"the least, {least}, is above the most, {most}",
            hint="give a most that is at least the least",
            where=Where(field="least"),
        )
    return Bounds(least=least, most=most)


def _checked(policy: Policy) -> Policy:
    """Refuse thresholds that would make the set grow and shrink by the same load."""
    low, high = policy.cpu_down, policy.cpu_up
    if low is not None and high is not None and low >= high:
        raise BadParameter(
            f"cpu_down is {low:g} %, cpu_up is {high:g} %",
            hint="give a cpu_down below cpu_up",
            where=Where(field="cpu_down"),
        )
    return policy
