"""Equivalent sources: points of 1/r under the survey that reproduce it, for uneven heights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.spatial
import xarray as xr

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.grid import make_grid
from quetzalcore.geophysics.gridding.potential import (
    Tiling,
    far_spectrum,
    inverse_distance_sum,
    make_tiling,
    pair_matrix,
)
from quetzalcore.geophysics.survey import Floats, Ints
from quetzalcore.vgpu import map_threads

__all__ = ["EquivalentSources", "SourceLayer", "fit_equivalent_sources"]

_LEAST_POINTS = 4
_PER_TILE = 80  # sources of one tile; a window has four tiles
_SETTLED = 1e-4  # a layer is done when a cycle gains less than this fraction
_COARSENING = 2.0  # spacing and depth of one layer over those of the next


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceLayer:
    """Sources of one depth: positions (k, 3) easting, northing, upward in metres; strength (k,) nT m."""

    positions_m: Floats
    strength: Floats
    tiling: Tiling


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EquivalentSources:
    """A harmonic field above its sources, fitted to a survey.

    Parameters
    ----------
    layers : tuple of SourceLayer
        From deep and coarse to shallow and fine.
    datum_nt : float
        Constant that was taken off before the fit and is given back by :meth:`predict`.
    fit_rms_nt : float
        Root mean square of the survey minus the prediction at its points.
    points_used, points_dropped : int
        Points with a position and a value; all others.
    """

    layers: tuple[SourceLayer, ...]
    datum_nt: float
    fit_rms_nt: float
    points_used: int
    points_dropped: int

    def predict(self, easting_m: Floats, northing_m: Floats, upward_m: Floats | float) -> Floats:
        """Evaluate the field.

        Parameters
        ----------
        easting_m, northing_m : (n,) float64
            Positions, metres.
        upward_m : (n,) float64 or float
            Heights on the survey's own datum, metres; at or above the survey: between it and the
            sources the field is an extrapolation towards them.

        Returns
        -------
        (n,) float64
            nT; NaN where the position is not finite.
        """
        targets = np.column_stack(np.broadcast_arrays(easting_m, northing_m, upward_m)).astype(
            float
        )
        known = np.isfinite(targets).all(axis=1)
        values = np.full(len(targets), np.nan)
        if known.any():
            values[known] = self.datum_nt + _field(self.layers, targets[known])
        return values

    def predict_grid(
        self,
        easting_axis_m: Floats,
        northing_axis_m: Floats,
        upward_m: Floats | float,
        *,
        name: str = "tmi",
        unit: str = "nT",
        crs: str | None = None,
    ) -> xr.DataArray:
        """Evaluate the field on the nodes of a grid: a plane (float) or a draped surface (rows, columns)."""
        shape = (len(northing_axis_m), len(easting_axis_m))
        north, east = np.meshgrid(northing_axis_m, easting_axis_m, indexing="ij")
        height = np.broadcast_to(upward_m, shape)
        values = self.predict(east.ravel(), north.ravel(), height.ravel()).reshape(shape)
        return make_grid(values, easting_axis_m, northing_axis_m, name=name, unit=unit, crs=crs)


def fit_equivalent_sources(
    easting_m: Floats,
    northing_m: Floats,
    upward_m: Floats,
    values_nt: Floats,
    *,
    depth_m: float | None = None,
    block_size_m: float | None = None,
    damping: float = 1e-4,
    layers: int = 5,
    cycles: int = 14,
) -> EquivalentSources:
    """Fit sources of 1/r under the survey, coarse to fine, by gradient boosting in windows.

    Parameters
    ----------
    easting_m, northing_m, upward_m : (n,) float64
        Sensor positions, metres; heights on any one datum.
    values_nt : (n,) float64
        Anomaly, nT. Rows where anything is not finite are dropped and counted.
    depth_m : float, optional
        Depth of the finest layer below the survey, metres. Default: the line spacing as the points show
        it.
    block_size_m : float, optional
        Spacing of the finest layer's sources, metres. Default: half of ``depth_m``.
    damping : float
        Weight of the squared strengths, relative to the mean squared sensitivity.
    layers : int
        Each layer is twice as coarse and as deep as the next.
    cycles : int
        Iterations of conjugate gradients per layer.

    Returns
    -------
    EquivalentSources

    Raises
    ------
    BadSurvey
        If fewer than four points are usable.
    BadParameter
        If a size is not positive, or the damping too small to solve a window.

    References
    ----------
    Cordell, L. (1992), A scattered equivalent-source method for interpolation and gridding of
    potential-field data in three dimensions, Geophysics 57, 629-636.
    Soler, S. R., and L. Uieda (2021), Gradient-boosted equivalent sources, Geophys. J. Int. 227,
    1768-1783.
    """
    data = np.column_stack([easting_m, northing_m, upward_m, values_nt]).astype(np.float64)
    usable = np.isfinite(data).all(axis=1)
    used = data[usable]
    if len(used) < _LEAST_POINTS:
        raise BadSurvey(
            f"{len(used)} of {len(data)} points have a position, a height and a value",
            hint=f"equivalent sources need at least {_LEAST_POINTS}: check the columns",
        )
    depth = _line_spacing_m(used) if depth_m is None else depth_m
    block = depth / 2.0 if block_size_m is None else block_size_m
    if not (depth > 0 and block > 0 and damping > 0 and layers > 0 and cycles > 0):
        raise BadParameter(
            f"depth {depth} m, blocks of {block} m, damping {damping}, {layers} layers, {cycles} cycles",
            hint="give positive values",
        )
    datum = float(np.median(used[:, 3]))
    used[:, 3] -= datum
    fitted: list[SourceLayer] = []
    rest = _block_means(used, block / 2.0)
    for power in range(layers - 1, -1, -1):
        factor = _COARSENING**power
        layer = _fit_layer(rest, block * factor, depth * factor, damping, cycles)
        rest[:, 3] -= _field((layer,), rest[:, :3])
        fitted.append(layer)
    misfit = used[:, 3] - _field(tuple(fitted), used[:, :3])
    return EquivalentSources(
        layers=tuple(fitted),
        datum_nt=datum,
        fit_rms_nt=float(np.sqrt(np.mean(misfit**2))),
        points_used=len(used),
        points_dropped=len(data) - len(used),
    )


def _field(layers: tuple[SourceLayer, ...], targets: Floats) -> Floats:
    total = np.zeros(len(targets))
    for layer in layers:
        total += inverse_distance_sum(layer.tiling, layer.positions_m, layer.strength, targets)
    return total


def _line_spacing_m(data: Floats) -> float:
    """Estimate the spacing of lines: covered area over the length of lines (points times neighbour distance)."""
    tree = scipy.spatial.cKDTree(data[:, :2], balanced_tree=False, compact_nodes=False)
    some = data[:: max(1, len(data) // 2000), :2]
    near, _ = tree.query(some, k=2)
    station = float(np.median(near[:, 1][near[:, 1] > 0])) if (near[:, 1] > 0).any() else 1.0
    extent = np.ptp(data[:, :2], axis=0)
    cell = max(float(extent.max()) / 50.0, 4.0 * station)
    covered = len(np.unique(np.floor(data[:, :2] / cell), axis=0)) * cell**2
    return max(covered / (len(data) * station), station)


def _block_means(data: Floats, block_m: float) -> Floats:
    """Average the rows (easting, northing, upward, value) of each block."""
    keys = np.floor((data[:, 1] - data[:, 1].min()) / block_m).astype(np.int64) << 32
    keys += np.floor((data[:, 0] - data[:, 0].min()) / block_m).astype(np.int64)
    _, group = np.unique(keys, return_inverse=True)
    count = np.bincount(group)
    return np.column_stack([np.bincount(group, column) / count for column in data.T])


def _fit_layer(
    rest: Floats, block_m: float, depth_m: float, damping: float, cycles: int
) -> SourceLayer:
    """Fit one layer to what the layers before have left."""
    data = _block_means(rest, block_m / 2.0)
    sources = _block_means(data, block_m)[:, :3]
    sources[:, 2] -= depth_m
    extent = np.ptp(data[:, :2], axis=0) + block_m
    covered = len(sources) * block_m * block_m
    size = math.sqrt(_PER_TILE / len(sources) * max(covered, float(extent.prod()) * 0.5))
    size = max(size, 2.0 * depth_m, 2.0 * float(np.ptp(data[:, 2])))
    tiling = make_tiling(data[:, 0], data[:, 1], size_m=size)
    strength = _damped_least_squares(tiling, data, sources, damping, cycles)
    return SourceLayer(positions_m=sources, strength=strength, tiling=tiling)


def _damped_least_squares(
    tiling: Tiling, data: Floats, sources: Floats, damping: float, cycles: int
) -> Floats:
    """Minimise |A m - d|^2 + mu |m|^2 by conjugate gradients, preconditioned by windows."""
    windows = _windows(tiling, data, sources)
    normals = map_threads(lambda w: _normal_matrix(data[w[0], :3], sources[w[1]]), windows)
    ridge = damping * float(np.mean([np.mean(np.diag(normal)) for normal in normals]))
    factors = map_threads(lambda normal: _cholesky(normal, ridge), normals)
    del normals
    far = far_spectrum(tiling, sources, data)
    back = far.transposed()
    strength = np.zeros(len(sources))
    misfit = data[:, 3].copy()
    objective = float(misfit @ misfit)
    direction, power = np.zeros(len(sources)), np.inf
    for _ in range(cycles):
        slope = inverse_distance_sum(tiling, data[:, :3], misfit, sources, back) - ridge * strength
        lift = _solve_windows(windows, factors, slope)
        previous, power = power, float(slope @ lift)
        if not power > 0.0:
            break
        direction = lift + (power / previous) * direction
        image = inverse_distance_sum(tiling, sources, direction, data[:, :3], far)
        length = power / (float(image @ image) + ridge * float(direction @ direction))
        moved, left = strength + length * direction, misfit - length * image
        now = float(left @ left) + ridge * float(moved @ moved)
        if now > objective:  # far sums are in single precision: rounding would take over
            break
        settled = now > (1.0 - _SETTLED) * objective
        strength, misfit, objective = moved, left, now
        if settled:
            break
    return strength


Window = tuple[Ints, Ints]  # rows of data, rows of sources


def _windows(tiling: Tiling, data: Floats, sources: Floats) -> list[Window]:
    """List every 2 x 2 tiles as a window: each tile lies in four."""
    rows, columns = tiling.shape
    of_data = _members(tiling, data)
    of_sources = _members(tiling, sources)
    windows = []
    for r in range(-1, rows):
        for c in range(-1, columns):
            inside = _gather(of_sources, tiling.shape, (r, r + 2), (c, c + 2))
            if len(inside):
                seen = _gather(of_data, tiling.shape, (r - 1, r + 3), (c - 1, c + 3))
                windows.append((seen, inside))
    return windows


def _gather(
    members: list[Ints], shape: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> Ints:
    """Join the members of a rectangle of tiles, as far as it lies inside the tiling."""
    west, east = max(columns[0], 0), min(columns[1], shape[1])
    inside = range(max(rows[0], 0), min(rows[1], shape[0]))
    return np.concatenate(
        [m for r in inside for m in members[r * shape[1] + west : r * shape[1] + east]]
    )


def _members(tiling: Tiling, points: Floats) -> list[Ints]:
    tile = tiling.number(points[:, 0], points[:, 1])
    order = np.argsort(tile, kind="stable")
    count = tiling.shape[0] * tiling.shape[1]
    edges = np.searchsorted(tile[order], np.arange(1, count))
    return np.split(order, edges)


def _normal_matrix(data: Floats, sources: Floats) -> Floats:
    """Return the upper triangle of A'A: half the work of the product."""
    pairs = pair_matrix(data, sources)
    return np.asarray(scipy.linalg.blas.dsyrk(1.0, pairs.T))


def _cholesky(normal: Floats, ridge: float) -> Floats:
    normal.flat[:: len(normal) + 1] += ridge
    try:
        factor, _ = scipy.linalg.cho_factor(normal, lower=False, overwrite_a=True)
    except np.linalg.LinAlgError as error:
        raise BadParameter(
            "the damping is too small for sources this deep and this close",
            hint="raise damping or block_size_m, or lower depth_m",
        ) from error
    return np.asarray(factor)


def _solve_windows(windows: list[Window], factors: list[Floats], right: Floats) -> Floats:
    """Sum the windows' own solutions for the sources inside them."""
    solved = map_threads(
        lambda pair: scipy.linalg.cho_solve((pair[1], False), right[pair[0][1]]),
        zip(windows, factors, strict=True),
    )
    total = np.zeros(len(right))
    for (_, inside), part in zip(windows, solved, strict=True):
        total[inside] += part
    return total
