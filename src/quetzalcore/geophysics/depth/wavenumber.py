"""Depth and structural index from the local wavenumber (source parameter imaging)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.depth.ridges import ridge_cells
from quetzalcore.geophysics.grid import spacing_m
from quetzalcore.geophysics.spectral.operators import write_horizontal, write_radial
from quetzalcore.geophysics.spectral.prepared import PreparedGrid
from quetzalcore.vgpu import fast_kernel, for_slices, kernel

__all__ = ["SpiDepth", "local_wavenumber", "wavenumber_depth"]

Floats = NDArray[np.float64]
Reals = NDArray[Any]
_HALF = 3  # seven cells across a ridge
_FIELDS = 5
_MAX_INDEX = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpiDepth:
    """Depths along the crests of the local wavenumber; every array has shape (n,).

    Parameters
    ----------
    easting_m, northing_m : (n,) float64
        Crest cells, moved to the crest between cells.
    depth_m : (n,) float64
        Below the sensor, for the structural index that was assumed: ``(N + 1) / k``.
    uncertainty_m : (n,) float64
        From the misfit of the crest's shape (one standard deviation).
    free_depth_m : (n,) float64
        From the crest's width alone: no index is assumed.
    structural_index : (n,) float64
        The index at which the two depths agree: ``k free_depth - 1`` (0 contact, 1 thin dyke,
        2 horizontal cylinder).
    wavenumber_rad_m : (n,) float64
        Local wavenumber at the crest.
    """

    easting_m: Floats
    northing_m: Floats
    depth_m: Floats
    uncertainty_m: Floats
    free_depth_m: Floats
    structural_index: Floats
    wavenumber_rad_m: Floats

    def __len__(self) -> int:
        """Count the points."""
        return len(self.depth_m)


def local_wavenumber(prepared: PreparedGrid, *, smooth_m: float = 0.0) -> xr.DataArray:
    """Give the local wavenumber across sources: how fast the tilt turns, rad/m.

    ``|Ts Tsz - Tz Tss| / (Ts^2 + Tz^2)`` along the direction ``s`` of the gradient (on a crest, where
    the gradient vanishes, of the strongest curvature), from exact second derivatives, so that it is
    right on the crest of a dyke, where the tilt itself has a cusp.

    Parameters
    ----------
    prepared : PreparedGrid
        Anomaly, any direction of magnetization for long sources. NaN stays NaN.
    smooth_m : float
        Continued this much upward first (depths come out that much greater). 0 or more.

    Raises
    ------
    BadParameter
        If ``smooth_m`` is negative.

    References
    ----------
    Thurston, J. B. & Smith, R. S. (1997), Geophysics 62, 807-813.
    """
    if not smooth_m >= 0.0:
        raise BadParameter(f"smooth_m is {smooth_m}", hint="give 0 or more metres")
    base = _written(prepared, lambda p, out: write_radial(p, out, height_m=smooth_m))
    east = _written(base, lambda p, out: write_horizontal(p, out, easting=1.0, northing=0.0))
    north = _written(base, lambda p, out: write_horizontal(p, out, easting=0.0, northing=1.0))
    slope_northing, slope_easting = prepared.slopes
    tx = east.back(east.spectrum.copy()) + slope_easting
    ty, tz = north.back(north.spectrum.copy()) + slope_northing, _down(base)
    txx, txy, tyy = _along(east, 1.0, 0.0), _along(east, 0.0, 1.0), _along(north, 0.0, 1.0)
    txz, tyz = _down(east), _down(north)
    out = np.empty_like(tx)
    reach2 = (2.0 * max(prepared.cell_m)) ** 2
    for_slices(
        out.shape[0],
        lambda a, b: _wavenumber(tx, ty, tz, txx, txy, tyy, txz, tyz, out, reach2, a, b),
        min_slice=64,
    )
    return prepared.grid_of(
        out, name="local_wavenumber", unit="rad/m", long_name="local wavenumber"
    )


def _written(prepared: PreparedGrid, write: Any) -> PreparedGrid:  # noqa: ANN401 -- see the lambdas
    product = np.empty_like(prepared.spectrum)
    write(prepared, product)
    return replace(prepared, spectrum=product)


def _along(prepared: PreparedGrid, easting: float, northing: float) -> Reals:
    return prepared.apply(
        lambda out: write_horizontal(prepared, out, easting=easting, northing=northing)
    )


def _down(prepared: PreparedGrid) -> Reals:
    return prepared.apply(lambda out: write_radial(prepared, out, power=1))


def wavenumber_depth(
    wavenumber: xr.DataArray,
    *,
    structural_index: float = 0.0,
    smooth_m: float = 0.0,
    deepest_m: float = math.inf,
    largest_ratio: float = 0.2,
) -> SpiDepth:
    """Measure depths along the crests of the local wavenumber.

    Across a long source at depth ``h``, ``1 / k = (h^2 + x^2) / ((N + 1) h)``: a parabola is fitted
    to ``1 / k`` over the 7 x 7 cells around each crest cell, whose height and width give depth and index.

    Parameters
    ----------
    wavenumber : (rows, columns) xr.DataArray
        From :func:`local_wavenumber`, rad/m.
    structural_index : float
        0 contact, 1 thin dyke, 2 horizontal cylinder.
    smooth_m : float
        What :func:`local_wavenumber` was given; taken off the depths.
    deepest_m : float
        Deeper ones are left out.
    largest_ratio : float
        The largest uncertainty over depth that is kept.

    Raises
    ------
    BadParameter
        If an argument is out of range.

    References
    ----------
    Thurston, J. B. & Smith, R. S. (1997), Geophysics 62, 807-813. Smith, R. S., Thurston, J. B.,
    Dai, T.-F. & MacLeod, I. N. (1998), Geophysical Prospecting 46, 141-151.
    """
    if not (0.0 <= structural_index <= _MAX_INDEX and deepest_m > 0.0 and largest_ratio > 0.0):
        raise BadParameter(
            f"structural_index is {structural_index}, deepest_m {deepest_m}, "
            f"largest_ratio {largest_ratio}",
            hint="give an index of 0 to 2 and the others above 0",
        )
    cells_m = spacing_m(wavenumber)
    k = np.ascontiguousarray(wavenumber.to_numpy(), dtype=np.float64)
    row, column = np.nonzero(ridge_cells(k))
    inside = (row >= _HALF) & (row < k.shape[0] - _HALF)
    inside &= (column >= _HALF) & (column < k.shape[1] - _HALF)
    row, column = row[inside], column[inside]
    found = np.full((_FIELDS, len(row)), np.nan)
    for_slices(len(row), lambda a, b: _crests(k, row, column, cells_m, found, a, b), min_slice=256)
    x, y, height, width, misfit = found
    depth = (structural_index + 1.0) * height - smooth_m
    uncertainty = (structural_index + 1.0) * misfit
    keep = (depth > 0.0) & (depth <= deepest_m) & (uncertainty <= largest_ratio * depth)
    return SpiDepth(
        easting_m=(wavenumber["easting"].to_numpy()[column] + x)[keep],
        northing_m=(wavenumber["northing"].to_numpy()[row] + y)[keep],
        depth_m=depth[keep],
        uncertainty_m=uncertainty[keep],
        free_depth_m=width[keep] - smooth_m,
        structural_index=(width / height)[keep] - 1.0,
        wavenumber_rad_m=1.0 / height[keep],
    )


@kernel
def _moments(k: Floats, row: int, column: int) -> tuple[float, ...]:
    """Sum 1/k over 7 x 7 cells with weights 1, u, v, u^2, uv, v^2 and 1/k."""
    w, wx, wy, wxx, wxy, wyy, ww = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for v in range(-3, 4):
        for u in range(-3, 4):
            value = 1.0 / k[row + v, column + u]
            w += value
            wx += u * value
            wy += v * value
            wxx += u * u * value
            wxy += u * v * value
            wyy += v * v * value
            ww += value * value
    return w, wx, wy, wxx, wxy, wyy, ww


@kernel
def _crests(
    k: Floats,
    row: NDArray[np.intp],
    column: NDArray[np.intp],
    cells_m: tuple[float, float],
    found: Floats,
    start: int,
    stop: int,
) -> None:
    """Fit ``1 / k`` by a full quadratic over 7 x 7 cells (normal equations of that stencil).

    Writes the crest's offset (easting, northing), ``1 / k`` on it, the depth by the curvature
    across it and the root mean square misfit of ``1 / k``; NaN where there is no crest.
    """
    row_m, column_m = cells_m
    for n in range(start, stop):
        w, wx, wy, wxx, wxy, wyy, ww = _moments(k, row[n], column[n])
        both = (wxx + wyy - 8.0 * w) / 588.0
        difference = (wxx - wyy) / 588.0
        level = w / 49.0 - 4.0 * both
        d, f = 0.5 * (both + difference), 0.5 * (both - difference)
        bx, by, e = wx / 196.0, wy / 196.0, wxy / 784.0
        explained = level * w + bx * wx + by * wy + d * wxx + e * wxy + f * wyy
        bx, by, e = bx / column_m, by / row_m, e / (column_m * row_m)
        d, f = d / (column_m * column_m), f / (row_m * row_m)
        curvature = 0.5 * (d + f) + math.sqrt(0.25 * (d - f) ** 2 + 0.25 * e * e)
        angle = 0.5 * math.atan2(e, d - f)
        ex, ey = math.cos(angle), math.sin(angle)
        slope = bx * ex + by * ey
        if not curvature > 0.0:  # NaN too
            continue
        offset = -0.5 * slope / curvature
        height = level + 0.5 * slope * offset
        if height > 0.0 and abs(offset) <= 1.5 * max(row_m, column_m):
            found[0, n] = offset * ex
            found[1, n] = offset * ey
            found[2, n] = height
            found[3, n] = math.sqrt(height / curvature)
            found[4, n] = math.sqrt(max(ww - explained, 0.0) / 43.0)


@fast_kernel
def _wavenumber(
    tx: Reals,
    ty: Reals,
    tz: Reals,
    txx: Reals,
    txy: Reals,
    tyy: Reals,
    txz: Reals,
    tyz: Reals,
    out: Reals,
    reach2: float,
    start: int,
    stop: int,
) -> None:
    for j in range(start, stop):
        for i in range(out.shape[1]):
            east, north, down = tx[j, i], ty[j, i], tz[j, i]
            # across the source: along the gradient, or on a crest, where it vanishes, along the
            # strongest curvature
            xx = east * east + reach2 * (txx[j, i] ** 2 + txy[j, i] ** 2)
            yy = north * north + reach2 * (tyy[j, i] ** 2 + txy[j, i] ** 2)
            xy = east * north + reach2 * txy[j, i] * (txx[j, i] + tyy[j, i])
            angle = 0.5 * math.atan2(2.0 * xy, xx - yy)
            c, s = math.cos(angle), math.sin(angle)
            slope = c * east + s * north
            slope_down = c * txz[j, i] + s * tyz[j, i]
            bend = c * c * txx[j, i] + 2.0 * c * s * txy[j, i] + s * s * tyy[j, i]
            size = slope * slope + down * down
            out[j, i] = abs(slope * slope_down - down * bend) / size if size != 0.0 else 0.0
