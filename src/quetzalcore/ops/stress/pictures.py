"""Pictures of a load test over time: requests, response times, instances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from quetzalcore.ops.stress.figures import Moment
from quetzalcore.ops.stress.plan import LoadPlan
from quetzalcore.ops.stress.verdict import Targets
from quetzalcore.reporting.house import (
    FAINT,
    FONT,
    INK,
    MUTED,
    SERIES,
    Picture,
    new_figure,
    picture_of,
)

__all__ = ["ReportPicture", "pictures_of"]

_WIDTH_IN = 8.0
_LEAST_MOMENTS = 2
_MOST_NAMED = 12
_LEFT, _RIGHT = 0.085, 0.985
_ERROR = "#b3261e"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportPicture:
    """A picture with what is written below it."""

    title: str
    caption: str
    picture: Picture


def pictures_of(
    moments: tuple[Moment, ...], plan: LoadPlan, targets: Targets, names: Mapping[str, str]
) -> tuple[ReportPicture, ...]:
    """Draw them; none where there is no course to see, and instances only where there are several."""
    if len(moments) < _LEAST_MOMENTS:
        return ()
    found = [
        ReportPicture(
            title="Requests a second, and users",
            caption="Answers that went well and errors, above; how many users asked, below."
            + (" The shaded ramp-up is not judged." if plan.ramp_up_s else ""),
            picture=_requests(moments, plan),
        ),
        ReportPicture(
            title="Response times",
            caption="Percentiles of each moment, on a logarithmic scale; the dashed line is the target of the 95th.",
            picture=_times(moments, plan, targets),
        ),
    ]
    if len({name for moment in moments for name in moment.by_instance}) > 1:
        found.append(
            ReportPicture(
                title="Requests a second by instance",
                caption="Numbered as in the table of instances below. Lines that lie together are a load spread evenly.",
                picture=_instances(moments, plan, names),
            )
        )
    return tuple(found)


def _requests(moments: tuple[Moment, ...], plan: LoadPlan) -> Picture:
    figure = new_figure(_WIDTH_IN, 3.9)
    rates, users = figure.subplots(2, 1, sharex=True, height_ratios=(2.6, 1.0))
    at_s = _at(moments)
    good = _values([m.per_s for m in moments])
    bad = _values([m.errors_per_s for m in moments])
    rates.fill_between(at_s, good, color=SERIES[0], alpha=0.2, linewidth=0)
    rates.plot(at_s, good, color=SERIES[0], linewidth=1.1, label="went well")
    if bad.any():
        rates.plot(at_s, bad, color=_ERROR, linewidth=1.1, label="errors")
    _dress(rates, "requests a second", legend=bool(bad.any()))
    asking = _values([m.users for m in moments])
    users.fill_between(at_s, asking, color=SERIES[2], alpha=0.2, linewidth=0)
    users.plot(at_s, asking, color=SERIES[2], linewidth=1.1)
    _dress(users, "users", legend=False)
    return _finished(figure, (rates, users), moments, plan)


def _times(moments: tuple[Moment, ...], plan: LoadPlan, targets: Targets) -> Picture:
    figure = new_figure(_WIDTH_IN, 3.1)
    axes = figure.subplots()
    at_s = _at(moments)
    courses = {
        "99th percentile": [m.p99_ms for m in moments],
        "95th percentile": [m.p95_ms for m in moments],
        "median": [m.p50_ms for m in moments],
    }
    for (name, course), colour in zip(
        courses.items(), (SERIES[3], SERIES[1], SERIES[0]), strict=True
    ):
        axes.plot(at_s, _values(course), color=colour, linewidth=1.1, label=name)
    axes.axhline(targets.p95_ms, color=INK, linewidth=0.8, linestyle=(0, (5, 3)), label="target")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _position: f"{value:,g}")
    known = [m.p50_ms for m in moments if m.p50_ms]
    lowest = 10 ** math.floor(math.log10(min(known, default=1.0)))
    _dress(axes, "milliseconds", legend=True, bottom=lowest)
    return _finished(figure, (axes,), moments, plan)


def _instances(moments: tuple[Moment, ...], plan: LoadPlan, names: Mapping[str, str]) -> Picture:
    figure = new_figure(_WIDTH_IN, 2.9)
    axes = figure.subplots()
    at_s = _at(moments)
    for number, instance in enumerate(names):
        course = _values([m.by_instance.get(instance) for m in moments])
        axes.plot(
            at_s, course, color=SERIES[number % len(SERIES)], linewidth=1.1,
            linestyle="-" if number < len(SERIES) else "--", label=str(number + 1),
        )  # fmt: skip
    _dress(axes, "requests a second", legend=len(names) <= _MOST_NAMED)
    return _finished(figure, (axes,), moments, plan)


def _finished(
    figure: Figure, every: tuple[Axes, ...], moments: tuple[Moment, ...], plan: LoadPlan
) -> Picture:
    half_s = (moments[1].at_s - moments[0].at_s) / 2.0
    for axes in every:
        axes.set_xlim(0.0, moments[-1].at_s + half_s)
        if plan.ramp_up_s:
            axes.axvspan(0.0, plan.ramp_up_s, color=FAINT, alpha=0.45, linewidth=0, zorder=0)
    every[-1].set_xlabel("seconds", fontfamily=FONT, fontsize=8.5, color=INK)
    height_in = figure.get_figheight()
    figure.subplots_adjust(
        left=_LEFT, right=_RIGHT, top=1 - 0.28 / height_in, bottom=0.42 / height_in, hspace=0.14
    )
    return picture_of(figure)


def _dress(axes: Axes, name: str, *, legend: bool, bottom: float = 0.0) -> None:
    axes.margins(y=0.12)
    axes.set_ylim(bottom=bottom)
    axes.set_ylabel(name, fontfamily=FONT, fontsize=8.5, color=INK)
    axes.grid(visible=True, color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, labelcolor=INK, color=MUTED, labelfontfamily=FONT, which="both")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    if legend:
        axes.legend(
            loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, ncols=_MOST_NAMED, frameon=False,
            prop={"family": FONT, "size": 8},
        )  # fmt: skip


def _at(moments: tuple[Moment, ...]) -> NDArray[np.float64]:
    return np.array([moment.at_s for moment in moments])


def _values(course: list[float | None] | list[float] | list[int]) -> NDArray[np.float64]:
    """Leave a gap where nothing was answered."""
    return np.array([np.nan if value is None else value for value in course], dtype=np.float64)
