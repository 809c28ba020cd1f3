"""Maps and the report, from value objects: it reads no file and knows nothing of the pipeline.

A map: fill a :class:`MapSpec` and call :func:`render_map` (pixels) or :func:`draw_map` (a PNG).
Other figures are ``draw_*`` functions that return a :class:`Picture`. The report: fill a
:class:`ReportInput` and call :func:`write_report`.
"""

from __future__ import annotations

from quetzalcore.reporting.contents import (
    BodyComparison,
    ClassProbability,
    DepthRow,
    Fact,
    RejectedRow,
    ReportFigure,
    ReportInput,
    ReportTarget,
    Stage,
    StageStatus,
)
from quetzalcore.reporting.house import Picture
from quetzalcore.reporting.html import render_report, write_report
from quetzalcore.reporting.maps import MapSpec, draw_map, draw_maps, page_size_px, render_map
from quetzalcore.reporting.overlays import (
    DepthSolutions,
    FlightLines,
    MapOverlay,
    Outlines,
    Targets,
    TargetSymbol,
    TrueBodies,
)
from quetzalcore.reporting.palette import MapStyle, Palette, Scaling, style_for
from quetzalcore.reporting.plots import (
    SpectrumSegment,
    Trace,
    draw_class_bars,
    draw_crossovers,
    draw_profile,
    draw_reliability,
    draw_spectrum,
)
from quetzalcore.reporting.shading import Sun
from quetzalcore.reporting.stretch import Stretch, Tick

__all__ = [
    "BodyComparison",
    "ClassProbability",
    "DepthRow",
    "DepthSolutions",
    "Fact",
    "FlightLines",
    "MapOverlay",
    "MapSpec",
    "MapStyle",
    "Outlines",
    "Palette",
    "Picture",
    "RejectedRow",
    "ReportFigure",
    "ReportInput",
    "ReportTarget",
    "Scaling",
    "SpectrumSegment",
    "Stage",
    "StageStatus",
    "Stretch",
    "Sun",
    "TargetSymbol",
    "Targets",
    "Tick",
    "Trace",
    "TrueBodies",
    "draw_class_bars",
    "draw_crossovers",
    "draw_map",
    "draw_maps",
    "draw_profile",
    "draw_reliability",
    "draw_spectrum",
    "page_size_px",
    "render_map",
    "render_report",
    "style_for",
    "write_report",
]
