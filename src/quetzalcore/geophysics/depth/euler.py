"""Euler deconvolution of a whole grid at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.depth.ridges import ridge_cells
from quetzalcore.geophysics.depth.windows import Acceptance, solve_windows
from quetzalcore.geophysics.grid import spacing_m
from quetzalcore.geophysics.spectral.angles import length

__all__ = ["EulerCentres", "EulerSolutions", "EulerTolerance", "euler"]

Floats = NDArray[np.float64]
Reals = NDArray[Any]
Bools = NDArray[np.bool_]
_MIN_WINDOW = 3
_MAX_INDEX = 3.0


class EulerCentres(StrEnum):
    """Which windows are solved."""

    MAXIMA = "maxima"  # centred on peaks and ridges of the analytic signal
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class EulerTolerance:
    """Which solutions are kept; see :func:`euler`.

    Parameters
    ----------
    relative_uncertainty : float
        The largest standard deviation of depth over depth.
    reach_windows : float
        The largest horizontal distance from the window's centre, in half window widths.
    shallowest_m, deepest_windows : float
        The least depth below the sensor, metres; the greatest, in window widths.
    """

    relative_uncertainty: float = 0.05
    reach_windows: float = 1.0
    shallowest_m: float = 0.0
    deepest_windows: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EulerSolutions:
    """Source positions, one a window; every array has shape (n,).

    Parameters
    ----------
    easting_m, northing_m : (n,) float64
        On the grid's axes.
    depth_m : (n,) float64
        Below the sensor's plane, positive down.
    base_level_nt : (n,) float64
        The constant background that was solved for, nT; NaN for structural index 0, where it is
        not defined.
    structural_index : (n,) float64
        The one that was used, or chosen.
    uncertainty_m : (n,) float64
        Standard deviation of the depth by the window's own misfit. Neighbouring cells are not
        independent: it ranks solutions, and is too small as an error bar.
    horizontal_uncertainty_m : (n,) float64
        The same for the position: the root of the two variances' sum.
    quality : (n,) float64
        0 to 1: the share of the window's variance that the source explains.
    window_row, window_column : (n,) int32
        The window's centre.
    window_cells : int
        The window's width.
    """

    easting_m: Floats
    northing_m: Floats
    depth_m: Floats
    base_level_nt: Floats
    structural_index: Floats
    uncertainty_m: Floats
    horizontal_uncertainty_m: Floats
    quality: Floats
    window_row: NDArray[np.int32]
    window_column: NDArray[np.int32]
    window_cells: int

    def __len__(self) -> int:
        """Count the solutions."""
        return len(self.depth_m)

    def select(self, keep: Bools | NDArray[np.intp]) -> EulerSolutions:
        """Return the solutions that ``keep`` names, (n,) bool or (k,) indices."""
        return EulerSolutions(
            easting_m=self.easting_m[keep],
            northing_m=self.northing_m[keep],
            depth_m=self.depth_m[keep],
            base_level_nt=self.base_level_nt[keep],
            structural_index=self.structural_index[keep],
            uncertainty_m=self.uncertainty_m[keep],
            horizontal_uncertainty_m=self.horizontal_uncertainty_m[keep],
            quality=self.quality[keep],
            window_row=self.window_row[keep],
            window_column=self.window_column[keep],
            window_cells=self.window_cells,
        )


def euler(
    tmi: xr.DataArray,
    easting_derivative: xr.DataArray,
    northing_derivative: xr.DataArray,
    upward_derivative: xr.DataArray,
    *,
    structural_index: float | Sequence[float] = (0.0, 1.0, 2.0, 3.0),
    window_cells: int = 15,
    centres: EulerCentres = EulerCentres.MAXIMA,
    tolerance: EulerTolerance | None = EulerTolerance(),
    continued_m: float = 0.0,
) -> EulerSolutions:
    """Locate sources by Euler's homogeneity equation in moving windows.

    In each window ``(x - x0) dT/dx + (y - y0) dT/dy + (z - z0) dT/dz = N (B - T)`` is solved for
    the source (x0, y0, z0) and the base level ``B`` by least squares, for every structural index
    ``N`` at once: the normal equations do not depend on ``N``, and the solution is linear in it.

    Parameters
    ----------
    tmi : (rows, columns) xr.DataArray
        Anomaly, nT (not reduced to the pole, or reduced: both are homogeneous).
    easting_derivative, northing_derivative, upward_derivative : (rows, columns) xr.DataArray
        nT/m, on the same axes; the last along increasing **height**.
    structural_index : float or sequence of float
        0 contact, 1 thin dyke or sill edge, 2 pipe or horizontal cylinder, 3 sphere or dipole.
        With several, each window takes the one for which the windows around it (a quarter of a
        window to every side) agree best on the depth: the smallest scatter over their mean.
        A window's own misfit says little: it favours high indices as soon as there is noise.
    window_cells : int
        Width of the square window, odd, 3 or more. It should be about as wide as the source is
        deep, or wider, and hold one source.
    centres : EulerCentres
        All windows, or those on peaks and ridges of the analytic signal.
    tolerance : EulerTolerance, optional
        What is kept; None keeps every window that can be solved. Its depths count from the plane of
        the grids.
    continued_m : float
        How far above the sensor's plane the grids were continued, metres; it is taken off the depths.
        White noise in the derivatives of finely sampled fields makes every depth too shallow: a
        continuation by a few cells, or a tenth of the depth, takes that away.

    Returns
    -------
    EulerSolutions
        In the order of the windows, south to north and west to east. Windows that touch a NaN are
        left out, and so are windows whose equations are singular.

    Raises
    ------
    BadParameter
        If shapes differ, the window does not fit, an index is outside 0 to 3, or ``continued_m`` is
        negative.

    References
    ----------
    Reid, A. B., Allsop, J. M., Granser, H., Millett, A. J. & Somerton, I. W. (1990), Geophysics 55,
    80-91. Thompson, D. T. (1982), Geophysics 47, 31-37.
    """
    grids = (tmi, easting_derivative, northing_derivative, upward_derivative)
    cells_m = spacing_m(tmi)
    indices = _indices(structural_index)
    _check(grids, window_cells)
    if not continued_m >= 0.0:
        raise BadParameter(f"continued_m is {continued_m}", hint="give a height of 0 or more")
    field, de, dn, du = (np.ascontiguousarray(g.to_numpy(), dtype=np.float64) for g in grids)
    located = centres is EulerCentres.MAXIMA
    chosen = ridge_cells(length(de, dn, du)) if located else None
    width_m = window_cells * min(cells_m)
    found = solve_windows(
        (field, de, dn, du),
        cells_m,
        half=window_cells // 2,
        indices=indices,
        chosen=chosen,
        acceptance=_acceptance(tolerance, width_m),
    )
    easting, northing = tmi["easting"].to_numpy(), tmi["northing"].to_numpy()
    row, column = found[8].astype(np.int32), found[9].astype(np.int32)
    return EulerSolutions(
        easting_m=easting[column] + found[0],
        northing_m=northing[row] + found[1],
        depth_m=found[2] - continued_m,
        base_level_nt=found[3],
        structural_index=found[4],
        uncertainty_m=found[5],
        horizontal_uncertainty_m=found[6],
        quality=found[7],
        window_row=row,
        window_column=column,
        window_cells=window_cells,
    )


def _acceptance(tolerance: EulerTolerance | None, width_m: float) -> Acceptance:
    if tolerance is None:
        return Acceptance(np.inf, np.inf, -np.inf, np.inf)
    return Acceptance(
        tolerance.relative_uncertainty,
        0.5 * tolerance.reach_windows * width_m,
        tolerance.shallowest_m,
        tolerance.deepest_windows * width_m,
    )


def _indices(structural_index: float | Sequence[float]) -> Floats:
    indices = np.atleast_1d(np.asarray(structural_index, dtype=np.float64))
    if not (len(indices) and (indices >= 0.0).all() and (indices <= _MAX_INDEX).all()):
        raise BadParameter(
            f"the structural index is {structural_index}", hint="give one or more of 0 to 3"
        )
    return indices


def _check(grids: tuple[xr.DataArray, ...], window_cells: int) -> None:
    shapes = {g.shape for g in grids}
    if len(shapes) > 1:
        raise BadParameter(
            f"the grids' shapes are {sorted(shapes)}", hint="give derivatives of the same grid"
        )
    smallest = min(grids[0].shape)
    if window_cells < _MIN_WINDOW or window_cells % 2 == 0 or window_cells > smallest:
        raise BadParameter(
            f"window_cells is {window_cells} for a grid of {grids[0].shape}",
            hint=f"give an odd number from {_MIN_WINDOW} to {smallest}",
        )
