"""Describe one outlined anomaly: size, body, depth, magnetisation, and how far to trust them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.geophysics.grid import spacing_m
from quetzalcore.geophysics.targets.anomaly import (
    Anomaly,
    BodyShape,
    DepthEstimate,
    DepthSolutions,
)
from quetzalcore.geophysics.targets.body import BodyFit, FieldSample, fit_body
from quetzalcore.geophysics.targets.depths import (
    below_reference,
    combine_depths,
    solutions_inside,
)
from quetzalcore.geophysics.targets.magnetization import (
    Direction,
    apparent_susceptibility,
    direction_of,
    field_vector,
    polarity_of,
    source_size,
)
from quetzalcore.geophysics.targets.outline import Region, region_polygon
from quetzalcore.geophysics.targets.scale_space import Blob

__all__ = ["Setting", "describe"]

Floats = NDArray[np.float64]
_ELONGATED = 2.2  # length over width of the outline from which a body along strike is fitted
_POINTS = 500  # of the field, for one fit: enough for nine unknowns
_FEWEST_POINTS = 24
_GOOD_FIT = 0.6
_WIDTH_OVER_DEPTH = 1.5  # first guess of depth from the outline's width
_HALF_WIDTH_SIGMA = 0.35  # the half-width rule knows a depth to about a third
_NAN2 = (float("nan"), float("nan"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """What every anomaly of one survey shares."""

    tmi: xr.DataArray
    rtp: xr.DataArray
    inclination_deg: float
    declination_deg: float
    field_nt: float
    sensor_height_m: float
    depth_reference: str
    depth_solutions: tuple[DepthSolutions, ...]

    @property
    def field(self) -> Floats:
        """Unit vector of the main field (easting, northing, upward)."""
        return field_vector(self.inclination_deg, self.declination_deg)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Axes:
    """The outline in metres."""

    easting_m: float
    northing_m: float
    length_m: float
    width_m: float
    strike_deg: float
    area_m2: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Window:
    """The field around one outline, other anomalies' cells left out."""

    easting_m: Floats
    northing_m: Floats
    tmi_nt: Floats
    rtp_nt: Floats
    stride: int


def describe(
    blob: Blob, region: Region, setting: Setting, *, owner: NDArray[np.int32], number: int
) -> Anomaly | None:
    """Describe candidate ``number``, whose cells ``owner`` marks; None where there is no field."""
    axes = _axes(region, setting.tmi)
    window = _window(region, setting, owner, number)
    if len(window.tmi_nt) < _FEWEST_POINTS:
        return None
    fit = _best_fit(axes, window, setting)
    good = fit is not None and fit.explained >= _GOOD_FIT
    direction = direction_of(fit, setting.field) if fit is not None and good else None
    estimates = _depths(axes, fit if good else None, setting)
    depth, (shallow, deep) = combine_depths(estimates) or (float("nan"), _NAN2)
    shape = fit.shape if fit is not None and good else BodyShape.UNRESOLVED
    width, length, resolved = source_size(
        shape, width_m=axes.width_m, length_m=axes.length_m, depth_m=depth
    )
    chi, interval = float("nan"), _NAN2
    if fit is not None and good:
        chi, interval = apparent_susceptibility(
            fit, width_m=width, length_m=length, resolved=resolved, field_nt=setting.field_nt
        )
    centre = (fit.easting_m, fit.northing_m) if fit is not None and good else (0.0, 0.0)
    base = float(np.median(window.rtp_nt))
    height = setting.sensor_height_m
    return Anomaly(
        id=number,
        polarity=polarity_of(
            direction, float(window.rtp_nt.max()) - base, base - float(window.rtp_nt.min())
        ),
        shape=shape,
        easting_m=axes.easting_m + centre[0],
        northing_m=axes.northing_m + centre[1],
        amplitude_nt=float(np.ptp(window.tmi_nt)),
        outline=_outline(region, setting.tmi),
        area_m2=axes.area_m2,
        length_m=axes.length_m,
        width_m=axes.width_m,
        strike_deg=axes.strike_deg,
        source_width_m=width,
        source_length_m=length,
        depth_m=below_reference(depth, sensor_height_m=height),
        depth_interval_m=(
            below_reference(shallow, sensor_height_m=height),
            below_reference(deep, sensor_height_m=height),
        ),
        depth_reference=setting.depth_reference,
        depth_methods=estimates,
        susceptibility_si=chi,
        susceptibility_interval_si=interval,
        magnetization_inclination_deg=_or_nan(direction, "inclination_deg"),
        magnetization_declination_deg=_or_nan(direction, "declination_deg"),
        remanence_angle_deg=_or_nan(direction, "angle_deg"),
        remanence_angle_sigma_deg=_or_nan(direction, "angle_sigma_deg"),
        fit=max(fit.explained, 0.0) if fit is not None else 0.0,
        scale_m=blob.sigma_cells * _cell_m(setting.tmi),
        culture=False,
        reasons=_reasons(region, fit, direction, resolved=resolved, good=good),
    )


