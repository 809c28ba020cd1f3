"""Kernels that write ``spectrum * operator`` straight into the buffer of the inverse transform.

Conventions: axes easting, northing, upward. A grid is ``f(e, n) = sum F exp(i (ke e + kn n))``, and
above its sources a potential field falls off upward as ``exp(-|k| u)``. Hence the derivative along
a unit vector with upward component ``-sin I`` (inclination ``I`` down) is
``D = i (ke cos I sin d + kn cos I cos d) + |k| sin I``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.spectral.prepared import PreparedGrid
from quetzalcore.vgpu import fast_kernel, for_slices, inline_kernel

__all__ = ["write_band", "write_horizontal", "write_pole", "write_radial"]

Complexes = NDArray[Any]
Floats = NDArray[np.float64]
_MIN_ROWS = 64
_VANISHING = 1e-30


def write_horizontal(
    prepared: PreparedGrid, product: Complexes, *, easting: float, northing: float
) -> None:
    """Write the derivative along the horizontal vector (easting, northing): ``i (ke a + kn b)``."""
    k = prepared.wavenumbers
    along_easting, along_northing = easting * k.easting_odd, northing * k.northing_odd
    for_slices(
        prepared.spectrum.shape[0],
        lambda a, b: _horizontal(prepared.spectrum, product, along_easting, along_northing, a, b),
        min_slice=_MIN_ROWS,
    )


def write_radial(
    prepared: PreparedGrid,
    product: Complexes,
    *,
    scale: float = 1.0,
    power: int = 0,
    height_m: float = 0.0,
) -> None:
    """Write ``scale |k|^power exp(-|k| height)`` for a power of -1, 0 or 1.

    At ``k = 0`` it is 0 unless ``power`` is 0.
    """
    k = prepared.wavenumbers
    for_slices(
        prepared.spectrum.shape[0],
        lambda a, b: _radial(
            prepared.spectrum,
            product,
            k.easting_even,
            k.northing_even,
            scale,
            power,
            height_m,
            a,
            b,
        ),
        min_slice=_MIN_ROWS,
    )


def write_band(
    prepared: PreparedGrid,
    product: Complexes,
    *,
    shortest_m: float,
    longest_m: float,
    order: int,
) -> None:
    """Write a Butterworth band-pass: power one half at both wavelengths, open at 0 and infinity."""
    k = prepared.wavenumbers
    low, high = longest_m / (2.0 * math.pi), shortest_m / (2.0 * math.pi)
    for_slices(
        prepared.spectrum.shape[0],
        lambda a, b: _band(
            prepared.spectrum,
            product,
            k.easting_even,
            k.northing_even,
            (0.0 if math.isinf(low) else low, high, float(order)),
            a,
            b,
        ),
        min_slice=_MIN_ROWS,
    )


def write_pole(
    prepared: PreparedGrid,
    product: Complexes,
    *,
    field: tuple[float, float, float],
    magnetization: tuple[float, float, float],
    power: int = 0,
    scale: float = 1.0,
    equator_deg: float | None = None,
) -> None:
    """Write the reduction to the pole times ``scale |k|^power``; 0 at ``k = 0``.

    ``field`` and ``magnetization`` are (inclination, declination, amplitude inclination), degrees.
    With ``D = sin I + i cos I cos(d - azimuth of k)`` for each, the operator has the phase of
    ``1 / (D_f D_m)`` and the amplitude that ``D`` has at the amplitude inclination. With ``equator_deg``, the
    result is turned to a horizontal field and magnetization of that declination:
    times ``-cos^2(equator - azimuth of k)``.
    """
    k = prepared.wavenumbers
    f, m = _direction(*field), _direction(*magnetization)
    odd, even = (k.easting_odd, k.northing_odd), (k.easting_even, k.northing_even)
    equator = math.radians(equator_deg or 0.0)
    finish = (
        scale,
        power,
        0.0 if equator_deg is None else 1.0,
        math.sin(equator),
        math.cos(equator),
    )
    for_slices(
        prepared.spectrum.shape[0],
        lambda a, b: _pole(prepared.spectrum, product, odd, even, f, m, finish, a, b),
        min_slice=_MIN_ROWS,
    )


def _direction(
    inclination_deg: float, declination_deg: float, amplitude_deg: float
) -> tuple[float, ...]:
    inclination, declination = math.radians(inclination_deg), math.radians(declination_deg)
    amplitude = math.radians(amplitude_deg)
    return (
        math.sin(inclination),
        math.cos(inclination) * math.sin(declination),
        math.cos(inclination) * math.cos(declination),
        math.sin(amplitude) ** 2,
        math.cos(amplitude) ** 2,
        math.sin(declination),
        math.cos(declination),
    )


@fast_kernel
def _horizontal(
    spectrum: Complexes,
    product: Complexes,
    easting: Floats,
    northing: Floats,
    start: int,
    stop: int,
) -> None:
    for j in range(start, stop):
        along_northing = northing[j]
        for i in range(spectrum.shape[1]):
            k = easting[i] + along_northing
            value = spectrum[j, i]
            product[j, i] = complex(-k * value.imag, k * value.real)


@fast_kernel
def _radial(
    spectrum: Complexes,
    product: Complexes,
    easting: Floats,
    northing: Floats,
    scale: float,
    power: int,
    height_m: float,
    start: int,
    stop: int,
) -> None:
    for j in range(start, stop):
        for i in range(spectrum.shape[1]):
            squared = easting[i] * easting[i] + northing[j] * northing[j]
            k = math.sqrt(squared)
            gain = scale
            if power == 1:
                gain = scale * k
            elif power == -1:
                gain = scale / k if k > 0.0 else 0.0
            if height_m != 0.0:
                gain *= math.exp(-k * height_m)
            value = spectrum[j, i]
            product[j, i] = complex(gain * value.real, gain * value.imag)


@fast_kernel
def _band(
    spectrum: Complexes,
    product: Complexes,
    easting: Floats,
    northing: Floats,
    band: tuple[float, float, float],
    start: int,
    stop: int,
) -> None:
    low_m, high_m, order = band
    for j in range(start, stop):
        for i in range(spectrum.shape[1]):
            squared = easting[i] * easting[i] + northing[j] * northing[j]
            power = 1.0 / (1.0 + (squared * high_m * high_m) ** order)
            if low_m > 0.0:
                power *= 1.0 - 1.0 / (1.0 + (squared * low_m * low_m) ** order)
            gain = math.sqrt(power)
            value = spectrum[j, i]
            product[j, i] = complex(gain * value.real, gain * value.imag)


@inline_kernel
def _inverse_direction(ux: float, uy: float, d: tuple[float, ...]) -> tuple[float, float, float]:
    """Give conj(D) and |D|^2 |D at the amplitude inclination|^2 for a unit wavevector."""
    along = ux * d[5] + uy * d[6]
    imag = ux * d[1] + uy * d[2]
    return d[0], -imag, (d[0] * d[0] + imag * imag) * (d[3] + d[4] * along * along)


@fast_kernel
def _pole(
    spectrum: Complexes,
    product: Complexes,
    odd: tuple[Floats, Floats],
    even: tuple[Floats, Floats],
    field: tuple[float, ...],
    magnetization: tuple[float, ...],
    finish: tuple[float, int, float, float, float],
    start: int,
    stop: int,
) -> None:
    scale, power, to_equator, equator_sin, equator_cos = finish
    for j in range(start, stop):
        for i in range(spectrum.shape[1]):
            squared = even[0][i] * even[0][i] + even[1][j] * even[1][j]
            inverse = 1.0 / math.sqrt(squared) if squared > 0.0 else 0.0
            ux, uy = odd[0][i] * inverse, odd[1][j] * inverse
            f_real, f_imag, f_size = _inverse_direction(ux, uy, field)
            m_real, m_imag, m_size = _inverse_direction(ux, uy, magnetization)
            size = f_size * m_size
            # both at once vanish only across a horizontal field: nothing is known there
            gain = scale / math.sqrt(size) if size > _VANISHING and squared > 0.0 else 0.0
            if power == -1:
                gain *= inverse
            along = ux * equator_sin + uy * equator_cos
            gain *= 1.0 - to_equator * (1.0 + along * along)
            real = gain * (f_real * m_real - f_imag * m_imag)
            imag = gain * (f_real * m_imag + f_imag * m_real)
            value = spectrum[j, i]
            product[j, i] = complex(
                real * value.real - imag * value.imag, real * value.imag + imag * value.real
            )
