"""First derivatives on the grid's axes, and what is made of them: amplitudes, tilt, theta."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.geophysics.spectral.angles import (
    central_gradient,
    cosine_theta,
    length,
    tilt_angle,
)
from quetzalcore.geophysics.spectral.operators import write_horizontal, write_radial
from quetzalcore.geophysics.spectral.prepared import PreparedGrid

__all__ = [
    "Gradient",
    "analytic_signal",
    "derivative_easting",
    "derivative_northing",
    "derivative_upward",
    "gradient",
    "theta_map",
    "tilt",
    "tilt_gradient",
    "total_horizontal_derivative",
]

Reals = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gradient:
    """The three first derivatives of one grid, (rows, columns), unit of the grid per metre.

    ``upward`` is the derivative along increasing height: over a source that makes a high it is
    negative. Most of the literature's "vertical derivative" is its opposite.
    """

    easting: Reals
    northing: Reals
    upward: Reals


def gradient(prepared: PreparedGrid) -> Gradient:
    """Compute the three derivatives that the products below share; three inverse transforms."""
    slope_northing, slope_easting = prepared.slopes
    easting = prepared.apply(lambda out: write_horizontal(prepared, out, easting=1.0, northing=0.0))
    northing = prepared.apply(
        lambda out: write_horizontal(prepared, out, easting=0.0, northing=1.0)
    )
    if slope_easting:
        easting += easting.dtype.type(slope_easting)
    if slope_northing:
        northing += northing.dtype.type(slope_northing)
    upward = prepared.apply(lambda out: write_radial(prepared, out, scale=-1.0, power=1))
    return Gradient(easting=easting, northing=northing, upward=upward)


def derivative_easting(prepared: PreparedGrid) -> xr.DataArray:
    """Give the derivative along increasing easting, nT/m; NaN where the grid is NaN."""
    values = prepared.apply(lambda out: write_horizontal(prepared, out, easting=1.0, northing=0.0))
    values += values.dtype.type(prepared.slopes[1])
    return prepared.grid_of(values, name="dx", unit="nT/m", long_name="derivative along easting")


def derivative_northing(prepared: PreparedGrid) -> xr.DataArray:
    """Give the derivative along increasing northing, nT/m; NaN where the grid is NaN."""
    values = prepared.apply(lambda out: write_horizontal(prepared, out, easting=0.0, northing=1.0))
    values += values.dtype.type(prepared.slopes[0])
    return prepared.grid_of(values, name="dy", unit="nT/m", long_name="derivative along northing")


def derivative_upward(prepared: PreparedGrid) -> xr.DataArray:
    """Give the derivative along increasing height, nT/m: ``-|k|``; NaN where the grid is NaN.

    Over a source that makes a high it is negative; negate it for the "first vertical derivative"
    of most maps.
    """
    values = prepared.apply(lambda out: write_radial(prepared, out, scale=-1.0, power=1))
    return prepared.grid_of(values, name="dz", unit="nT/m", long_name="derivative upward")


def total_horizontal_derivative(
    prepared: PreparedGrid, *, shared: Gradient | None = None
) -> xr.DataArray:
    """Give the length of the horizontal gradient, nT/m; highest over edges of reduced grids.

    Parameters
    ----------
    prepared : PreparedGrid
        The grid. NaN stays NaN.
    shared : Gradient, optional
        What :func:`gradient` gave for the same grid, to save its transforms; in the four functions
        below too.
    """
    g = gradient(prepared) if shared is None else shared
    return prepared.grid_of(
        length(g.easting, g.northing, None),
        name="thd",
        unit="nT/m",
        long_name="total horizontal derivative",
    )


def analytic_signal(prepared: PreparedGrid, *, shared: Gradient | None = None) -> xr.DataArray:
    """Give the length of the whole gradient (total gradient amplitude), nT/m.

    Highest over sources and little affected by the direction of magnetization (not at all in two
    dimensions). Parameters as above.

    References
    ----------
    Roest, W. R., Verhoef, J. & Pilkington, M. (1992), Geophysics 57, 116-125.
    """
    g = gradient(prepared) if shared is None else shared
    return prepared.grid_of(
        length(g.easting, g.northing, g.upward),
        name="analytic_signal",
        unit="nT/m",
        long_name="analytic signal amplitude",
    )


def tilt(prepared: PreparedGrid, *, shared: Gradient | None = None) -> xr.DataArray:
    """Give the tilt: the angle of the gradient over the horizontal, degrees, -90 to 90.

    ``atan2(-upward derivative, total horizontal derivative)``: positive over a source that makes a
    high, zero over its edges where they are vertical and the grid is reduced to the pole; zero
    where the gradient is. Parameters as above.

    References
    ----------
    Miller, H. G. & Singh, V. (1994), Journal of Applied Geophysics 32, 213-217.
    """
    g = gradient(prepared) if shared is None else shared
    return prepared.grid_of(
        tilt_angle(g.easting, g.northing, g.upward), name="tilt", unit="degree", long_name="tilt"
    )


def tilt_gradient(prepared: PreparedGrid, *, shared: Gradient | None = None) -> xr.DataArray:
    """Give the length of the horizontal gradient of the tilt, rad/m (central differences).

    NaN where the grid is, and beside it. Parameters as above.

    References
    ----------
    Verduzco, B., Fairhead, J. D., Green, C. M. & MacKenzie, C. (2004), The Leading Edge 23, 116-119.
    """
    g = gradient(prepared) if shared is None else shared
    angle = tilt_angle(g.easting, g.northing, g.upward)
    angle *= angle.dtype.type(np.pi / 180.0)
    return prepared.grid_of(
        central_gradient(angle, *prepared.cell_m),
        name="hd_tdr",
        unit="rad/m",
        long_name="horizontal gradient of the tilt",
    )


def theta_map(prepared: PreparedGrid, *, shared: Gradient | None = None) -> xr.DataArray:
    """Give ``cos(theta)``, total horizontal derivative over analytic signal, 0 to 1.

    1 over edges, whatever their amplitude; NaN where the gradient is zero. Parameters as above.

    References
    ----------
    Wijns, C., Perez, C. & Kowalczyk, P. (2005), Geophysics 70, L39-L43.
    """
    g = gradient(prepared) if shared is None else shared
    return prepared.grid_of(
        cosine_theta(g.easting, g.northing, g.upward),
        name="theta",
        unit="1",
        long_name="cosine of theta",
    )
