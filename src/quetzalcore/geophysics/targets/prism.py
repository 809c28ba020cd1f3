"""The total field of an upright rectangular prism for unit magnetisation along each axis."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quetzalcore.vgpu import kernel

__all__ = ["prism_fields"]

Floats = NDArray[np.float64]
MU0_OVER_4PI_NT = 100.0  # nT per (A/m) of a dimensionless tensor
_TINY_M = 1e-9  # keeps a corner straight below a sensor from dividing zero by zero


def prism_fields(
    across_m: Floats,
    along_m: Floats,
    *,
    depth_m: float,
    width_m: float,
    length_m: float,
    height_m: float,
    field: Floats,
) -> Floats:
    """Return the total field, (k, 3) nT, of magnetisation 1 A/m along (across, along, upward).

    Parameters
    ----------
    across_m, along_m : (k,) float64
        Sensors in the prism's own frame, from its centre: across and along its length.
    depth_m : float
        From the sensors' plane to the top, positive.
    width_m, length_m, height_m : float
        Of the prism, metres.
    field : (3,) float64
        Unit vector of the main field in the same frame.

    Notes
    -----
    The second derivatives of 1/r integrated over the prism (Bhattacharyya 1964): arctangents on the
    diagonal, logarithms off it. The logarithms of the eight corners are taken as one of a ratio.

    References
    ----------
    Bhattacharyya, B. K. (1964). Magnetic anomalies due to prism-shaped bodies with arbitrary
    polarization. Geophysics, 29(4), 517-531.
    """
    out = np.empty((len(across_m), 3))
    size = np.array([0.5 * width_m, 0.5 * length_m, -depth_m, -depth_m - height_m])
    _fields(across_m, along_m, size, field, out)
    return out


@kernel
def _fields(across: Floats, along: Floats, size: Floats, field: Floats, out: Floats) -> None:
    for point in range(len(across)):
        xx = yy = 0.0
        xy_up = xy_down = xz_up = xz_down = yz_up = yz_down = 1.0
        for i in range(2):
            x = (2 * i - 1) * size[0] - across[point]
            if x == 0.0:
                x = _TINY_M
            for j in range(2):
                y = (2 * j - 1) * size[1] - along[point]
                if y == 0.0:
                    y = _TINY_M
                for k in range(2):
                    z = size[3 - k]
                    r = math.sqrt(x * x + y * y + z * z)
                    if (i + j + k) % 2 == 1:  # upper corners of an odd number of axes count plus
                        xx -= math.atan(y * z / (x * r))
                        yy -= math.atan(x * z / (y * r))
                        xy_up *= r - z
                        xz_up *= r + y
                        yz_up *= r + x
                    else:
                        xx += math.atan(y * z / (x * r))
                        yy += math.atan(x * z / (y * r))
                        xy_down *= r - z
                        xz_down *= r + y
                        yz_down *= r + x
        xy = -math.log(xy_up / xy_down)
        xz = math.log(xz_up / xz_down)
        yz = math.log(yz_up / yz_down)
        out[point, 0] = MU0_OVER_4PI_NT * (xx * field[0] + xy * field[1] + xz * field[2])
        out[point, 1] = MU0_OVER_4PI_NT * (xy * field[0] + yy * field[1] + yz * field[2])
        out[point, 2] = MU0_OVER_4PI_NT * (xz * field[0] + yz * field[1] - (xx + yy) * field[2])
