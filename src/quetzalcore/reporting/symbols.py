"""How overlays look on a map and in its legend."""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patheffects import Stroke, withStroke

from quetzalcore.reporting.coordinates import round_ticks
from quetzalcore.reporting.house import FONT, INK, printable
from quetzalcore.reporting.overlays import (
    DepthSolutions,
    FlightLines,
    MapOverlay,
    Outlines,
    Targets,
    TrueBodies,
)
from quetzalcore.reporting.placement import spread

__all__ = ["DEPTH_COLOURS", "depth_classes", "depth_sizes", "draw_overlay"]

DEPTH_COLOURS = ("#fff7bc", "#fec44f", "#ec7014", "#993404", "#3b0f02")
_TARGET_PT = 15.5


@singledispatch
def draw_overlay(overlay: MapOverlay, axes: Axes) -> None:  # noqa: ARG001 -- the registered ones use it
    """Draw one overlay on a map's axes (metres)."""
    raise TypeError(f"no symbol for {type(overlay).__name__}")


@draw_overlay.register
def _(overlay: FlightLines, axes: Axes) -> None:
    axes.add_collection(
        LineCollection(overlay.paths, colors="black", linewidths=0.25, alpha=0.5, zorder=3),
        autolim=False,
    )


@draw_overlay.register
def _(overlay: Outlines, axes: Axes) -> None:
    axes.add_collection(
        LineCollection(
            overlay.rings,
            colors="black",
            linewidths=0.8,
            zorder=4,
            path_effects=[withStroke(linewidth=2.0, foreground="white", alpha=0.8)],
        ),
        autolim=False,
    )


@draw_overlay.register
def _(overlay: TrueBodies, axes: Axes) -> None:
    axes.add_collection(
        LineCollection(
            overlay.rings,
            colors="black",
            linewidths=1.1,
            linestyles=(0, (3, 2)),
            zorder=5,
            path_effects=[Stroke(linewidth=2.4, foreground="white"), Stroke(linewidth=1.1)],
        ),
        autolim=False,
    )
    for ring, name in zip(overlay.rings, overlay.names, strict=False):
        axes.annotate(
            printable(name),
            (float(np.mean(ring[:, 0])), float(np.min(ring[:, 1]))),
            xytext=(0, -9),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=6.5,
            fontfamily=FONT,
            color=INK,
            zorder=8,
            annotation_clip=True,
            parse_math=False,
            path_effects=[withStroke(linewidth=1.8, foreground="white")],
        )


@draw_overlay.register
def _(overlay: DepthSolutions, axes: Axes) -> None:
    classes = depth_classes(overlay)
    known = np.isfinite(overlay.depth_m) & np.isfinite(overlay.easting_m + overlay.northing_m)
    depth = overlay.depth_m[known]
    which = np.clip(np.searchsorted(classes, depth, side="right") - 1, 0, len(DEPTH_COLOURS) - 1)
    order = np.argsort(-depth, kind="stable")
    axes.scatter(
        overlay.easting_m[known][order],
        overlay.northing_m[known][order],
        s=np.asarray(depth_sizes())[which][order],
        c=np.asarray(DEPTH_COLOURS)[which][order],
        edgecolors="black",
        linewidths=0.4,
        zorder=6,
    )


@draw_overlay.register
def _(overlay: Targets, axes: Axes) -> None:
    ground = np.array([(each.easting_m, each.northing_m) for each in overlay.symbols]).reshape(
        -1, 2
    )
    paper = axes.transData.transform(ground)
    pixels_per_point = axes.figure.dpi / 72.0
    left, bottom, right, top = axes.bbox.extents
    spots = spread(paper, apart=_TARGET_PT * pixels_per_point, frame=(left, bottom, right, top))
    offsets = (spots - paper) / pixels_per_point
    moved = offsets.any(axis=1)
    axes.plot(*ground[moved].T, "o", ms=3, mfc=INK, mec="white", mew=0.6, zorder=10.9)
    for order, (symbol, offset) in enumerate(zip(overlay.symbols, offsets, strict=True)):
        axes.annotate(
            printable(symbol.label),
            (symbol.easting_m, symbol.northing_m),
            xytext=(float(offset[0]), float(offset[1])),
            textcoords="offset points",
            ha="center",
            va="center_baseline",
            fontsize=6.5,
            fontweight="bold",
            fontfamily=FONT,
            color=INK,
            zorder=11 - order * 0.001,
            annotation_clip=True,
            parse_math=False,
            arrowprops={
                "arrowstyle": "-",
                "linewidth": 0.9,
                "color": INK,
                "shrinkA": 4,
                "shrinkB": 0,
            }
            if offset.any()
            else None,
            bbox={
                "boxstyle": "circle,pad=0.28",
                "facecolor": "white",
                "edgecolor": INK,
                "linewidth": 1.0,
                "path_effects": [withStroke(linewidth=2.6, foreground="white")],
            },
        )


def depth_classes(overlay: DepthSolutions) -> tuple[float, ...]:
    """Return the lower bounds of at most five depth classes: round, increasing, metres."""
    depth = overlay.depth_m[np.isfinite(overlay.depth_m)]
    if not depth.size:
        return (0.0,)
    low, high = np.percentile(depth, [5, 90])
    high = max(high, low + 1.0)
    inner = round_ticks(float(low), float(high), about=4)[:4]
    return (min(0.0, float(depth.min())), *(float(v) for v in inner if v > 0))


def depth_sizes() -> tuple[float, ...]:
    """Return the symbols' areas, square points, one a class: the deeper the larger."""
    return (9.0, 16.0, 25.0, 36.0, 49.0)
