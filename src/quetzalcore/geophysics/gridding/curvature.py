"""Minimum curvature with tension: the smoothest surface that honours scattered points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import xarray as xr

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.grid import make_grid
from quetzalcore.geophysics.gridding.axes import MIN_NODES, grid_axes
from quetzalcore.geophysics.gridding.blanking import blank
from quetzalcore.geophysics.gridding.blocks import BlockMedian, block_median
from quetzalcore.geophysics.gridding.conjugate import solve
from quetzalcore.geophysics.gridding.multigrid import Points
from quetzalcore.geophysics.gridding.sampling import sample_nodes
from quetzalcore.geophysics.survey import Bools, Floats

__all__ = ["Gridded", "minimum_curvature"]

_TRUST = 24.0  # weight of a squared misfit against bending, for each reading in the block ...
_LEAST_TRUST, _MOST_TRUST = 96.0, 256.0  # ... but never softer (a lone reading) or harder than this
_MAX_CYCLES = 200
_LEAST_POINTS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gridded:
    """A grid and how it came about.

    Parameters
    ----------
    grid : xarray.DataArray
        The surface; NaN where it was blanked.
    cycles : int
        Multigrid cycles (iterations of conjugate gradients).
    residual : float
        Norm of the normal equations' residual over that of their right side, at the end.
    change_nt : float
        Largest change of any node in the last cycle, in the values' unit.
    misfit_rms_nt : float
        Root mean square of block medians minus the surface at their positions.
    points_used, points_dropped, blocks : int
        Points inside the grid with a value; all others; cells that held points.
    """

    grid: xr.DataArray
    cycles: int
    residual: float
    change_nt: float
    misfit_rms_nt: float
    points_used: int
    points_dropped: int
    blocks: int


def minimum_curvature(
    easting_m: Floats,
    northing_m: Floats,
    values_nt: Floats,
    *,
    cell_size_m: float | None = None,
    axes: tuple[Floats, Floats] | None = None,
    region: tuple[float, float, float, float] | None = None,
    tension: float = 0.0,
    weights: Floats | None = None,
    blank_distance_m: float | None = None,
    tolerance: float = 2e-5,
    name: str = "tmi",
    unit: str = "nT",
    crs: str | None = None,
) -> Gridded:
    """Grid scattered points by minimum curvature with tension.

    Points are reduced to block medians (:func:`block_median`, of departures from the best plane); then the surface minimises

    (1 - T) * bending + T * membrane energy + sum of W * misfit squared

    on unit cells, free at the edges, where the misfit is taken at each block's true position by
    cubic interpolation and W is 24 for each reading in the block, held between 96 and 256. With T = 0
    planes are reproduced exactly.

    Parameters
    ----------
    easting_m, northing_m : (n,) float64
        Positions, metres.
    values_nt : (n,) float64
        Values in ``unit``. NaN, and positions that are not finite, are dropped and counted.
    cell_size_m : float, optional
        Distance between nodes, metres: lays the axes around the points or the region.
    axes : (easting, northing), optional
        The axes themselves, even and increasing, metres. One of ``cell_size_m`` and ``axes``.
    region : (west, east, south, north), optional
        With ``cell_size_m``: what to grid, metres, widened to whole cells. Points outside are dropped.
    tension : float
        T, from 0 (minimum curvature) to 1 (a membrane).
    weights : (n,) float64, optional
        Relative trust in each point; points whose weight is not positive are dropped.
    blank_distance_m : float, optional
        Nodes farther than this from every point become NaN.
    tolerance : float
        Stop when no node changes by more than this fraction of the values' standard deviation.
    name, unit, crs : str
        For the grid's attributes.

    Returns
    -------
    Gridded

    Raises
    ------
    BadParameter
        If the tension, the tolerance or the axes are out of range.
    BadSurvey
        If fewer than three points are usable.

    References
    ----------
    Briggs, I. C. (1974), Machine contouring using minimum curvature, Geophysics 39, 39-48.
    Smith, W. H. F., and P. Wessel (1990), Gridding with continuous curvature splines in tension,
    Geophysics 55, 293-305.
    """
    _check(tension, tolerance)
    usable = _usable(easting_m, northing_m, values_nt, weights)
    if not usable.all():
        easting_m, northing_m, values_nt = (a[usable] for a in (easting_m, northing_m, values_nt))
        weights = None if weights is None else weights[usable]
    east, north = _axes(easting_m, northing_m, cell_size_m, axes, region)
    trend = _Plane.through(easting_m, northing_m, values_nt)
    blocks = block_median(
        easting_m,
        northing_m,
        values_nt - trend.at(easting_m, northing_m),
        easting_axis_m=east,
        northing_axis_m=north,
        weights=weights,
    )
    if len(blocks.values) < _LEAST_POINTS:
        raise BadSurvey(
            f"{len(blocks.values)} cells of the grid hold points and a surface needs {_LEAST_POINTS}",
            hint="check the region, the cell size and the columns of position and value",
        )
    values = blocks.values + trend.at(blocks.easting_m, blocks.northing_m)
    datum = float(np.median(values))
    points = _points(blocks, east, north, weighted=weights is not None)
    solution = solve(
        (len(north), len(east)),
        points,
        values - datum,
        tension=tension,
        stop_change=tolerance * float(np.std(values)),
        max_cycles=_MAX_CYCLES,
    )
    grid = make_grid(solution.nodes + datum, east, north, name=name, unit=unit, crs=crs)
    misfit = values - sample_nodes(grid, blocks.easting_m, blocks.northing_m)
    if blank_distance_m is not None:
        grid = blank(grid, easting_m, northing_m, distance_m=blank_distance_m)
    used = int(blocks.count.sum())
    return Gridded(
        grid=grid,
        cycles=solution.cycles,
        residual=solution.residual,
        change_nt=solution.change,
        misfit_rms_nt=float(np.sqrt(np.mean(misfit**2))),
        points_used=used,
        points_dropped=len(usable) - used,
        blocks=len(blocks.values),
    )


def _check(tension: float, tolerance: float) -> None:
    if not 0.0 <= tension <= 1.0:
        raise BadParameter(f"tension is {tension}", hint="give a tension from 0 to 1")
    if not 0.0 < tolerance < 1.0:
        raise BadParameter(f"tolerance is {tolerance}", hint="give a tolerance such as 1e-5")


def _usable(
    easting_m: Floats, northing_m: Floats, values_nt: Floats, weights: Floats | None
) -> Bools:
    usable = np.isfinite(easting_m) & np.isfinite(northing_m) & np.isfinite(values_nt)
    if weights is not None:
        usable &= weights > 0
    if int(usable.sum()) < _LEAST_POINTS:
        raise BadSurvey(
            f"{int(usable.sum())} of {len(usable)} points have a position and a value",
            hint=f"a surface needs at least {_LEAST_POINTS}: check the columns and the dropped rows",
        )
    return np.asarray(usable)


def _axes(
    easting_m: Floats,
    northing_m: Floats,
    cell_size_m: float | None,
    axes: tuple[Floats, Floats] | None,
    region: tuple[float, float, float, float] | None,
) -> tuple[Floats, Floats]:
    if (axes is None) == (cell_size_m is None):
        raise BadParameter("the grid is not defined", hint="give either cell_size_m or axes")
    if axes is not None:
        if min(len(axis) for axis in axes) < MIN_NODES:
            raise BadParameter(
                f"the axes have {len(axes[0])} and {len(axes[1])} nodes",
                hint=f"give at least {MIN_NODES} nodes along each",
            )
        return axes
    if region is not None:
        easting_m, northing_m = np.array(region[:2]), np.array(region[2:])
    return grid_axes(easting_m, northing_m, cell_size_m=float(cell_size_m or 0.0))


def _points(blocks: BlockMedian, east: Floats, north: Floats, *, weighted: bool) -> Points:
    """Return the blocks in cells from the first node, with the weight of their misfits."""
    trust = np.clip(_TRUST * blocks.count, _LEAST_TRUST, _MOST_TRUST)
    if weighted:
        each = blocks.weight / blocks.count
        trust *= each / float(each.mean())
    return Points(
        y=(blocks.northing_m - north[0]) / ((north[-1] - north[0]) / (len(north) - 1)),
        x=(blocks.easting_m - east[0]) / ((east[-1] - east[0]) / (len(east) - 1)),
        trust=trust,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plane:
    """The least-squares plane: medians are of departures from it, so that slopes do not bias them."""

    centre: tuple[float, float, float]
    slope: tuple[float, float]

    @classmethod
    def through(cls, easting_m: Floats, northing_m: Floats, values: Floats) -> Self:
        x0, y0, v0 = (float(a.mean()) for a in (easting_m, northing_m, values))
        x, y = easting_m - x0, northing_m - y0
        normal = np.array([[x @ x, x @ y], [x @ y, y @ y]])
        right = np.array([x @ values, y @ values]) - v0 * np.array([x.sum(), y.sum()])
        slope = np.linalg.lstsq(normal, right, rcond=1e-12)[0]
        return cls(centre=(x0, y0, v0), slope=(float(slope[0]), float(slope[1])))

    def at(self, easting_m: Floats, northing_m: Floats) -> Floats:
        x0, y0, v0 = self.centre
        return v0 + self.slope[0] * (easting_m - x0) + self.slope[1] * (northing_m - y0)
