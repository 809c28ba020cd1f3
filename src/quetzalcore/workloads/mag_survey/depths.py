"""Depth estimates by three methods, and what they are measured from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quetzalcore.geophysics import depth
from quetzalcore.geophysics.survey import Floats
from quetzalcore.workloads.mag_survey.config import DepthConfig
from quetzalcore.workloads.mag_survey.grids import TransformSet
from quetzalcore.workloads.mag_survey.record import Outcome, StageRecord
from quetzalcore.workloads.mag_survey.surroundings import Ground

__all__ = ["DepthSet", "DepthTable", "find_depths"]

_WAVENUMBER_SMOOTH_CELLS = 1.0
_DEEPEST_WINDOWS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthTable:
    """One method's points: columns of equal length; ``depth_m`` is measured from ``reference``.

    ``depth_below_sensor_m`` is what the method gives; ``uncertainty_m`` is one standard deviation.
    """

    name: str
    title: str
    reference: str
    columns: Mapping[str, Floats]

    def __len__(self) -> int:
        """Count the points."""
        return len(self.columns["depth_m"])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthSet:
    """All methods' points, and Euler's clusters, which the targets use."""

    tables: tuple[DepthTable, ...]
    clusters: depth.SourceClusters
    euler: depth.EulerSolutions


def find_depths(
    transforms: TransformSet, ground: Ground, config: DepthConfig
) -> tuple[DepthSet, StageRecord]:
    """Run Euler (over every structural index), tilt-depth (at the pole) and local wavenumber."""
    grids = transforms.grids
    cell = float(np.diff(grids["tmi"]["easting"].to_numpy()[:2])[0])
    window_m = config.window_cells * cell
    solutions = depth.euler(
        grids["tmi"],
        grids["dx"],
        grids["dy"],
        grids["dz"],
        structural_index=config.structural_indices,
        window_cells=config.window_cells,
    )
    clusters = depth.cluster(solutions, radius_m=window_m / 2.0)
    contacts = depth.tilt_depth(grids["tilt"], deepest_m=_DEEPEST_WINDOWS * window_m)
    smooth_m = _WAVENUMBER_SMOOTH_CELLS * cell
    wavenumber = depth.local_wavenumber(transforms.prepared, smooth_m=smooth_m)
    crests = depth.wavenumber_depth(
        wavenumber, smooth_m=smooth_m, deepest_m=_DEEPEST_WINDOWS * window_m
    )
    tables = (
        _table("euler", "Euler deconvolution", ground, _euler_columns(solutions)),
        _table("euler_clusters", "Euler, clustered", ground, _cluster_columns(clusters)),
        _table("tilt_depth", "Tilt-depth", ground, _tilt_columns(contacts)),
        _table("local_wavenumber", "Local wavenumber", ground, _wavenumber_columns(crests)),
    )
    record = StageRecord(
        stage="depth",
        outcome=Outcome.DONE,
        parameters={
            "euler_window_cells": config.window_cells,
            "structural_indices": ", ".join(f"{n:g}" for n in config.structural_indices),
            "measured": ground.reference,
            **{f"{table.name}_points": len(table) for table in tables},
        },
    )
    return DepthSet(tables=tables, clusters=clusters, euler=solutions), record


def _table(name: str, title: str, ground: Ground, columns: dict[str, Floats]) -> DepthTable:
    clearance = ground.clearance_m(columns["easting_m"], columns["northing_m"])
    below = columns["depth_below_sensor_m"] - clearance
    places = {key: columns.pop(key) for key in ("easting_m", "northing_m")}
    return DepthTable(
        name=name,
        title=title,
        reference=ground.reference,
        columns={**places, "depth_m": below, **columns},
    )


def _euler_columns(found: depth.EulerSolutions) -> dict[str, Floats]:
    return {
        "easting_m": found.easting_m,
        "northing_m": found.northing_m,
        "depth_below_sensor_m": found.depth_m,
        "uncertainty_m": found.uncertainty_m,
        "horizontal_uncertainty_m": found.horizontal_uncertainty_m,
        "structural_index": found.structural_index,
        "base_level_nt": found.base_level_nt,
        "quality": found.quality,
    }


def _cluster_columns(found: depth.SourceClusters) -> dict[str, Floats]:
    return {
        "easting_m": found.easting_m,
        "northing_m": found.northing_m,
        "depth_below_sensor_m": found.depth_m,
        "uncertainty_m": found.depth_spread_m,
        "horizontal_uncertainty_m": found.horizontal_spread_m,
        "structural_index": found.structural_index,
        "solutions": found.count.astype(np.float64),
    }


def _tilt_columns(found: depth.TiltDepth) -> dict[str, Floats]:
    return {
        "easting_m": found.easting_m,
        "northing_m": found.northing_m,
        "depth_below_sensor_m": found.depth_m,
        "uncertainty_m": found.uncertainty_m,
        "azimuth_deg": found.azimuth_deg,
    }


def _wavenumber_columns(found: depth.SpiDepth) -> dict[str, Floats]:
    return {
        "easting_m": found.easting_m,
        "northing_m": found.northing_m,
        "depth_below_sensor_m": found.depth_m,
        "uncertainty_m": found.uncertainty_m,
        "structural_index": found.structural_index,
    }
