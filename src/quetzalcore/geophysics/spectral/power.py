"""The radially averaged power spectrum, and depths from its slopes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.spectral.prepared import PreparedGrid
from quetzalcore.vgpu import kernel

__all__ = ["DepthSegment", "RadialSpectrum", "radial_power_spectrum", "spectral_depth"]

Floats = NDArray[np.float64]
Complexes = NDArray[Any]
_MIN_RINGS = 5  # a slope and its scatter from fewer rings say nothing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RadialSpectrum:
    """Mean power in rings of equal width; every array has shape (rings,), inner rings first.

    Parameters
    ----------
    wavenumber_rad_m : (rings,) float64
        Mean ``|k|`` of a ring, rad/m (wavelength is 2 pi over it).
    log_power : (rings,) float64
        Natural logarithm of the mean power; arbitrary constant.
    count : (rings,) int64
        Independent coefficients in a ring.
    """

    wavenumber_rad_m: Floats
    log_power: Floats
    count: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthSegment:
    """The mean depth to the tops of an ensemble of sources, from one straight part of a spectrum.

    Parameters
    ----------
    depth_m, uncertainty_m : float
        Below the sensor; one standard deviation of the slope. The ensemble's own bias (finite
        width, thickness) is not in it.
    from_rad_m, to_rad_m : float
        The wavenumbers that the segment spans.
    """

    depth_m: float
    uncertainty_m: float
    from_rad_m: float
    to_rad_m: float


def radial_power_spectrum(prepared: PreparedGrid) -> RadialSpectrum:
    """Average the power of a prepared grid over rings, from one step of ``|k|`` to Nyquist.

    Padding and filled holes are part of what is averaged: keep both small.

    References
    ----------
    Spector, A. & Grant, F. S. (1970), Geophysics 35, 293-302.
    """
    k = prepared.wavenumbers
    rows_m, columns_m = prepared.cell_m
    rows, columns = prepared.shape
    step = 2.0 * math.pi / min(rows * rows_m, columns * columns_m)
    rings = int(math.pi / max(rows_m, columns_m) / step)
    sums = np.zeros((3, rings + 1))
    _rings(prepared.spectrum, k.easting_even, k.northing_even, step, columns % 2 == 0, sums)
    total, wavenumber, count = sums[:, 1:]
    held = (count > 0) & (total > 0)
    return RadialSpectrum(
        wavenumber_rad_m=wavenumber[held] / count[held],
        log_power=np.log(total[held] / count[held]),
        count=(count[held] / 2).astype(np.int64),
    )


def spectral_depth(
    spectrum: RadialSpectrum, *, segments: int = 2, longest_share: float = 0.8
) -> tuple[DepthSegment, ...]:
    """Fit ``segments`` straight lines to the logarithmic spectrum: depth is minus half the slope.

    The breaks are where the weighted squared misfit of all lines together is least (every
    combination is looked at, by dynamic programming).

    Parameters
    ----------
    spectrum : RadialSpectrum
        From :func:`radial_power_spectrum`.
    segments : int
        How many, 1 to 4; the last is often noise, with a depth near zero.
    longest_share : float
        The share of the rings that is used, from the longest wavelengths on: near Nyquist a
        gridder's own smoothing is what is seen.

    Returns
    -------
    tuple of DepthSegment
        From the longest wavelengths (deepest, usually) to the shortest.

    Raises
    ------
    BadParameter
        If ``segments`` is out of range or the spectrum has too few rings.

    References
    ----------
    Spector, A. & Grant, F. S. (1970), Geophysics 35, 293-302.
    """
    used = int(longest_share * len(spectrum.log_power))
    if not 1 <= segments <= 4 or used < segments * _MIN_RINGS:  # noqa: PLR2004 -- the range
        raise BadParameter(
            f"{segments} segments cannot be fitted to {used} rings",
            hint=f"give 1 to 4 segments, each of at least {_MIN_RINGS} rings",
        )
    k, y = spectrum.wavenumber_rad_m[:used], spectrum.log_power[:used]
    weight = np.maximum(spectrum.count[:used], 1).astype(np.float64)
    edges = _breaks(k, y, weight, segments)
    return tuple(_segment(k, y, weight, a, b) for a, b in pairwise(edges))


def _breaks(k: Floats, y: Floats, weight: Floats, segments: int) -> list[int]:
    """Give the edges of the best partition: cost[a, b] is the misfit of one line to rings a..b-1."""
    n = len(k)
    cost = _costs(k, y, weight)
    best = cost[0].copy()
    starts = []
    for _ in range(segments - 1):
        through = best[:, None] + cost
        starts.append(np.argmin(through, axis=0))
        best = np.min(through, axis=0)
    edges = [n]
    for start in reversed(starts):
        edges.append(int(start[edges[-1]]))
    return [*reversed(edges), n] if edges[-1] == 0 else [0, *reversed(edges)]


def _costs(k: Floats, y: Floats, weight: Floats) -> Floats:
    n = len(k)
    moments = [weight, weight * k, weight * k * k, weight * y, weight * k * y, weight * y * y]
    w, x, xx, u, xu, uu = (np.concatenate([[0.0], np.cumsum(m)]) for m in moments)

    def between(c: Floats) -> Floats:
        return np.asarray(c[None, :] - c[:, None])

    w, x, xx, u, xu, uu = (between(c) for c in (w, x, xx, u, xu, uu))
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = uu - u * u / w - (xu - x * u / w) ** 2 / (xx - x * x / w)
    lengths = np.arange(n + 1)[None, :] - np.arange(n + 1)[:, None]
    return np.where(lengths >= _MIN_RINGS, np.maximum(cost, 0.0), np.inf)


def _segment(k: Floats, y: Floats, weight: Floats, start: int, stop: int) -> DepthSegment:
    k, y, weight = k[start:stop], y[start:stop], weight[start:stop]
    middle = np.average(k, weights=weight)
    spread = float(weight @ (k - middle) ** 2)
    slope = float(weight @ ((k - middle) * y)) / spread
    misfit = y - np.average(y, weights=weight) - slope * (k - middle)
    variance = float(weight @ misfit**2) / (len(k) - 2) / spread
    return DepthSegment(
        depth_m=-0.5 * slope,
        uncertainty_m=0.5 * math.sqrt(variance),
        from_rad_m=float(k[0]),
        to_rad_m=float(k[-1]),
    )


@kernel
def _rings(
    spectrum: Complexes,
    easting: Floats,
    northing: Floats,
    step: float,
    even: int,
    sums: Floats,
) -> None:
    """Add power, |k| and count of the whole plane: columns with a mirror image count twice."""
    rings = sums.shape[1]
    last = spectrum.shape[1] - 1
    for j in range(spectrum.shape[0]):
        for i in range(spectrum.shape[1]):
            k = math.sqrt(easting[i] * easting[i] + northing[j] * northing[j])
            ring = int(k / step + 0.5)
            if ring < rings:
                images = 1.0 if i == 0 or (even and i == last) else 2.0
                value = spectrum[j, i]
                sums[0, ring] += images * (value.real * value.real + value.imag * value.imag)
                sums[1, ring] += images * k
                sums[2, ring] += images
