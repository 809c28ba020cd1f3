"""Continuation to another height, and the separations that follow from it."""

from __future__ import annotations

import xarray as xr

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.spectral.operators import write_band, write_radial
from quetzalcore.geophysics.spectral.prepared import PreparedGrid

__all__ = ["band_pass", "regional_residual", "upward_continue", "vertical_integral"]


def upward_continue(prepared: PreparedGrid, height_m: float) -> xr.DataArray:
    """Give the field on a plane ``height_m`` higher, nT: ``exp(-|k| height)``.

    The plane that :func:`prepare` removed is put back (it continues to itself).

    Parameters
    ----------
    prepared : PreparedGrid
        Potential-field grid, nT; NaN stays NaN.
    height_m : float
        Zero or positive: downward continuation amplifies noise without bound and is refused.

    Raises
    ------
    BadParameter
        If ``height_m`` is negative or not finite.

    References
    ----------
    Blakely, R. J. (1995), section 12.1.
    """
    if not 0.0 <= height_m < float("inf"):
        raise BadParameter(
            f"height_m is {height_m}",
            hint="give a height of 0 or more: downward continuation is not stable",
        )
    values = prepared.apply(lambda out: write_radial(prepared, out, height_m=height_m))
    if prepared.trend_nt.any():
        values += prepared.trend().astype(values.dtype)
    return prepared.grid_of(
        values, name="upward", unit="nT", long_name=f"continued {height_m:g} m upward"
    )


def regional_residual(prepared: PreparedGrid, height_m: float) -> tuple[xr.DataArray, xr.DataArray]:
    """Split the grid into (regional, residual), nT; they add up to the grid.

    The regional is the field continued ``height_m`` upward: what is left at that height comes, to
    within the ambiguity of potential fields, from sources deeper than about half of it. Parameters
    and errors as in :func:`upward_continue`.

    References
    ----------
    Jacobsen, B. H. (1987), Geophysics 52, 1138-1148.
    """
    regional = upward_continue(prepared, height_m)
    residual = prepared.grid.to_numpy() - regional.to_numpy()
    return (
        regional.rename("regional").assign_attrs(long_name=f"regional (upward {height_m:g} m)"),
        prepared.grid_of(
            residual, name="residual", unit="nT", long_name=f"residual (upward {height_m:g} m)"
        ),
    )


def vertical_integral(prepared: PreparedGrid) -> xr.DataArray:
    """Give the integral of the field from infinity down to the grid, nT m: ``1 / |k|``.

    Mean zero over the padded grid; the plane is not put back. NaN stays NaN. Its own gradient's
    length behaves as the magnitude magnetic transforms do: smoother than the analytic signal.
    """
    values = prepared.apply(lambda out: write_radial(prepared, out, power=-1))
    return prepared.grid_of(
        values, name="vertical_integral", unit="nT m", long_name="vertical integral"
    )


def band_pass(
    prepared: PreparedGrid,
    *,
    shortest_m: float = 0.0,
    longest_m: float = float("inf"),
    order: int = 8,
) -> xr.DataArray:
    """Keep wavelengths between ``shortest_m`` and ``longest_m`` (Butterworth, half power there).

    Parameters
    ----------
    prepared : PreparedGrid
        The grid, nT; NaN stays NaN.
    shortest_m, longest_m : float
        Wavelengths, metres; 0 and infinity leave that side open. With ``longest_m`` open, the level
        and the removed plane stay in the result.
    order : int
        Steepness, 1 (gentle) to 32 (rings).

    Raises
    ------
    BadParameter
        If the band is empty or the order out of range.
    """
    if not 0.0 <= shortest_m < longest_m:
        raise BadParameter(
            f"the band is {shortest_m:g} to {longest_m:g} m",
            hint="give a shortest wavelength below the longest",
        )
    if not 1 <= order <= 32:  # noqa: PLR2004 -- beyond, the gain overflows before it rings
        raise BadParameter(f"order is {order}", hint="give 1 to 32")
    values = prepared.apply(
        lambda out: write_band(
            prepared, out, shortest_m=shortest_m, longest_m=longest_m, order=order
        )
    )
    if longest_m == float("inf") and prepared.trend_nt.any():
        values += prepared.trend().astype(values.dtype)
    return prepared.grid_of(
        values,
        name="band_pass",
        unit="nT",
        long_name=f"wavelengths {shortest_m:g} to {longest_m:g} m",
    )
