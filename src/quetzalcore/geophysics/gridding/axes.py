"""The axes of a grid: how large a cell is, and where the nodes stand."""

from __future__ import annotations

import math

import numpy as np

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.survey import Floats

__all__ = ["MIN_NODES", "default_cell_size", "grid_axes"]

MIN_NODES = 4  # the support of cubic interpolation
_MAX_NODES = 400_000_000  # 3.2 GB of float64: beyond it the cell size is a slip of the pen
_ROUND_STEPS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.5, 8.0, 10.0)


def default_cell_size(line_spacing_m: float, station_spacing_m: float | None = None) -> float:
    """Choose a cell size: a quarter of the line spacing, rounded down to a round number.

    Parameters
    ----------
    line_spacing_m : float
        Distance between neighbouring lines, metres.
    station_spacing_m : float, optional
        Distance between neighbouring stations on a line, metres. A cell is never smaller than
        that: there would be nothing between the stations to show.

    Returns
    -------
    float
        Cell size, metres.

    Raises
    ------
    BadParameter
        If a spacing is not a positive number.
    """
    station_m = 0.0 if station_spacing_m is None else station_spacing_m
    if not (math.isfinite(line_spacing_m) and line_spacing_m > 0 and 0 <= station_m < math.inf):
        raise BadParameter(
            f"line spacing {line_spacing_m} m and station spacing {station_spacing_m} m make no cell",
            hint="give positive spacings in metres",
        )
    wanted = max(line_spacing_m / 4.0, station_m)
    decade = 10.0 ** math.floor(math.log10(wanted))
    tolerance = 1.0 + 1e-9
    steps = [step for step in _ROUND_STEPS if step * decade <= wanted * tolerance]
    return max(steps, default=1.0) * decade


def grid_axes(
    easting_m: Floats, northing_m: Floats, *, cell_size_m: float, margin_cells: int = 0
) -> tuple[Floats, Floats]:
    """Lay nodes on whole multiples of the cell size so that they enclose every point.

    Parameters
    ----------
    easting_m, northing_m : (n,) array
        Positions, metres. Positions that are not finite are left out.
    cell_size_m : float
        Distance between nodes, metres.
    margin_cells : int
        Further nodes on every side.

    Returns
    -------
    easting_m, northing_m : (m,), (k,) float64
        Increasing axes with at least four nodes each.

    Raises
    ------
    BadParameter
        If the cell size is not positive or so small that the grid would not fit in memory.
    BadSurvey
        If no position is finite.
    """
    if not (math.isfinite(cell_size_m) and cell_size_m > 0) or margin_cells < 0:
        raise BadParameter(
            f"cell size {cell_size_m} m with a margin of {margin_cells} cells makes no grid",
            hint="give a positive cell size in metres and a margin of 0 or more",
        )
    known = np.isfinite(easting_m) & np.isfinite(northing_m)
    if not known.any():
        raise BadSurvey("no position is finite", hint="check the columns of easting and northing")
    spans = [_span(axis[known], cell_size_m, margin_cells) for axis in (easting_m, northing_m)]
    nodes = math.prod(last - first + 1 for first, last in spans)
    if nodes > _MAX_NODES:
        raise BadParameter(
            f"cells of {cell_size_m} m would make a grid of {nodes:,} nodes",
            hint="give a larger cell size, or check that positions are metres, not degrees",
        )
    east, north = (
        np.arange(first, last + 1, dtype=np.float64) * cell_size_m for first, last in spans
    )
    return east, north


def _span(positions_m: Floats, cell_size_m: float, margin_cells: int) -> tuple[int, int]:
    """Return the first and last node's number along one axis."""
    first = math.floor(float(positions_m.min()) / cell_size_m) - margin_cells
    last = math.ceil(float(positions_m.max()) / cell_size_m) + margin_cells
    missing = max(0, MIN_NODES - (last - first + 1))
    return first - missing // 2, last + missing - missing // 2
