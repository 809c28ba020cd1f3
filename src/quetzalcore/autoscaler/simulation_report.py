"""What a replay comes to: waiting times, cost, churn, and its curve."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from quetzalcore.autoscaler.model import Policy, Shape
from quetzalcore.autoscaler.simulator import Moment, Replay
from quetzalcore.reporting.house import FAINT, FONT, INK, MUTED, SERIES, new_figure, printable

__all__ = ["Summary", "document", "draw", "summarise"]

_POINTS = 1500
_DECISIONS = 500
_HOUR_S = 3600.0
_LABEL: Mapping[str, Any] = {
    "fontfamily": FONT, "fontsize": 8.5, "color": INK, "parse_math": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of one replay. ``cost_of_peak`` is what as many workers as ever were would cost all the time.

    ``turns`` counts changes of direction; ``hasty_turns`` those within the cooldown that forbids them.
    """

    jobs: int
    unfinished: int
    infeasible: int
    wait_mean_s: float
    wait_p50_s: float
    wait_p95_s: float
    wait_p99_s: float
    wait_max_s: float
    cost: float
    cost_of_peak: float
    currency: str
    machine_hours: Mapping[str, float]
    utilisation: float
    peak_workers: int
    launched: int
    refused: int
    given_up: int
    removed: int
    decisions: int
    turns: int
    hasty_turns: int
    simulated_hours: float


def summarise(
    replay: Replay, policy: Policy, shapes: Sequence[Shape], currency: str = "USD"
) -> Summary:
    """Sum up a replay."""
    price = {shape.name: shape.hourly_price for shape in shapes}
    hours = {name: lived_s / _HOUR_S for name, lived_s in replay.machine_s.items()}
    ran = replay.wait_s[np.isfinite(replay.wait_s)]
    waits = ran if ran.size else np.zeros(1)
    p50, p95, p99 = np.percentile(waits, [50, 95, 99])
    cost = sum(price[name] * lived for name, lived in hours.items())
    machine_hours = sum(hours.values())
    peak = max(m.ready + m.starting for m in replay.moments)
    mean_price = cost / machine_hours if machine_hours else 0.0
    turns, hasty = _turns(replay, policy)
    return Summary(
        jobs=int(replay.wait_s.size),
        unfinished=int(replay.wait_s.size - ran.size),
        infeasible=replay.infeasible,
        wait_mean_s=float(waits.mean()),
        wait_p50_s=float(p50),
        wait_p95_s=float(p95),
        wait_p99_s=float(p99),
        wait_max_s=float(waits.max()),
        cost=cost,
        cost_of_peak=mean_price * peak * replay.ends_s / _HOUR_S,
        currency=currency,
        machine_hours=hours,
        utilisation=replay.busy_core_s / replay.core_s if replay.core_s else 0.0,
        peak_workers=peak,
        launched=replay.launched,
        refused=replay.refused,
        given_up=replay.given_up,
        removed=replay.removed,
        decisions=len(replay.decisions),
        turns=turns,
        hasty_turns=hasty,
        simulated_hours=replay.ends_s / _HOUR_S,
    )


def _turns(replay: Replay, policy: Policy) -> tuple[int, int]:
    turns = hasty = 0
    for before, after in zip(replay.decisions, replay.decisions[1:], strict=False):
        if before.up is not after.up:
            turns += 1
            cooldown_s = policy.up_cooldown_s if after.up else policy.down_cooldown_s
            hasty += after.at_s - before.at_s < cooldown_s
    return turns, hasty


def document(summary: Summary, replay: Replay) -> dict[str, Any]:
    """Give all of it as JSON: the figures, the curve thinned to some thousands of points, the first decisions."""
    curve = _thinned(replay.moments)
    return {
        "summary": asdict(summary),
        "decisions": [asdict(taken) for taken in replay.decisions[:_DECISIONS]],
        "curve": {
            name: [getattr(moment, name) for moment in curve]
            for name in (
                "at_s", "waiting", "running", "ready", "starting", "draining", "cpu_percent",
            )
        },
    }  # fmt: skip


def draw(runs: Mapping[str, Replay], *, title: str, suffix: str = "svg") -> bytes:
    """Draw queue and workers over time as SVG or PNG; several runs of one load share the axes."""
    figure = new_figure(8.0, 5.0)
    queue, workers = figure.subplots(2, 1, sharex=True)
    for number, (name, replay) in enumerate(runs.items()):
        moments = _thinned(replay.moments)
        hours = np.array([m.at_s for m in moments]) / _HOUR_S
        colour = SERIES[number % len(SERIES)]
        waiting = np.array([m.waiting for m in moments], dtype=np.float64)
        ready = np.array([m.ready for m in moments], dtype=np.float64)
        if len(runs) == 1:
            _area(queue, hours, waiting, colour, name)
            paid = ready + np.array([m.starting + m.draining for m in moments])
            workers.fill_between(
                hours, ready, paid, step="post", color=SERIES[1], linewidth=0,
                label="starting or draining",
            )  # fmt: skip
            _area(workers, hours, ready, colour, "ready")
        else:
            for axes, values in ((queue, waiting), (workers, ready)):
                axes.step(
                    hours, values, where="post", color=colour, linewidth=0.8, alpha=0.9, label=name
                )
    _dress(queue, "jobs waiting", legend=len(runs) > 1)
    _dress(workers, "workers" if len(runs) == 1 else "ready workers", legend=len(runs) == 1)
    workers.set_xlabel("time (hours)", **_LABEL)
    ends_h = max(replay.ends_s for replay in runs.values()) / _HOUR_S
    workers.set_xlim(0.0, ends_h)
    queue.set_title(printable(title), loc="left", **{**_LABEL, "fontsize": 9.5})
    figure.subplots_adjust(left=0.09, right=0.985, top=0.93, bottom=0.1, hspace=0.16)
    with mpl.rc_context({"svg.hashsalt": "quetzalcore", "svg.fonttype": "path"}):
        buffer = io.BytesIO()
        metadata = {"Date": None} if suffix == "svg" else None
        figure.savefig(buffer, format=suffix, metadata=metadata)
    return buffer.getvalue()


def _area(
    axes: Axes, hours: NDArray[np.float64], values: NDArray[np.float64], colour: str, name: str
) -> None:
    axes.fill_between(hours, values, step="post", color=colour, alpha=0.25, linewidth=0)
    axes.step(hours, values, where="post", color=colour, linewidth=0.9, label=name)


def _dress(axes: Axes, name: str, *, legend: bool) -> None:
    axes.set_ylim(bottom=0.0)
    axes.margins(y=0.12)
    axes.set_ylabel(printable(name), **_LABEL)
    axes.grid(visible=True, color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, labelcolor=INK, color=MUTED, labelfontfamily=FONT)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    if legend:
        axes.legend(
            loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, ncols=2, frameon=False,
            prop={"family": FONT, "size": 8},
        )  # fmt: skip


def _thinned(moments: Sequence[Moment]) -> list[Moment]:
    """Leave the deepest queue of each stretch, so that no peak is lost."""
    step = -(-len(moments) // _POINTS)
    return [
        max(moments[begin : begin + step], key=lambda m: m.waiting)
        for begin in range(0, len(moments), step)
    ]
