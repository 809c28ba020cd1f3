"""The key of an overlay, for the panel beside a map; units of the axes are inches of paper."""

from __future__ import annotations

from functools import singledispatch
from itertools import pairwise
from textwrap import wrap

from matplotlib.axes import Axes

from quetzalcore.reporting.house import INK, fitted_pt, label
from quetzalcore.reporting.overlays import (
    DepthSolutions,
    FlightLines,
    MapOverlay,
    Outlines,
    Targets,
    TrueBodies,
)
from quetzalcore.reporting.symbols import DEPTH_COLOURS, depth_classes, depth_sizes

__all__ = ["draw_legend", "legend_height_in"]

_ROW_IN = 0.17
_TEXT_IN = 0.42
_TEXT_PT = 7.0
_HEADING_CHARACTERS = 32


def legend_height_in(overlay: MapOverlay) -> float:
    """Return the paper that the key needs, inches."""
    if not isinstance(overlay, DepthSolutions):
        return _ROW_IN
    return (len(depth_classes(overlay)) + len(_heading_lines(overlay))) * _ROW_IN


@singledispatch
def draw_legend(overlay: MapOverlay, axes: Axes) -> None:  # noqa: ARG001 -- the registered ones use it
    """Draw the key of one overlay."""
    raise TypeError(f"no key for {type(overlay).__name__}")


@draw_legend.register
def _(overlay: FlightLines, axes: Axes) -> None:
    axes.plot([0.02, 0.34], [_ROW_IN / 2] * 2, color="black", lw=0.5, alpha=0.7)
    _words(axes, overlay.legend)


@draw_legend.register
def _(overlay: Outlines, axes: Axes) -> None:
    axes.plot([0.02, 0.34], [_ROW_IN / 2] * 2, color="black", lw=0.9)
    _words(axes, overlay.legend)


@draw_legend.register
def _(overlay: TrueBodies, axes: Axes) -> None:
    axes.plot([0.02, 0.34], [_ROW_IN / 2] * 2, color="black", lw=1.1, linestyle=(0, (3, 2)))
    _words(axes, overlay.legend)


@draw_legend.register
def _(overlay: Targets, axes: Axes) -> None:
    axes.plot(0.18, _ROW_IN / 2, "o", ms=8, mfc="white", mec=INK, mew=1.0, clip_on=False)
    axes.text(
        0.18,
        _ROW_IN / 2,
        **label("1", fontsize=5.5, fontweight="bold", ha="center", va="center_baseline"),
    )
    _words(axes, overlay.legend)


@draw_legend.register
def _(overlay: DepthSolutions, axes: Axes) -> None:
    classes = depth_classes(overlay)
    for row, line in enumerate(reversed(_heading_lines(overlay)), start=len(classes)):
        _words(axes, line, row=row, left_in=0.0)
    for index, text in enumerate(_class_names(classes)):
        row = len(classes) - 1 - index
        axes.scatter(
            0.18, (row + 0.5) * _ROW_IN, s=depth_sizes()[index], c=DEPTH_COLOURS[index],
            edgecolors="black", linewidths=0.4, clip_on=False,
        )  # fmt: skip
        _words(axes, text, row=row)


def _heading_lines(overlay: DepthSolutions) -> list[str]:
    return wrap(overlay.legend, _HEADING_CHARACTERS) or [""]


def _class_names(bounds: tuple[float, ...]) -> list[str]:
    names = [f"{low:g} to {high:g}" for low, high in pairwise(bounds)]
    names[:1] = [f"below {bounds[1]:g}"] if len(bounds) > 1 else []
    return [*names, f"{bounds[-1]:g} and more"]


def _words(axes: Axes, text: str, *, row: int = 0, left_in: float = _TEXT_IN) -> None:
    heading = left_in == 0.0
    size = fitted_pt(text, _TEXT_PT, room_in=axes.get_xlim()[1] - left_in, bold=heading)
    weight = "bold" if heading else "normal"
    style = label(text, va="center", fontweight=weight, fontsize=size)
    axes.text(left_in, (row + 0.5) * _ROW_IN, **style)
