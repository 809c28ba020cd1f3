"""Lines to a grid, and the grid to its transforms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics import gridding, spectral
from quetzalcore.geophysics.survey import Floats, Survey
from quetzalcore.vgpu import CpuDevice
from quetzalcore.workloads.mag_survey.config import GridConfig, TransformConfig
from quetzalcore.workloads.mag_survey.record import Outcome, StageRecord
from quetzalcore.workloads.mag_survey.scene import Scene
from quetzalcore.workloads.mag_survey.surroundings import MainField

__all__ = ["GridPoints", "TransformSet", "lines_to_grid", "transform_grid"]

_PANELS_FROM_DEG = 2.0  # of change over the area: below it one operator is right everywhere
_BLANK_LINES = 1.5
_FEWEST_CELLS = 3
_UPWARD_CELLS = 4.0
_REGIONAL_CELLS = 40.0
_PLANE_PERCENTILE = 99.0  # above (nearly) every sensor: below it the field would be extrapolated

_OF_FIELD = ("upward", "dx", "dy", "dz", "thd", "analytic_signal", "pseudogravity", "rte")
_OF_POLE = ("tilt", "hd_tdr", "theta")
_WORKED_ON = frozenset({"dx", "dy", "dz", "residual", "analytic_signal", "tilt"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GridPoints:
    """What the gridder is given: (k,) stations, and (n - k,) values that gradients add beside them.

    ``height_m`` is of the stations alone, (k,).
    """

    easting_m: Floats
    northing_m: Floats
    tmi_nt: Floats
    height_m: Floats | None
    weights: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TransformSet:
    """The grids by name, and what later stages take from them."""

    grids: dict[str, xr.DataArray]
    prepared: spectral.PreparedGrid
    spectrum: spectral.RadialSpectrum
    segments: tuple[spectral.DepthSegment, ...]


def lines_to_grid(
    scene: Scene, points: GridPoints, config: GridConfig
) -> tuple[xr.DataArray, StageRecord]:
    """Grid the conditioned readings; cells far from data are blank.

    Raises
    ------
    UserMistake
        If the cell size makes a grid that no memory holds, or equivalent sources lack heights.
    """
    survey, spacing = scene.survey, scene.quality.line_spacing_m
    cell = config.cell_size_m or gridding.default_cell_size(
        spacing, scene.quality.station_spacing_m
    )
    _refuse_coarse(points, cell)
    blank_m = config.blank_distance_m or _BLANK_LINES * max(spacing, cell)
    axes = gridding.grid_axes(points.easting_m, points.northing_m, cell_size_m=cell)
    if config.method == "equivalent-sources":
        grid, details = _equivalent_sources(points, axes, blank_m, survey.crs)
    else:
        grid, details = _minimum_curvature(survey, points, axes, config, blank_m)
    record = StageRecord(
        stage="gridding",
        outcome=Outcome.DONE,
        parameters={
            "method": config.method,
            "cell_size_m": cell,
            "blank_distance_m": blank_m,
            "rows": grid.shape[0],
            "columns": grid.shape[1],
            **details,
        },
    )
    grid.attrs["long_name"] = "total magnetic intensity anomaly"
    return grid, record


def _refuse_coarse(points: GridPoints, cell_m: float) -> None:
    extent_m = float(max(np.ptp(points.easting_m), np.ptp(points.northing_m)))
    if _FEWEST_CELLS * cell_m > extent_m:
        raise BadParameter(
            f"cells of {cell_m:,.6g} m are too large for a survey of {extent_m:,.6g} m",
            hint="give a smaller --cell-size, a quarter of the line spacing for example",
        )


def _minimum_curvature(
    survey: Survey,
    points: GridPoints,
    axes: tuple[Floats, Floats],
    config: GridConfig,
    blank_m: float,
) -> tuple[xr.DataArray, dict[str, object]]:
    made = gridding.minimum_curvature(
        points.easting_m,
        points.northing_m,
        points.tmi_nt,
        axes=axes,
        tension=config.tension,
        weights=points.weights,
        blank_distance_m=blank_m,
        crs=survey.crs,
    )
    return made.grid, {
        "tension": config.tension,
        "cycles": made.cycles,
        "largest_last_change_nt": made.change_nt,
    }


def _equivalent_sources(
    points: GridPoints, axes: tuple[Floats, Floats], blank_m: float, crs: str | None
) -> tuple[xr.DataArray, dict[str, object]]:
    if points.height_m is None:
        raise BadSurvey(
            "equivalent sources need the sensor's height and the survey has none",
            hint="name the height column with --column height=NAME, or grid by minimum curvature",
        )
    stations = len(points.height_m)
    fitted = gridding.fit_equivalent_sources(
        points.easting_m[:stations],
        points.northing_m[:stations],
        points.height_m,
        points.tmi_nt[:stations],
    )
    level = float(np.nanpercentile(points.height_m, _PLANE_PERCENTILE))
    grid = fitted.predict_grid(*axes, upward_m=level, crs=crs)
    blanked = gridding.blank(grid, points.easting_m, points.northing_m, distance_m=blank_m)
    return blanked, {"plane_height_m": level, "fit_rms_nt": fitted.fit_rms_nt}


def transform_grid(
    tmi: xr.DataArray, field: MainField, config: TransformConfig
) -> tuple[TransformSet, StageRecord]:
    """Make every transform on one padded FFT; products of the pole come from the reduced field."""
    cell = float(np.diff(tmi["easting"].to_numpy()[:2])[0])
    upward_m = config.upward_m or _UPWARD_CELLS * cell
    regional_m = config.regional_m or _REGIONAL_CELLS * cell
    prepared = spectral.prepare(tmi, device=CpuDevice())
    direction = spectral.FieldDirection(
        inclination_deg=field.inclination_deg, declination_deg=field.grid_declination_deg
    )
    grids = {"tmi": tmi}
    grids |= _lean(spectral.transform(prepared, _OF_FIELD, field=direction, height_m=upward_m))
    grids |= _lean(spectral.transform(prepared, ("regional", "residual"), height_m=regional_m))
    at_pole = spectral.at_pole(prepared, direction.inclination_deg, direction.declination_deg)
    panels = field.spread_deg > _PANELS_FROM_DEG
    if panels:
        grids["rtp"] = spectral.reduce_to_pole_panels(tmi, field.direction_at)
    else:
        grids |= spectral.transform(prepared, ("rtp",), field=direction)
    grids |= _lean(spectral.transform(at_pole, _OF_POLE))
    spectrum = spectral.radial_power_spectrum(prepared)
    record = StageRecord(
        stage="transforms",
        outcome=Outcome.DONE,
        parameters={
            "inclination_deg": round(field.inclination_deg, 3),
            "declination_deg": round(field.declination_deg, 3),
            "convergence_deg": round(field.convergence_deg, 3),
            "field_direction_from": field.source,
            "field_direction_spread_deg": round(field.spread_deg, 3),
            "pole_in_panels": panels,
            "upward_m": upward_m,
            "regional_m": regional_m,
        },
    )
    made = TransformSet(
        grids=grids,
        prepared=prepared,
        spectrum=spectrum,
        segments=tuple(spectral.spectral_depth(spectrum)),
    )
    return made, record


def _lean(grids: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Keep what is only drawn and written in float32, as the files hold it: half the memory."""
    return {
        name: grid if name in _WORKED_ON else grid.astype(np.float32)
        for name, grid in grids.items()
    }
