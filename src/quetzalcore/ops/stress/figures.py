"""What a load test's record comes to: figures of the whole, by route, by instance and over time.

Counted is from the end of the ramp-up on. A request that was begun in time and answered after it
counts for times and errors, but not for requests a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from quetzalcore.ops.stress.plan import LoadPlan
from quetzalcore.ops.stress.record import Key, Record, Second, Tally

__all__ = ["Figures", "InstanceFigures", "Moment", "RouteFigures", "figures_of"]

_MOMENTS = 240
_PHRASES = {each.value: each.phrase for each in HTTPStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFigures:
    """Requests of one route."""

    route: str
    requests: int
    errors: int
    per_s: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFigures:
    """Requests that one instance answered, from the first second in which it did to the last.

    ``per_s`` is within that span, so that one that came or left on the way is not taken for a lazy one.
    """

    instance: str
    requests: int
    errors: int
    seconds: int
    per_s: float
    mean_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What was answered in a stretch of the run; percentiles are None where nothing was."""

    at_s: float
    users: int
    per_s: float
    errors_per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    by_instance: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured.

    Parameters
    ----------
    seconds : float
        Of the time that is judged.
    per_s : float
        Requests that went well, a second.
    instances_mean : float
        How many instances answered, on average over time.
    outcomes : mapping
        Errors by what they were, like ``429 Too Many Requests`` or ``no answer (ConnectionResetError)``.
    limited_by_instances, limited_by_balancer : int
        Requests that a rate limit turned away.
    cpu_percent : float
        Of a core, that the client used at its busiest.
    """

    seconds: float
    users: int
    requests: int
    errors: int
    per_s: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    instances_mean: float
    outcomes: Mapping[str, int]
    limited_by_instances: int
    limited_by_balancer: int
    cpu_percent: float
    routes: tuple[RouteFigures, ...]
    instances: tuple[InstanceFigures, ...]
    moments: tuple[Moment, ...]

    @property
    def error_share(self) -> float:
        """Of all requests."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def per_s_an_instance(self) -> float:
        """Requests that went well, a second and an instance."""
        return self.per_s / self.instances_mean if self.instances_mean else 0.0

    @property
    def spread(self) -> float | None:
        """How far the busiest or the laziest instance is from the mean; None of fewer than two."""
        if len(self.instances) < 2:  # noqa: PLR2004 -- one alone has nobody to differ from
            return None
        rates = [each.per_s for each in self.instances]
        mean = sum(rates) / len(rates)
        return max(abs(rate - mean) for rate in rates) / mean


def figures_of(record: Record, plan: LoadPlan) -> Figures:
    """Add a record up."""
    last_s = record.seconds[-1].number + 1.0 if record.seconds else 0.0
    ends_s = min(last_s if record.ended_s is None else record.ended_s, float(plan.total_s))
    judged = [each for each in record.seconds if each.number >= plan.ramp_up_s]
    counted = [each for each in judged if each.number < ends_s]
    seconds = max(0.0, ends_s - plan.ramp_up_s)
    whole = _merged(judged)
    good = sum(tally.count for each in counted for key, tally in each.tallies.items() if key.ok)
    instances = _instances(counted)
    span = sum(each.seconds for each in instances)
    lasting = len({each.number for each in counted})
    return Figures(
        seconds=seconds,
        users=max((each.users for each in record.seconds), default=0),
        requests=whole.count,
        errors=_count(judged, lambda key: not key.ok),
        per_s=good / seconds if seconds else 0.0,
        mean_ms=whole.mean_ms or 0.0,
        p50_ms=whole.percentile_ms(50) or 0.0,
        p95_ms=whole.percentile_ms(95) or 0.0,
        p99_ms=whole.percentile_ms(99) or 0.0,
        max_ms=whole.max_ms,
        instances_mean=span / lasting if lasting else 0.0,
        outcomes=_outcomes(judged),
        limited_by_instances=_count(judged, lambda key: _limited(key) and bool(key.instance)),
        limited_by_balancer=_count(judged, lambda key: _limited(key) and not key.instance),
        cpu_percent=max((each.cpu_percent for each in record.seconds), default=0.0),
        routes=_routes(judged, counted, seconds),
        instances=instances,
        moments=_moments([each for each in record.seconds if each.number < ends_s], ends_s),
    )


