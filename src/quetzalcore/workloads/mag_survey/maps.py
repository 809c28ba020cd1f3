"""Which maps a survey gets, and what is drawn on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from quetzalcore.geophysics.survey import Survey
from quetzalcore.geophysics.targets import Anomaly, DrillTarget
from quetzalcore.reporting import (
    DepthSolutions,
    FlightLines,
    MapOverlay,
    MapSpec,
    Outlines,
    Targets,
    TargetSymbol,
)
from quetzalcore.workloads.mag_survey.depths import DepthSet

__all__ = ["MapSymbols", "MapText", "plan_maps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapText:
    """What stands on every map."""

    subtitle: str
    footer: str
    convergence_deg: float
    graticule: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSymbols:
    """What is drawn over grids; ``extra`` goes wherever targets go."""

    depths: DepthSet | None
    anomalies: tuple[Anomaly, ...]
    targets: tuple[DrillTarget, ...]
    extra: tuple[MapOverlay, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    name: str
    grid: str
    title: str
    caption: str
    overlay: str = ""


_PLANS = (
    _Plan(
        name="tmi",
        grid="tmi",
        title="Total magnetic intensity anomaly",
        caption="Conditioned readings, gridded.",
        overlay="targets",
    ),
    _Plan(
        name="rtp",
        grid="rtp",
        title="Reduced to the pole",
        caption="As if field and magnetization were vertical: highs lie over induced sources.",
        overlay="targets",
    ),
    _Plan(
        name="residual",
        grid="residual",
        title="Residual anomaly",
        caption="Total magnetic intensity less its upward continuation.",
    ),
    _Plan(
        name="vertical_derivative",
        grid="vertical_derivative",
        title="First vertical derivative",
        caption="Downward positive, from the total magnetic intensity: shallow sources stand out.",
    ),
    _Plan(
        name="analytic_signal",
        grid="analytic_signal",
        title="Analytic signal",
        caption="Length of the gradient: highest over sources, little affected by remanence.",
        overlay="outlines",
    ),
    _Plan(
        name="tilt",
        grid="tilt",
        title="Tilt angle at the pole",
        caption="Zero over vertical edges, whatever their amplitude.",
    ),
    _Plan(
        name="depth",
        grid="rtp",
        title="Depth to magnetic sources",
        caption="Clustered Euler solutions on the field at the pole.",
        overlay="depth",
    ),
    _Plan(
        name="lines",
        grid="tmi",
        title="Flight lines",
        caption="Where the sensor went.",
        overlay="lines",
    ),
)


def plan_maps(
    grids: Mapping[str, xr.DataArray],
    survey: Survey,
    symbols: MapSymbols,
    text: MapText,
) -> tuple[MapSpec, ...]:
    """Choose the maps that the grids at hand allow, with their overlays."""
    drawn = dict(grids)
    if "dz" in grids:
        downward = grids["dz"].copy(data=-grids["dz"].to_numpy())
        drawn["vertical_derivative"] = downward.assign_attrs(long_name="first vertical derivative")
    overlays: dict[str, tuple[MapOverlay, ...]] = {
        "targets": (*symbols.extra, *_targets(symbols.targets)),
        "outlines": _outlines(symbols.anomalies),
        "depth": _depth_points(symbols.depths),
        "lines": (FlightLines.from_survey(survey),),
    }
    wanted = [
        plan
        for plan in _PLANS
        if plan.grid in drawn and (plan.overlay != "depth" or overlays["depth"])
    ]
    return tuple(
        MapSpec(
            name=plan.name,
            title=plan.title,
            grid=drawn[plan.grid],
            subtitle=text.subtitle,
            caption=plan.caption,
            footer=text.footer,
            convergence_deg=text.convergence_deg,
            overlays=overlays.get(plan.overlay, ()),
            graticule=text.graticule,
        )
        for plan in wanted
    )


def _targets(targets: tuple[DrillTarget, ...]) -> tuple[MapOverlay, ...]:
    if not targets:
        return ()
    return (
        Targets(
            symbols=tuple(
                TargetSymbol(
                    easting_m=target.easting_m, northing_m=target.northing_m, label=str(target.rank)
                )
                for target in targets
            )
        ),
    )


def _outlines(anomalies: tuple[Anomaly, ...]) -> tuple[MapOverlay, ...]:
    rings = tuple(np.array(anomaly.outline) for anomaly in anomalies if anomaly.outline)
    return (Outlines(rings=rings),) if rings else ()


def _depth_points(depths: DepthSet | None) -> tuple[MapOverlay, ...]:
    table = next((t for t in depths.tables if t.name == "euler_clusters"), None) if depths else None
    if table is None or not len(table):
        return ()
    return (
        DepthSolutions(
            easting_m=table.columns["easting_m"],
            northing_m=table.columns["northing_m"],
            depth_m=table.columns["depth_m"],
            legend=f"Depth {table.reference} (m)",
        ),
    )
