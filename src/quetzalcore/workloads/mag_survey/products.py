"""Product files: stations, grids, depths, targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import xarray as xr

from quetzalcore.formats import (
    write_geotiffs,
    write_netcdf,
    write_points_csv,
    write_points_geojson,
    write_points_geopackage,
    write_points_parquet,
    write_survey_parquet,
)
from quetzalcore.geophysics.survey import Survey
from quetzalcore.workloads.mag_survey.depths import DepthSet, DepthTable
from quetzalcore.workloads.mag_survey.result import DepthSummary, GridProduct
from quetzalcore.workloads.mag_survey.target_finding import TargetSet

__all__ = ["write_depths", "write_grids", "write_stations", "write_targets"]


def write_grids(grids: Mapping[str, xr.DataArray], folder: Path) -> tuple[GridProduct, ...]:
    """Write each grid as a cloud-optimised GeoTIFF and all of them into one CF NetCDF file."""
    folder.mkdir()
    write_geotiffs({folder / f"{name}.tif": grid for name, grid in grids.items()})
    write_netcdf(grids, folder / "grids.nc")
    return tuple(
        GridProduct(
            name=name,
            artifact=f"grids/{name}.tif",
            unit=str(grid.attrs.get("units", "")),
            cell_size_m=float(np.diff(grid["easting"].to_numpy()[:2])[0]),
        )
        for name, grid in grids.items()
    )


def write_stations(raw: Survey, conditioned: Survey, path: Path) -> None:
    """Write every station; the reading as it came is channel ``raw_reading_nt``."""
    channels = {**conditioned.channels, "raw_reading_nt": raw.tmi_nt}
    write_survey_parquet(replace(conditioned, channels=MappingProxyType(channels)), path)


def write_depths(depths: DepthSet, folder: Path, crs: str | None) -> tuple[DepthSummary, ...]:
    """Write each method's points as Parquet and GeoPackage."""
    folder.mkdir()
    return tuple(_write_depth(table, folder, crs) for table in depths.tables)


def write_targets(found: TargetSet, folder: Path, crs: str | None) -> None:
    """Write the ranked targets as CSV and, with a CRS, as GeoJSON on WGS 84."""
    columns = _target_columns(found)
    write_points_csv(columns, folder / "targets.csv")
    if crs is not None:
        write_points_geojson(columns, folder / "targets.geojson", crs=crs)


def _write_depth(table: DepthTable, folder: Path, crs: str | None) -> DepthSummary:
    artifact = f"{table.name}.parquet"
    write_points_parquet(table.columns, folder / artifact)
    if crs is not None and len(table):
        write_points_geopackage(table.columns, folder / f"{table.name}.gpkg", crs=crs)
    return DepthSummary(
        method=table.name,
        solutions=len(table),
        artifact=f"depth/{artifact}",
        median_depth_m=float(np.median(table.columns["depth_m"])) if len(table) else None,
        reference=table.reference,
    )


def _target_columns(found: TargetSet) -> dict[str, np.ndarray]:
    drill = found.drill
    longitude = [place[0] for place in found.places]
    latitude = [place[1] for place in found.places]
    columns: dict[str, list[object]] = {
        "rank": [t.rank for t in drill],
        "easting_m": [t.easting_m for t in drill],
        "northing_m": [t.northing_m for t in drill],
        "longitude_deg": list(longitude),
        "latitude_deg": list(latitude),
        "ground_elevation_m": list(found.elevation_m),
        "depth_m": [t.depth_m for t in drill],
        "depth_shallow_m": [t.depth_interval_m[0] for t in drill],
        "depth_deep_m": [t.depth_interval_m[1] for t in drill],
        "depth_below": [t.anomaly.depth_reference for t in drill],
        "anomaly_nt": [t.anomaly_nt for t in drill],
        "source_class": [t.source_classes[0].name if t.source_classes else "" for t in drill],
        "class_probability_uncalibrated": [
            t.source_classes[0].probability if t.source_classes else float("nan") for t in drill
        ],
        "collar_easting_m": [t.collar.easting_m for t in drill],
        "collar_northing_m": [t.collar.northing_m for t in drill],
        "azimuth_grid_deg": [t.azimuth_deg for t in drill],
        "azimuth_true_deg": [(t.azimuth_deg + found.convergence_deg) % 360.0 for t in drill],
        "dip_deg": [t.dip_deg for t in drill],
        "hole_length_m": [t.hole_length_m for t in drill],
        "score": [t.score for t in drill],
        "reasons": ["; ".join(t.reasons) for t in drill],
    }
    return {name: np.array(values) for name, values in columns.items()}