def _cell_m(grid: xr.DataArray) -> float:
    north, east = spacing_m(grid)
    return float(np.sqrt(north * east))


def _axes(region: Region, grid: xr.DataArray) -> _Axes:
    north, east = spacing_m(grid)
    cell = _cell_m(grid)
    return _Axes(
        easting_m=float(grid["easting"][0]) + region.centre_column * east,
        northing_m=float(grid["northing"][0]) + region.centre_row * north,
        length_m=region.length_cells * cell,
        width_m=region.width_cells * cell,
        strike_deg=float(np.degrees(region.strike_rad)) % 180.0,
        area_m2=float(np.count_nonzero(region.mask)) * north * east,
    )


def _outline(region: Region, grid: xr.DataArray) -> tuple[tuple[float, float], ...]:
    north, east = spacing_m(grid)
    corners = region_polygon(region)
    eastings = float(grid["easting"][0]) + corners[:, 1] * east
    northings = float(grid["northing"][0]) + corners[:, 0] * north
    return tuple(zip(eastings.tolist(), northings.tolist(), strict=True))


def _window(region: Region, setting: Setting, owner: NDArray[np.int32], number: int) -> _Window:
    """Take the field in the outline's box, padded by its width; local metres from its centre."""
    rows, columns = np.nonzero(region.mask)
    pad = max(4, round(region.width_cells))
    n, m = owner.shape
    top, bottom = max(0, region.row0 + rows.min() - pad), min(n, region.row0 + rows.max() + pad + 1)
    left = max(0, region.column0 + columns.min() - pad)
    right = min(m, region.column0 + columns.max() + pad + 1)
    stride = max(1, int(np.sqrt((bottom - top) * (right - left) / _POINTS)))
    pick = (slice(top, bottom, stride), slice(left, right, stride))
    tmi = setting.tmi.to_numpy()[pick]
    rtp = setting.rtp.to_numpy()[pick]
    owned = owner[pick]
    keep = np.isfinite(tmi) & np.isfinite(rtp) & ((owned == 0) | (owned == number))
    north, east = spacing_m(setting.tmi)
    row, column = np.mgrid[pick]
    return _Window(
        easting_m=((column - region.centre_column) * east)[keep],
        northing_m=((row - region.centre_row) * north)[keep],
        tmi_nt=tmi[keep].astype(np.float64),
        rtp_nt=rtp[keep].astype(np.float64),
        stride=stride,
    )


def _best_fit(axes: _Axes, window: _Window, setting: Setting) -> BodyFit | None:
    """Fit the two bodies that the outline allows, and keep the one that explains more."""
    long = axes.length_m > _ELONGATED * axes.width_m
    shapes = (BodyShape.LINE, BodyShape.SHEET) if long else (BodyShape.BALL, BodyShape.PIPE)
    sample = FieldSample(
        easting_m=window.easting_m,
        northing_m=window.northing_m,
        tmi_nt=window.tmi_nt,
        spacing_m=_cell_m(setting.tmi) * window.stride,
    )
    guess = max(axes.width_m / _WIDTH_OVER_DEPTH, 0.5 * _cell_m(setting.tmi))
    fits = [
        fit
        for shape in shapes
        if (
            fit := fit_body(
                shape,
                sample,
                start_m=(0.0, 0.0, guess),
                field=setting.field,
                length_m=axes.length_m if long else 0.0,
                strike_deg=axes.strike_deg,
            )
        )
        is not None
    ]
    return max(fits, key=lambda fit: fit.explained, default=None)


def _depths(axes: _Axes, fit: BodyFit | None, setting: Setting) -> tuple[DepthEstimate, ...]:
    handed_in = solutions_inside(
        setting.depth_solutions,
        centre_m=(axes.easting_m, axes.northing_m),
        reach_m=max(0.5 * axes.width_m, _cell_m(setting.tmi)),
    )
    if fit is not None:
        own = DepthEstimate(
            method=f"fit of a {fit.shape}", depth_m=fit.depth_m, sigma_m=fit.depth_sigma_m
        )
    else:
        half_width = axes.width_m / _WIDTH_OVER_DEPTH
        own = DepthEstimate(
            method="half width", depth_m=half_width, sigma_m=_HALF_WIDTH_SIGMA * half_width
        )
    return (own, *handed_in)


def _or_nan(direction: Direction | None, name: str) -> float:
    return float("nan") if direction is None else float(getattr(direction, name))


def _reasons(
    region: Region,
    fit: BodyFit | None,
    direction: Direction | None,
    *,
    resolved: bool,
    good: bool,
) -> tuple[str, ...]:
    said = []
    if fit is not None and good:
        said.append(f"a {fit.shape} explains {100 * fit.explained:.0f} % of the field around it")
    else:
        said.append("no simple body explains the field: depth is from the outline's width")
    if direction is not None and not direction.resolved:
        said.append("the direction of magnetisation is not resolved")
    if not resolved:
        said.append("the width is an upper bound, and susceptibility a lower one")
    if region.truncated:
        said.append(f"the outline reaches the {region.truncated}")
    return tuple(said)
