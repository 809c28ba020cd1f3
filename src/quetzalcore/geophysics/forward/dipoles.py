"""The field of point dipoles, and of uniformly magnetised spheres, which are dipoles from outside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quetzalcore.geophysics.forward.columns import Precision, points, vectors
from quetzalcore.geophysics.forward.direction import direction
from quetzalcore.vgpu import CpuDevice, Device, PairFunction
from quetzalcore.vgpu.arithmetic import scalar

__all__ = ["dipole_field", "dipole_tmi", "sphere_moment"]

Array = NDArray[np.float64]
Real = Any  # np.float64 or np.float32

_NT_PER_SI = 100.0  # mu0 / (4 pi) in nT per (A/m^2): 1e-7 T
_MU0 = 4e-7 * np.pi
_AXES = (0, 1, 2, None, None, None)


@scalar
def _field_pair(
    e0: Real, n0: Real, u0: Real, e1: Real, n1: Real, u1: Real, me: Real, mn: Real, mu: Real
) -> tuple[Real, Real, Real]:
    """Return 3 (m.r) r / r^5 - m / r^3."""
    e = e0 - e1
    n = n0 - n1
    u = u0 - u1
    square = e * e + n * n + u * u
    cube = (square / square) / (square * np.sqrt(square))
    along = (me * e + mn * n + mu * u) / square
    along = along + along + along
    return (along * e - me) * cube, (along * n - mn) * cube, (along * u - mu) * cube


_FIELD = PairFunction(function=_field_pair, target_axes=(0, 1, 2), source_axes=_AXES, outputs=3)


def dipole_field(
    easting_m: ArrayLike,
    northing_m: ArrayLike,
    upward_m: ArrayLike,
    positions_m: ArrayLike,
    moments_am2: ArrayLike,
    *,
    dtype: Precision = np.float64,
    device: Device | None = None,
) -> tuple[Array, Array, Array]:
    """Compute the magnetic field of point dipoles.

    Parameters
    ----------
    easting_m, northing_m, upward_m : array_like
        Observation points, metres; they broadcast against each other.
    positions_m : (m, 3) array_like
        Easting, northing and upward of each dipole, metres.
    moments_am2 : (m, 3) array_like
        Easting, northing and upward components of each moment, A m^2 (one row serves all).
    dtype : type
        Precision of the pairs, float64 or float32.
    device : Device, optional
        Where the sum runs; the CPU by default.

    Returns
    -------
    b_easting_nt, b_northing_nt, b_upward_nt : float64 arrays
        Flux density, nT, in the shape of the points. NaN at a dipole itself and where a point is NaN.

    Raises
    ------
    BadParameter
        If shapes do not fit.

    References
    ----------
    Blakely, R. J. (1995). Potential Theory in Gravity and Magnetic Applications. Cambridge
    University Press.
    """
    targets, shape = points(easting_m, northing_m, upward_m)
    where = vectors(positions_m, name="positions_m", width=3)
    moments = vectors(moments_am2, name="moments_am2", width=3, rows=len(where))
    sums = (device or CpuDevice()).pairsum(
        _FIELD, targets, [*where.T, *(_NT_PER_SI * moments).T], dtype=dtype
    )
    b_easting, b_northing, b_upward = (s.reshape(shape) for s in sums)
    return b_easting, b_northing, b_upward


def dipole_tmi(
    easting_m: ArrayLike,
    northing_m: ArrayLike,
    upward_m: ArrayLike,
    positions_m: ArrayLike,
    moments_am2: ArrayLike,
    *,
    inclination_deg: float,
    declination_deg: float,
    dtype: Precision = np.float64,
    device: Device | None = None,
) -> Array:
    """Compute the dipoles' field along the Earth's field, nT: the total-field anomaly to first order.

    Parameters are those of :func:`dipole_field`; ``inclination_deg`` is positive down and
    ``declination_deg`` positive east of the northing axis.
    """
    field = dipole_field(
        easting_m, northing_m, upward_m, positions_m, moments_am2, dtype=dtype, device=device
    )
    along = direction(inclination_deg, declination_deg)
    return np.asarray(sum(c * b for c, b in zip(along, field, strict=True)))


def sphere_moment(
    radius_m: float,
    susceptibility_si: float,
    *,
    inclination_deg: float,
    declination_deg: float,
    field_nt: float,
    self_demagnetisation: bool = False,
) -> Array:
    """Return the moment of a sphere in a uniform field, (3,) A m^2: outside, it acts as a dipole.

    Parameters
    ----------
    radius_m, susceptibility_si : float
    inclination_deg, declination_deg, field_nt : float
        The inducing field: degrees (down and east positive), nT.
    self_demagnetisation : bool
        Divide by ``1 + susceptibility / 3``, exact for a sphere; it matters above about 0.1 SI.
    """
    effective = susceptibility_si / (1 + susceptibility_si / 3 if self_demagnetisation else 1.0)
    magnetisation = effective * field_nt * 1e-9 / _MU0
    volume = 4 / 3 * np.pi * radius_m**3
    return volume * magnetisation * direction(inclination_deg, declination_deg)
