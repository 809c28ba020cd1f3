"""The field of uniformly magnetised right rectangular prisms."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.forward.columns import Precision, points, vectors
from quetzalcore.geophysics.forward.direction import direction
from quetzalcore.geophysics.forward.prism_pair import prism_field_pair, prism_tmi_pair
from quetzalcore.vgpu import CpuDevice, Device, PairFunction

__all__ = ["induced_magnetization", "prism_field", "prism_tmi"]

Array = NDArray[np.float64]

_NT_PER_SI = 100.0  # mu0 / (4 pi) in nT per (A/m): 1e-7 T
_MU0 = 4e-7 * np.pi
_BOUNDS = (0, 0, 1, 1, 2, 2)
_FIELD = PairFunction(
    function=prism_field_pair,
    target_axes=(0, 1, 2),
    source_axes=(*_BOUNDS, None, None, None, None),
    outputs=3,
)
_TMI = PairFunction(
    function=prism_tmi_pair,
    target_axes=(0, 1, 2),
    source_axes=(*_BOUNDS, None, None, None, None, None, None),
    outputs=1,
)


def induced_magnetization(
    susceptibility_si: ArrayLike,
    *,
    inclination_deg: float,
    declination_deg: float,
    field_nt: float,
) -> Array:
    """Return the magnetisation that a field induces, (m, 3) A/m, without self-demagnetisation.

    Parameters
    ----------
    susceptibility_si : (m,) array_like or float
    inclination_deg, declination_deg, field_nt : float
        The inducing field: degrees (down and east positive), nT.
    """
    strength = np.atleast_1d(np.asarray(susceptibility_si, dtype=np.float64))
    intensity = strength * field_nt * 1e-9 / _MU0
    return np.outer(intensity, direction(inclination_deg, declination_deg))


def prism_field(
    easting_m: ArrayLike,
    northing_m: ArrayLike,
    upward_m: ArrayLike,
    prisms_m: ArrayLike,
    magnetization_am: ArrayLike,
    *,
    dtype: Precision = np.float64,
    device: Device | None = None,
) -> tuple[Array, Array, Array]:
    """Compute the magnetic field of right rectangular prisms.

    Parameters
    ----------
    easting_m, northing_m, upward_m : array_like
        Observation points, metres; they broadcast against each other.
    prisms_m : (m, 6) array_like
        West, east, south, north, bottom and top of each prism, metres.
    magnetization_am : (m, 3) array_like
        Easting, northing and upward magnetisation of each prism, A/m (one row serves all).
    dtype : type
        Precision of the pairs, float64 or float32.
    device : Device, optional
        Where the sum runs; the CPU by default.

    Returns
    -------
    b_easting_nt, b_northing_nt, b_upward_nt : float64 arrays
        Flux density B, nT, in the shape of the points. Inside a prism it is mu0 (H + M). On a face it
        is the limit from outside; on an edge or a corner it is infinite and NaN is returned. NaN
        points give NaN.

    Raises
    ------
    BadParameter
        If shapes do not fit or a prism is inside out.

    References
    ----------
    Nagy, D., Papp, G. & Benedek, J. (2000). The gravitational potential and its derivatives for the
    prism. Journal of Geodesy, 74, 552-560.
    Van Oosterom, A. & Strackee, J. (1983). The solid angle of a plane triangle. IEEE Transactions on
    Biomedical Engineering, BME-30, 125-126.
    """
    targets, shape = points(easting_m, northing_m, upward_m)
    prisms = _checked(prisms_m)
    magnetization = vectors(magnetization_am, name="magnetization_am", width=3, rows=len(prisms))
    columns = [*prisms.T, *(_NT_PER_SI * magnetization).T, np.full(len(prisms), 2 * np.pi)]
    sums = (device or CpuDevice()).pairsum(_FIELD, targets, columns, dtype=dtype)
    b_easting, b_northing, b_upward = (s.reshape(shape) for s in sums)
    return b_easting, b_northing, b_upward


def prism_tmi(
    easting_m: ArrayLike,
    northing_m: ArrayLike,
    upward_m: ArrayLike,
    prisms_m: ArrayLike,
    susceptibility_si: ArrayLike = 0.0,
    *,
    inclination_deg: float,
    declination_deg: float,
    field_nt: float = 50_000.0,
    remanence_am: ArrayLike | None = None,
    dtype: Precision = np.float64,
    device: Device | None = None,
) -> Array:
    """Compute the prisms' field along the Earth's field: the total-field anomaly to first order.

    Parameters
    ----------
    easting_m, northing_m, upward_m, prisms_m, dtype, device
        As in :func:`prism_field`.
    susceptibility_si : (m,) array_like or float
        Gives induced magnetisation in the Earth's field, without self-demagnetisation.
    inclination_deg, declination_deg, field_nt : float
        The Earth's field: degrees (down and east positive; east of the northing axis), nT.
    remanence_am : (m, 3) array_like, optional
        Easting, northing and upward magnetisation that is added to the induced one, A/m.

    Returns
    -------
    float64 array
        nT, in the shape of the points; faces, edges and the inside are as in :func:`prism_field`.
        Where it reaches thousands of nT, the true total-field anomaly differs from this projection.

    Raises
    ------
    BadParameter
        If shapes do not fit or a prism is inside out.
    """
    targets, shape = points(easting_m, northing_m, upward_m)
    prisms = _checked(prisms_m)
    strength = vectors(
        np.reshape(np.asarray(susceptibility_si, dtype=np.float64), (-1, 1)),
        name="susceptibility_si",
        width=1,
        rows=len(prisms),
    )
    m = induced_magnetization(
        strength[:, 0],
        inclination_deg=inclination_deg,
        declination_deg=declination_deg,
        field_nt=field_nt,
    )
    if remanence_am is not None:
        m = m + vectors(remanence_am, name="remanence_am", width=3, rows=len(prisms))
    columns = [*prisms.T, *_coefficients(m, direction(inclination_deg, declination_deg))]
    (tmi,) = (device or CpuDevice()).pairsum(_TMI, targets, columns, dtype=dtype)
    return tmi.reshape(shape)


def _coefficients(m: Array, f: Array) -> list[Array]:
    """Weigh the five tensor terms of each prism for magnetisation ``m`` seen along ``f``, and 2 pi."""
    me, mn, mu = (_NT_PER_SI * m).T
    fe, fn, fu = f
    return [
        fe * me - fu * mu,
        fn * mn - fu * mu,
        fe * mn + fn * me,
        fe * mu + fu * me,
        fn * mu + fu * mn,
        np.full(len(m), 2 * np.pi),
    ]


def _checked(prisms_m: ArrayLike) -> Array:
    prisms = vectors(prisms_m, name="prisms_m", width=6)
    wrong = np.flatnonzero(~(prisms[:, 0::2] < prisms[:, 1::2]).all(axis=1))
    if len(wrong):
        raise BadParameter(
            f"prism {wrong[0]} has bounds {prisms[wrong[0]].tolist()}",
            hint="give west < east, south < north, bottom < top",
        )
    return prisms
