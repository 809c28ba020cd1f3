"""A grid made ready for wavenumber operators: filled, detrended, padded, transformed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.grid import like, spacing_m
from quetzalcore.geophysics.spectral.fill import continue_slopes, fill_periodic
from quetzalcore.vgpu import CpuDevice, Device

__all__ = ["PreparedGrid", "Wavenumbers", "prepare"]

Reals = NDArray[Any]  # float32 or float64, as the grid was
Complexes = NDArray[Any]
Floats = NDArray[np.float64]
_MAX_PAD_FRACTION = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wavenumbers:
    """Angular wavenumbers of a half spectrum, rad/m.

    The ``odd`` arrays are zero at the Nyquist wavenumber, where an odd operator (a first
    derivative, a phase) of a real grid has no real value; ``even`` ones keep it, for ``|k|``.
    """

    easting_odd: Floats
    northing_odd: Floats
    easting_even: Floats
    northing_even: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedGrid:
    """One forward transform that every operator shares; made by :func:`prepare`.

    Parameters
    ----------
    grid : xr.DataArray
        The grid as it was given: its axes, its CRS and its NaN are put back on every result.
    spectrum : (n, m // 2 + 1) complex64 or complex128
        Half spectrum of the filled, detrended and padded grid. Never written to.
    shape : tuple of int
        (n, m), the padded shape.
    first_row, first_column : int
        Where the grid lies inside the padded one.
    trend_nt : (3,) float64
        The plane that was removed: constant, slope along easting, slope along northing, per cell,
        about the first node. Zero where nothing was removed.
    missing : (rows, columns) bool or None
        Where the grid is NaN; None if nowhere.
    wavenumbers : Wavenumbers
        Of ``spectrum``.
    device : Device
        Where the transforms run.
    """

    grid: xr.DataArray
    spectrum: Complexes
    shape: tuple[int, int]
    first_row: int
    first_column: int
    trend_nt: Floats
    missing: NDArray[np.bool_] | None
    wavenumbers: Wavenumbers
    device: Device

    @property
    def cell_m(self) -> tuple[float, float]:
        """Give the cell size (northing, easting) in metres."""
        return spacing_m(self.grid)

    @property
    def slopes(self) -> tuple[float, float]:
        """Give the slopes of the plane that was removed, per metre (northing, easting)."""
        cell_northing, cell_easting = self.cell_m
        _, along_easting, along_northing = self.trend_nt
        return float(along_northing) / cell_northing, float(along_easting) / cell_easting

    def trend(self) -> Floats:
        """Give the plane that was removed, on the nodes of the grid, (rows, columns)."""
        rows, columns = self.grid.shape
        constant, along_easting, along_northing = self.trend_nt
        northing = constant + along_northing * np.arange(rows, dtype=np.float64)
        plane = northing[:, None] + along_easting * np.arange(columns, dtype=np.float64)
        return np.asarray(plane)

    def back(self, product: Complexes) -> Reals:
        """Invert a spectrum (its memory is reused), crop it and put the NaN back."""
        padded = self.device.to_host(self.device.irfft2(product, self.shape))
        rows, columns = self.grid.shape
        top, left = self.first_row, self.first_column
        values = np.ascontiguousarray(padded[top : top + rows, left : left + columns])
        if self.missing is not None:
            values[self.missing] = np.nan
        return values

    def grid_of(self, values: Reals, *, name: str, unit: str, long_name: str) -> xr.DataArray:
        """Give values the axes and the CRS of the grid."""
        return like(self.grid, values, name=name, unit=unit, long_name=long_name)

    def apply(self, write: Callable[[Complexes], object]) -> Reals:
        """Let ``write`` fill a fresh spectrum, then go :meth:`back` to the grid."""
        product = np.empty_like(self.spectrum)
        write(product)
        return self.back(product)


def prepare(
    grid: xr.DataArray,
    *,
    pad_fraction: float = 0.1,
    detrend: bool = True,
    device: Device | None = None,
) -> PreparedGrid:
    """Fill, detrend, pad and transform a grid once, for every operator of this package.

    NaN and the padding are filled together by a membrane (Laplace's equation) that passes through
    the data and is periodic over the padded grid, so that neither a hole nor an edge is a step; at
    the edges the slopes run on into the padding, so that they are no kink either.

    Parameters
    ----------
    grid : (rows, columns) xr.DataArray
        Dims (northing, easting), any unit; NaN means no data. float32 stays single inside;
        everything else is double.
    pad_fraction : float
        Padding on each side, as a fraction of that side's length; 0 for none.
    detrend : bool
        Whether a plane fitted by least squares is removed first. Operators that keep the level
        (continuation, band-pass) put it back.
    device : Device, optional
        Where the transforms run; the CPU by default.

    Raises
    ------
    BadParameter
        If the grid is not a regular one, or ``pad_fraction`` is out of range.
    BadSurvey
        If the grid holds fewer than three values.
    """
    rows_m, columns_m = spacing_m(grid)
    if not 0.0 <= pad_fraction <= _MAX_PAD_FRACTION:
        raise BadParameter(
            f"pad_fraction is {pad_fraction}", hint=f"give 0 to {_MAX_PAD_FRACTION:g}"
        )
    chosen = CpuDevice() if device is None else device
    values = chosen.to_host(chosen.array(np.ascontiguousarray(grid.to_numpy())))
    missing = ~np.isfinite(values)
    holes = bool(missing.any())
    if values.size - int(missing.sum()) < 3:  # noqa: PLR2004 -- a plane has three coefficients
        raise BadSurvey(
            "the grid has fewer than three values", hint="grid the survey before transforming it"
        )
    trend = _plane(values, missing if holes else None) if detrend else np.zeros(3)
    shape, corner = _padded_shape(values.shape, pad_fraction)
    padded = _place(values, trend, shape, corner)
    if holes or shape != values.shape:
        fill_periodic(padded)
        continue_slopes(padded, corner, values.shape)
    return PreparedGrid(
        grid=grid,
        spectrum=chosen.to_host(chosen.rfft2(chosen.array(padded))),
        shape=shape,
        first_row=corner[0],
        first_column=corner[1],
        trend_nt=trend,
        missing=missing if holes else None,
        wavenumbers=_wavenumbers(shape, rows_m, columns_m),
        device=chosen,
    )


def _padded_shape(
    shape: tuple[int, ...], fraction: float
) -> tuple[tuple[int, int], tuple[int, int]]:
    if fraction == 0.0:
        return (shape[0], shape[1]), (0, 0)
    rows, columns = (
        int(scipy.fft.next_fast_len(n + 2 * max(4, round(fraction * n)), real=True)) for n in shape
    )
    return (rows, columns), ((rows - shape[0]) // 2, (columns - shape[1]) // 2)


def _place(values: Reals, trend: Floats, shape: tuple[int, int], corner: tuple[int, int]) -> Reals:
    rows, columns = values.shape
    inner = values
    if trend.any():
        inner = np.empty_like(values)
        northing = trend[0] + trend[2] * np.arange(rows)
        easting = trend[1] * np.arange(columns)
        np.subtract(values, easting.astype(values.dtype), out=inner)
        inner -= northing.astype(values.dtype)[:, None]
    if shape == values.shape:
        return inner.copy() if inner is values else inner
    padded = np.full(shape, np.nan, dtype=values.dtype)
    padded[corner[0] : corner[0] + rows, corner[1] : corner[1] + columns] = inner
    return padded


def _plane(values: Reals, missing: NDArray[np.bool_] | None) -> Floats:
    """Fit a plane to the values by normal equations about the grid's middle; O(cells), no copies."""
    rows, columns = values.shape
    present = np.ones(values.shape, dtype=bool) if missing is None else ~missing
    held = values if missing is None else np.where(missing, values.dtype.type(0), values)
    y = np.arange(rows, dtype=np.float64) - (rows - 1) / 2
    x = np.arange(columns, dtype=np.float64) - (columns - 1) / 2
    count_x, count_y = present.sum(axis=0, dtype=np.float64), present.sum(axis=1, dtype=np.float64)
    sum_x, sum_y = held.sum(axis=0, dtype=np.float64), held.sum(axis=1, dtype=np.float64)
    cross = float(y @ (present @ x)) if missing is not None else 0.0
    normal = np.array(
        [
            [count_x.sum(), count_x @ x, count_y @ y],
            [count_x @ x, count_x @ x**2, cross],
            [count_y @ y, cross, count_y @ y**2],
        ]
    )
    constant, slope_x, slope_y = np.linalg.lstsq(
        normal, np.array([sum_x.sum(), sum_x @ x, sum_y @ y]), rcond=None
    )[0]
    corner = constant - slope_x * (columns - 1) / 2 - slope_y * (rows - 1) / 2
    return np.array([corner, slope_x, slope_y], dtype=np.float64)


def _wavenumbers(shape: tuple[int, int], rows_m: float, columns_m: float) -> Wavenumbers:
    northing = 2.0 * np.pi * scipy.fft.fftfreq(shape[0], rows_m)
    easting = 2.0 * np.pi * scipy.fft.rfftfreq(shape[1], columns_m)
    northing_odd, easting_odd = northing.copy(), easting.copy()
    if shape[0] % 2 == 0:
        northing_odd[shape[0] // 2] = 0.0
    if shape[1] % 2 == 0:
        easting_odd[-1] = 0.0
    return Wavenumbers(
        easting_odd=easting_odd,
        northing_odd=northing_odd,
        easting_even=easting,
        northing_even=northing,
    )
