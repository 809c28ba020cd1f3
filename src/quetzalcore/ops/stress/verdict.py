"""Whether a load test met its targets, and what its figures may not say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from quetzalcore.ops.stress.figures import Figures

__all__ = ["Judged", "Outcome", "Targets", "Verdict", "judge"]

_BUSY_CLIENT_PERCENT = 90.0


class Outcome(StrEnum):
    """What is said of the whole."""

    MET = "met"
    NOT_MET = "not met"
    TOO_SHORT = "too short to judge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What the platform is held to, and how much must be measured before it is.

    ``spread`` is how far an instance may be from the mean of all, as a share of it.
    """

    mean_ms: float = 2000.0
    p95_ms: float = 5000.0
    per_s_an_instance: float = 100.0
    error_share: float = 0.01
    spread: float = 0.20
    least_s: float = 10.0
    least_requests: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One target: what is wanted, what was found, and whether it is met; None where it says nothing."""

    target: str
    wanted: str
    found: str
    met: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All targets, the word on the whole, and notes for who reads it."""

    outcome: Outcome
    targets: tuple[Judged, ...]
    notes: tuple[str, ...] = ()


def judge(
    figures: Figures, targets: Targets, *, serving: int | None = None, stopped: str = ""
) -> Verdict:
    """Hold figures to targets.

    Parameters
    ----------
    serving : int, optional
        How many instances the platform said there are.
    stopped : str
        Why the run ended before its time, if it did.
    """
    judged = (
        Judged(
            target="Mean response time",
            wanted=f"< {targets.mean_ms / 1000:g} s",
            found=_time(figures.mean_ms),
            met=figures.mean_ms < targets.mean_ms,
        ),
        Judged(
            target="95th percentile",
            wanted=f"< {targets.p95_ms / 1000:g} s",
            found=_time(figures.p95_ms),
            met=figures.p95_ms < targets.p95_ms,
        ),
        Judged(
            target="Requests/s an instance",
            wanted=f"> {targets.per_s_an_instance:g}",
            found=f"{figures.per_s_an_instance:,.0f}",
            met=figures.per_s_an_instance > targets.per_s_an_instance,
        ),
        Judged(
            target="Errors",
            wanted=f"< {100 * targets.error_share:g} %",
            found=f"{100 * figures.error_share:.2f} %",
            met=figures.error_share < targets.error_share,
        ),
        _spread(figures, targets, serving),
    )
    short = figures.seconds < targets.least_s or figures.requests < targets.least_requests
    held = Outcome.NOT_MET if any(each.met is False for each in judged) else Outcome.MET
    return Verdict(
        outcome=Outcome.TOO_SHORT if short else held,
        targets=judged,
        notes=tuple(_notes(figures, targets, short=short, stopped=stopped)),
    )


def _spread(figures: Figures, targets: Targets, serving: int | None) -> Judged:
    wanted = f"within {100 * targets.spread:g} % of the mean"
    seen = len(figures.instances)
    if serving is not None and seen < serving:
        return Judged(
            target="Spread over instances",
            wanted=wanted,
            found=f"{seen} of {serving} instances answered",
            met=False,
        )
    share = figures.spread
    found = "one instance" if seen == 1 else "no instance answered"
    return Judged(
        target="Spread over instances",
        wanted=wanted,
        found=found if share is None else f"within {100 * share:.1f} %",
        met=None if share is None else share <= targets.spread,
    )


def _notes(figures: Figures, targets: Targets, *, short: bool, stopped: str) -> Iterator[str]:
    if stopped:
        yield f"The run ended early: {stopped}."
    if short:
        yield (
            f"{figures.requests:,} requests in {figures.seconds:.0f} s are too few: a verdict needs"
            f" {targets.least_s:g} s after the ramp-up and {targets.least_requests} requests."
        )
    if figures.limited_by_instances:
        yield (
            f"The gateway's rate limit turned {figures.limited_by_instances:,} requests away:"
            " add the key's id (quetzal key list) to rate_limit_exempt (QUETZAL_RATE_LIMIT_EXEMPT) of every instance"
            " and restart them."
        )
    if figures.limited_by_balancer:
        yield (
            f"The balancer's rate limit turned {figures.limited_by_balancer:,} requests away:"
            " give --exempt-file the file DATA_DIR/balancer-exempt of the balancer's host."
        )
    if figures.cpu_percent > _BUSY_CLIENT_PERCENT:
        yield (
            f"The client used {figures.cpu_percent:.0f} % of its core, so that the platform may be faster than"
            " this says: run quetzal stress from several hosts at once."
        )


def _time(took_ms: float) -> str:
    return f"{took_ms / 1000:.2f} s" if took_ms >= 1000 else f"{took_ms:.1f} ms"  # noqa: PLR2004 -- a second
