"""Reduction to the pole and to the equator, and pseudogravity.

Every declination here is measured from **grid north** (the grid's northing axis), positive east: a
declination from true north must first be turned by the meridian convergence.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.spectral.operators import write_pole
from quetzalcore.geophysics.spectral.prepared import PreparedGrid

__all__ = [
    "DEFAULT_AMPLITUDE_INCLINATION_DEG",
    "at_pole",
    "pseudogravity",
    "reduce_to_equator",
    "reduce_to_pole",
]

DEFAULT_AMPLITUDE_INCLINATION_DEG = 20.0
_RIGHT_ANGLE_DEG = 90.0
_SMALLEST_DEG = 1e-6
_NEWTON = 6.6743e-11  # m3 kg-1 s-2, CODATA 2018
_MAGNETIC = 1e-7  # mu0 / 4 pi, H/m
_MGAL_PER_SI = 1e5
_TESLA_PER_NT = 1e-9


def reduce_to_pole(
    prepared: PreparedGrid,
    inclination_deg: float,
    declination_deg: float,
    *,
    magnetization_inclination_deg: float | None = None,
    magnetization_declination_deg: float | None = None,
    amplitude_inclination_deg: float = DEFAULT_AMPLITUDE_INCLINATION_DEG,
) -> xr.DataArray:
    """Give the total-field anomaly that the sources would make with field and magnetization vertical.

    At low inclination the exact operator amplifies wavenumbers across the declination by up to
    ``1 / sin^2 I`` and draws stripes along it. As MacLeod et al. (1993) do, the phase stays exact
    and the amplitude is that of ``amplitude_inclination_deg`` where ``|I|`` is lower than that:
    stripes stay out, and amplitudes of bodies that are long along the declination come out low.
    At higher inclinations nothing is changed: the operator is exact.

    Parameters
    ----------
    prepared : PreparedGrid
        Total-field anomaly, nT.
    inclination_deg, declination_deg : float
        Of the main field; inclination positive down, declination from **grid north**, positive east.
    magnetization_inclination_deg, magnetization_declination_deg : float, optional
        Of the sources, where remanence matters; the field's direction by default.
    amplitude_inclination_deg : float
        The lowest inclination whose amplification is allowed, above 0 to 90.

    Returns
    -------
    (rows, columns) xr.DataArray
        nT, mean zero over the padded grid; NaN where the grid is NaN.

    Raises
    ------
    BadParameter
        If an inclination is outside -90 to 90 or ``amplitude_inclination_deg`` outside (0, 90].

    References
    ----------
    Baranov, V. (1957), Geophysics 22, 359-382. MacLeod, I. N., Jones, K. & Dai, T. F. (1993),
    Exploration Geophysics 24, 679-688. Blakely, R. J. (1995), Potential Theory in Gravity and
    Magnetic Applications, section 12.3.1.
    """
    field, magnetization = _directions(
        inclination_deg,
        declination_deg,
        magnetization_inclination_deg,
        magnetization_declination_deg,
        amplitude_inclination_deg,
    )
    values = prepared.apply(
        lambda out: write_pole(prepared, out, field=field, magnetization=magnetization)
    )
    return prepared.grid_of(values, name="rtp", unit="nT", long_name="reduced to the pole")


def at_pole(
    prepared: PreparedGrid,
    inclination_deg: float,
    declination_deg: float,
    *,
    magnetization_inclination_deg: float | None = None,
    magnetization_declination_deg: float | None = None,
    amplitude_inclination_deg: float = DEFAULT_AMPLITUDE_INCLINATION_DEG,
) -> PreparedGrid:
    """Reduce to the pole and stay in the wavenumber domain, so that tilt and the rest follow on.

    Its ``grid`` is still the one given (for axes and NaN); the trend, whose reduction is not
    defined, is left out. Parameters, limits and errors as in :func:`reduce_to_pole`.
    """
    field, magnetization = _directions(
        inclination_deg,
        declination_deg,
        magnetization_inclination_deg,
        magnetization_declination_deg,
        amplitude_inclination_deg,
    )
    product = np.empty_like(prepared.spectrum)
    write_pole(prepared, product, field=field, magnetization=magnetization)
    return replace(prepared, spectrum=product, trend_nt=np.zeros(3))


def _directions(
    inclination_deg: float,
    declination_deg: float,
    magnetization_inclination_deg: float | None,
    magnetization_declination_deg: float | None,
    amplitude_deg: float,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    if not 0.0 < amplitude_deg <= _RIGHT_ANGLE_DEG:
        raise BadParameter(
            f"amplitude_inclination_deg is {amplitude_deg}", hint="give a value above 0, up to 90"
        )
    m_inclination = (
        inclination_deg if magnetization_inclination_deg is None else magnetization_inclination_deg
    )
    m_declination = (
        declination_deg if magnetization_declination_deg is None else magnetization_declination_deg
    )
    return (
        _limited(inclination_deg, declination_deg, amplitude_deg),
        _limited(m_inclination, m_declination, amplitude_deg),
    )


def _limited(
    inclination_deg: float, declination_deg: float, amplitude_deg: float
) -> tuple[float, float, float]:
    if not abs(inclination_deg) <= _RIGHT_ANGLE_DEG:
        raise BadParameter(
            f"an inclination is {inclination_deg} degrees", hint="give -90 to 90, positive down"
        )
    return inclination_deg, declination_deg, max(abs(inclination_deg), amplitude_deg)


def reduce_to_equator(
    prepared: PreparedGrid,
    inclination_deg: float,
    declination_deg: float,
    *,
    magnetization_inclination_deg: float | None = None,
    magnetization_declination_deg: float | None = None,
) -> xr.DataArray:
    """Give the anomaly that the sources would make with field and magnetization horizontal.

    The horizontal direction is the field's declination. Bodies magnetised by induction become lows.
    The operator never amplifies where field and magnetization share a declination, so that nothing
    is limited; a magnetization of its own is, at 20 degrees. Parameters and errors as in
    :func:`reduce_to_pole`.

    Returns
    -------
    (rows, columns) xr.DataArray
        nT; NaN where the grid is NaN.
    """
    own = magnetization_declination_deg is not None or magnetization_inclination_deg is not None
    field, magnetization = _directions(
        inclination_deg,
        declination_deg,
        magnetization_inclination_deg,
        magnetization_declination_deg,
        DEFAULT_AMPLITUDE_INCLINATION_DEG if own else _SMALLEST_DEG,
    )
    values = prepared.apply(
        lambda out: write_pole(
            prepared, out, field=field, magnetization=magnetization, equator_deg=declination_deg
        )
    )
    return prepared.grid_of(values, name="rte", unit="nT", long_name="reduced to the equator")


def pseudogravity(
    prepared: PreparedGrid,
    inclination_deg: float,
    declination_deg: float,
    *,
    density_kg_m3: float = 1000.0,
    magnetization_a_m: float = 1.0,
    magnetization_inclination_deg: float | None = None,
    magnetization_declination_deg: float | None = None,
    amplitude_inclination_deg: float = DEFAULT_AMPLITUDE_INCLINATION_DEG,
) -> xr.DataArray:
    """Give the gravity (positive down) if density stood in for magnetization, by Poisson's relation.

    ``g = G rho / ((mu0 / 4 pi) M) RTP / |k|``. The integration amplifies long wavelengths: a regional
    trend should be removed first (:func:`prepare` removes a plane). Direction parameters, limits and
    errors as in :func:`reduce_to_pole`.

    Parameters
    ----------
    prepared : PreparedGrid
        Total-field anomaly, nT.
    density_kg_m3, magnetization_a_m : float
        The ratio of the two is what counts; the second must not be 0.

    Returns
    -------
    (rows, columns) xr.DataArray
        mGal, mean zero over the padded grid; NaN where the grid is NaN.

    References
    ----------
    Blakely, R. J. (1995), section 12.3.2. Baranov, V. (1957), Geophysics 22, 359-382.
    """
    if magnetization_a_m == 0.0:
        raise BadParameter("magnetization_a_m is 0", hint="give the magnetization, A/m")
    field, magnetization = _directions(
        inclination_deg,
        declination_deg,
        magnetization_inclination_deg,
        magnetization_declination_deg,
        amplitude_inclination_deg,
    )
    scale = _NEWTON * density_kg_m3 / (_MAGNETIC * magnetization_a_m)
    scale *= _TESLA_PER_NT * _MGAL_PER_SI
    values = prepared.apply(
        lambda out: write_pole(
            prepared, out, field=field, magnetization=magnetization, power=-1, scale=scale
        )
    )
    return prepared.grid_of(values, name="pseudogravity", unit="mGal", long_name="pseudogravity")