def _limited(key: Key) -> bool:
    return key.status == HTTPStatus.TOO_MANY_REQUESTS


def _every(_key: Key) -> bool:
    return True


def _merged(seconds: Iterable[Second], wanted: Callable[[Key], bool] = _every) -> Tally:
    whole = Tally()
    for second in seconds:
        for key, tally in second.tallies.items():
            if wanted(key):
                whole.merge(tally)
    return whole


def _count(seconds: Iterable[Second], wanted: Callable[[Key], bool]) -> int:
    return sum(
        tally.count for each in seconds for key, tally in each.tallies.items() if wanted(key)
    )


def _outcomes(seconds: Iterable[Second]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for second in seconds:
        for key, tally in second.tallies.items():
            if not key.ok:
                found[_outcome(key)] += tally.count
    return dict(found.most_common())


def _outcome(key: Key) -> str:
    if not key.status:
        return f"no answer ({key.fault})"
    return f"{key.status} {_PHRASES.get(key.status, '')}".strip()


def _routes(
    judged: list[Second], counted: list[Second], seconds: float
) -> tuple[RouteFigures, ...]:
    names = sorted({key.route for each in judged for key in each.tallies})
    found = [_route(name, judged, counted, seconds) for name in names]
    return tuple(sorted(found, key=lambda each: -each.requests))


def _route(name: str, judged: list[Second], counted: list[Second], seconds: float) -> RouteFigures:
    whole = _merged(judged, lambda key: key.route == name)
    good = _count(counted, lambda key: key.route == name and key.ok)
    return RouteFigures(
        route=name,
        requests=whole.count,
        errors=_count(judged, lambda key: key.route == name and not key.ok),
        per_s=good / seconds if seconds else 0.0,
        mean_ms=whole.mean_ms or 0.0,
        p50_ms=whole.percentile_ms(50) or 0.0,
        p95_ms=whole.percentile_ms(95) or 0.0,
        p99_ms=whole.percentile_ms(99) or 0.0,
        max_ms=whole.max_ms,
    )


def _instances(counted: list[Second]) -> tuple[InstanceFigures, ...]:
    """Give them in the order in which they were first heard of."""
    seen: dict[str, list[int]] = {}
    for second in counted:
        for name in sorted({key.instance for key in second.tallies if key.instance}):
            seen.setdefault(name, []).append(second.number)
    return tuple(_instance(name, numbers, counted) for name, numbers in seen.items())


def _instance(name: str, numbers: list[int], counted: list[Second]) -> InstanceFigures:
    whole = _merged(counted, lambda key: key.instance == name)
    seconds = max(numbers) - min(numbers) + 1
    return InstanceFigures(
        instance=name,
        requests=whole.count,
        errors=_count(counted, lambda key: key.instance == name and not key.ok),
        seconds=seconds,
        per_s=whole.count / seconds,
        mean_ms=whole.mean_ms or 0.0,
        p95_ms=whole.percentile_ms(95) or 0.0,
    )


def _moments(seconds: list[Second], ends_s: float) -> tuple[Moment, ...]:
    """Join seconds to stretches, so that a long run does not make a long picture; silent ones count."""
    step = max(1, -(-int(ends_s) // _MOMENTS))
    stretches: dict[int, list[Second]] = {n: [] for n in range(int(ends_s) // step)}
    for second in seconds:
        if second.number // step in stretches:  # not the last, which was cut short
            stretches[second.number // step].append(second)
    return tuple(_moment(number * step, step, part) for number, part in stretches.items())


def _moment(at_s: int, step: int, part: list[Second]) -> Moment:
    whole = _merged(part)
    names = sorted({key.instance for each in part for key in each.tallies if key.instance})
    by_instance = {name: _merged(part, lambda key, n=name: key.instance == n) for name in names}  # type: ignore[misc]
    return Moment(
        at_s=at_s + step / 2.0,
        users=max((each.users for each in part), default=0),
        per_s=_count(part, lambda key: key.ok) / step,
        errors_per_s=_count(part, lambda key: not key.ok) / step,
        p50_ms=whole.percentile_ms(50),
        p95_ms=whole.percentile_ms(95),
        p99_ms=whole.percentile_ms(99),
        by_instance={name: tally.count / step for name, tally in by_instance.items()},
    )
