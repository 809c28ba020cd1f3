"""Describe one outlined anomaly: size, body, depth, magnetisation, and how far to trust them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.targets.anomaly import (
    Anomaly,
    BodyShape,
    DepthEstimate,
    DepthMeaning,
    DepthSolutions,
)
from quetzalcore.geophysics.targets.body import FieldSample
from quetzalcore.geophysics.targets.depths import (
    below_reference,
    combine_depths,
    solutions_inside,
    spanning,
)
from quetzalcore.geophysics.targets.interpreting import Interpretation, interpret
from quetzalcore.geophysics.targets.magnetization import (
    Direction,
    direction_of,
    field_vector,
    polarity_of,
)
from quetzalcore.geophysics.targets.outline import (
    Frame,
    OutlineAxes,
    Region,
    outline_axes,
    region_polygon,
)
from quetzalcore.geophysics.targets.scale_space import Blob

__all__ = ["Setting", "Window", "describe", "take_window"]

Floats = NDArray[np.float64]
Grid = NDArray[np.floating]
_POINTS = 300  # of the field, for one fit: enough for eleven unknowns
_FEWEST_POINTS = 24
_MODEL_ERROR = 0.003  # of the amplitude: no body is a ball or a block to better than this
_WIDTH_OVER_DEPTH = 1.5  # of an outline, between a compact source and a thin sheet
# Compact bodies are seldom upright blocks along their outline, and tops suffer most from that.
_LEAST_SIGMA = {BodyShape.BLOCK: 0.25, BodyShape.PIPE: 0.25}  # of the depth of the top
_HALF_WIDTH_SIGMA = 0.35  # the half-width rule knows a depth to about a third
_RATIOS = (1.0, 5.0, 25.0)  # susceptibility over amplitude / field: low, middle, high; see below


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """What every anomaly of one survey shares."""

    frame: Frame
    tmi_nt: Grid
    rtp_nt: Grid
    inclination_deg: float
    declination_deg: float
    field_nt: float
    noise_nt: float
    sensor_height_m: float
    depth_reference: str
    depth_solutions: tuple[DepthSolutions, ...]

    @property
    def field(self) -> Floats:
        """Unit vector of the main field (easting, northing, upward)."""
        return field_vector(self.inclination_deg, self.declination_deg)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """The field around one outline, without other anomalies' cells.

    ``owner`` says for the whole grid which candidate took each cell; this one is ``number``.
    """

    easting_m: Floats
    northing_m: Floats
    tmi_nt: Floats
    rtp_nt: Floats
    stride: int
    owner: NDArray[np.int32]
    number: int

    @property
    def amplitude_nt(self) -> float:
        """Highest minus lowest total field, nT."""
        return float(np.ptp(self.tmi_nt))


def describe(
    blob: Blob, region: Region, window: Window, setting: Setting, *, number: int
) -> Anomaly:
    """Describe one outlined blob from the field around it."""
    axes = outline_axes(region, setting.frame)
    body = interpret(axes, _sample(window, setting), field=setting.field, field_nt=setting.field_nt)
    if body is not None and _is_elsewhere(body, region, window, setting.frame):
        body = None
    direction = None if body is None else direction_of(body.fit, setting.field)
    estimates = _depths(axes, body, setting)
    depth, own = combine_depths(estimates)
    interval = spanning(own, _rival_depth(body))
    low, high = _swing(window)
    least_si, susceptibility_si, most_si = _susceptibility(body, window, setting)
    return Anomaly(
        id=number,
        polarity=polarity_of(direction, high, low),
        shape=BodyShape.UNRESOLVED if body is None else body.shape,
        easting_m=axes.easting_m + (0.0 if body is None else float(body.fit.point[0])),
        northing_m=axes.northing_m + (0.0 if body is None else float(body.fit.point[1])),
        amplitude_nt=window.amplitude_nt,
        outline=_outline(region, setting.frame),
        area_m2=axes.area_m2,
        length_m=axes.length_m,
        width_m=axes.width_m,
        strike_deg=axes.strike_deg,
        source_width_m=_or_nan(body, "width_m"),
        source_length_m=_or_nan(body, "length_m"),
        depth_m=below_reference(depth, sensor_height_m=setting.sensor_height_m),
        depth_interval_m=(
            below_reference(interval[0], sensor_height_m=setting.sensor_height_m),
            below_reference(interval[1], sensor_height_m=setting.sensor_height_m),
        ),
        depth_reference=setting.depth_reference,
        depth_methods=estimates,
        susceptibility_si=susceptibility_si,
        susceptibility_interval_si=(least_si, most_si),
        magnetization_inclination_deg=_or_nan(direction, "inclination_deg"),
        magnetization_declination_deg=_or_nan(direction, "declination_deg"),
        remanence_angle_deg=_or_nan(direction, "angle_deg"),
        remanence_angle_sigma_deg=_or_nan(direction, "angle_sigma_deg"),
        fit=0.0 if body is None else body.fit.explained,
        scale_m=blob.sigma_cells * setting.frame.cell_m,
        culture=False,
        reasons=_reasons(region, body, direction),
        cut_by=region.truncated,
    )


def _susceptibility(
    body: Interpretation | None, window: Window, setting: Setting
) -> tuple[float, float, float]:
    """Give the apparent susceptibility: low end, middle, high end.

    Without a body the amplitude alone bounds it: a uniformly magnetised body's field nowhere
    changes by more than its magnetisation, and one as deep as wide shows a fifth of it or less.
    """
    if body is not None:
        low, high = body.susceptibility_interval_si
        return low, body.susceptibility_si, high
    least, middle, most = (r * window.amplitude_nt / setting.field_nt for r in _RATIOS)
    return least, middle, most


def _sample(window: Window, setting: Setting) -> FieldSample:
    return FieldSample(
        easting_m=window.easting_m,
        northing_m=window.northing_m,
        tmi_nt=window.tmi_nt,
        spacing_m=setting.frame.cell_m * window.stride,
        noise_nt=max(setting.noise_nt, _MODEL_ERROR * window.amplitude_nt),
    )


def _is_elsewhere(body: Interpretation, region: Region, window: Window, frame: Frame) -> bool:
    """Tell whether the fit found another anomaly's source: it lies in that one's outline."""
    row = round(region.centre_row + float(body.fit.point[1]) / frame.north_m)
    column = round(region.centre_column + float(body.fit.point[0]) / frame.east_m)
    n, m = window.owner.shape
    if not (0 <= row < n and 0 <= column < m):
        return True
    return int(window.owner[row, column]) not in {0, window.number}


def _swing(window: Window) -> tuple[float, float]:
    """Return how far the reduced field falls below and rises above its median, both positive."""
    base = float(np.median(window.rtp_nt))
    return base - float(window.rtp_nt.min()), float(window.rtp_nt.max()) - base


def _outline(region: Region, frame: Frame) -> tuple[tuple[float, float], ...]:
    corners = region_polygon(region)
    eastings = frame.easting_m + corners[:, 1] * frame.east_m
    northings = frame.northing_m + corners[:, 0] * frame.north_m
    return tuple(zip(eastings.tolist(), northings.tolist(), strict=True))


def take_window(
    region: Region, setting: Setting, owner: NDArray[np.int32], number: int
) -> Window | None:
    """Take the field in the outline's box, padded by its width; None where there is too little."""
    rows, columns = np.nonzero(region.mask)
    pad = max(4, round(region.width_cells))
    n, m = owner.shape
    top, bottom = max(0, region.row0 + rows.min() - pad), min(n, region.row0 + rows.max() + pad + 1)
    left = max(0, region.column0 + columns.min() - pad)
    right = min(m, region.column0 + columns.max() + pad + 1)
    stride = max(1, int(np.sqrt((bottom - top) * (right - left) / _POINTS)))
    pick = (slice(top, bottom, stride), slice(left, right, stride))
    tmi, rtp, owned = setting.tmi_nt[pick], setting.rtp_nt[pick], owner[pick]
    keep = np.isfinite(tmi) & np.isfinite(rtp) & ((owned == 0) | (owned == number))
    if np.count_nonzero(keep) < _FEWEST_POINTS:
        return None
    row, column = np.mgrid[pick]
    return Window(
        easting_m=((column - region.centre_column) * setting.frame.east_m)[keep],
        northing_m=((row - region.centre_row) * setting.frame.north_m)[keep],
        tmi_nt=tmi[keep].astype(np.float64),
        rtp_nt=rtp[keep].astype(np.float64),
        stride=stride,
        owner=owner,
        number=number,
    )


def _depths(
    axes: OutlineAxes, body: Interpretation | None, setting: Setting
) -> tuple[DepthEstimate, ...]:
    handed_in = solutions_inside(
        [each for each in setting.depth_solutions if _speaks_of(each, body)],
        centre_m=(axes.easting_m, axes.northing_m),
        reach_m=max(0.5 * axes.width_m, setting.frame.cell_m),
    )
    if body is not None:
        least = _LEAST_SIGMA.get(body.shape, 0.0) * body.fit.depth_m
        own = DepthEstimate(
            method=f"fit of a {body.shape}",
            depth_m=body.fit.depth_m,
            sigma_m=max(body.fit.depth_sigma_m, least),
        )
    else:
        half_width = axes.width_m / _WIDTH_OVER_DEPTH
        own = DepthEstimate(
            method="half width", depth_m=half_width, sigma_m=_HALF_WIDTH_SIGMA * half_width
        )
    return (own, *handed_in)


def _rival_depth(body: Interpretation | None) -> DepthEstimate | None:
    if body is None or body.rival_depth_m is None:
        return None
    depth_m, sigma_m = body.rival_depth_m
    return DepthEstimate(method="the other body", depth_m=depth_m, sigma_m=sigma_m)


def _speaks_of(solutions: DepthSolutions, body: Interpretation | None) -> bool:
    """Tell whether depths are measured to what the body's own depth is measured to."""
    if body is None or solutions.meaning is None:
        return True
    centred = body.shape is BodyShape.BALL
    return (solutions.meaning is DepthMeaning.CENTRE) == centred


def _or_nan(part: Direction | Interpretation | None, name: str) -> float:
    return float("nan") if part is None else float(getattr(part, name))


def _reasons(
    region: Region, body: Interpretation | None, direction: Direction | None
) -> tuple[str, ...]:
    said = []
    if body is None:
        said.append(
            "no simple body of its own explains the field: depth is from the outline's width, "
            "apparent susceptibility from the amplitude alone"
        )
    else:
        said.append(f"a {body.shape} explains {100 * body.fit.explained:.0f} % of the field here")
    if body is not None and body.shape is BodyShape.BALL:
        said.append(
            "depth is to the centre: the top is shallower, and the field does not tell the size"
        )
    if body is not None and body.rival_depth_m is not None:
        said.append(
            "a ball and a block explain the field about equally well: the interval spans both depths"
        )
    if direction is not None and not direction.resolved:
        said.append("the direction of magnetisation is not resolved")
    if region.truncated:
        said.append(f"the outline reaches the {region.truncated}")
    return tuple(said)
