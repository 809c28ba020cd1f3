"""Many transforms of one grid by name, sharing its spectrum and its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import xarray as xr

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.spectral.continuation import (
    regional_residual,
    upward_continue,
    vertical_integral,
)
from quetzalcore.geophysics.spectral.derivatives import (
    Gradient,
    analytic_signal,
    gradient,
    theta_map,
    tilt,
    tilt_gradient,
    total_horizontal_derivative,
)
from quetzalcore.geophysics.spectral.pole import (
    DEFAULT_AMPLITUDE_INCLINATION_DEG,
    pseudogravity,
    reduce_to_equator,
    reduce_to_pole,
)
from quetzalcore.geophysics.spectral.prepared import PreparedGrid

__all__ = ["FieldDirection", "Transform", "transform"]


class Transform(StrEnum):
    """What :func:`transform` can make; the value is the grid's name."""

    POLE = "rtp"
    EQUATOR = "rte"
    PSEUDOGRAVITY = "pseudogravity"
    EASTING_DERIVATIVE = "dx"
    NORTHING_DERIVATIVE = "dy"
    UPWARD_DERIVATIVE = "dz"
    HORIZONTAL_DERIVATIVE = "thd"
    ANALYTIC_SIGNAL = "analytic_signal"
    TILT = "tilt"
    TILT_GRADIENT = "hd_tdr"
    THETA = "theta"
    VERTICAL_INTEGRAL = "vertical_integral"
    UPWARD = "upward"
    REGIONAL = "regional"
    RESIDUAL = "residual"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDirection:
    """The main field's direction, and the sources' where it differs; see :func:`reduce_to_pole`.

    Declinations are from **grid north**: a declination from true north must first be turned by the
    meridian convergence.
    """

    inclination_deg: float
    declination_deg: float
    magnetization_inclination_deg: float | None = None
    magnetization_declination_deg: float | None = None
    amplitude_inclination_deg: float = DEFAULT_AMPLITUDE_INCLINATION_DEG


_FIELD = frozenset({Transform.POLE, Transform.EQUATOR, Transform.PSEUDOGRAVITY})
_HEIGHT = frozenset({Transform.UPWARD, Transform.REGIONAL, Transform.RESIDUAL})
_OF_GRADIENT: Mapping[Transform, Callable[[PreparedGrid, Gradient], xr.DataArray]] = {
    Transform.HORIZONTAL_DERIVATIVE: lambda p, g: total_horizontal_derivative(p, shared=g),
    Transform.ANALYTIC_SIGNAL: lambda p, g: analytic_signal(p, shared=g),
    Transform.TILT: lambda p, g: tilt(p, shared=g),
    Transform.TILT_GRADIENT: lambda p, g: tilt_gradient(p, shared=g),
    Transform.THETA: lambda p, g: theta_map(p, shared=g),
    Transform.EASTING_DERIVATIVE: lambda p, g: _component(p, g, "easting"),
    Transform.NORTHING_DERIVATIVE: lambda p, g: _component(p, g, "northing"),
    Transform.UPWARD_DERIVATIVE: lambda p, g: _component(p, g, "upward"),
}


def transform(
    prepared: PreparedGrid,
    names: Iterable[str],
    *,
    field: FieldDirection | None = None,
    height_m: float | None = None,
) -> dict[str, xr.DataArray]:
    """Make several transforms of one prepared grid; derivatives are computed once.

    Parameters
    ----------
    prepared : PreparedGrid
        From :func:`prepare`, or from :func:`at_pole` for products of the reduced field.
    names : iterable of str
        Values of :class:`Transform`.
    field : FieldDirection, optional
        Needed for ``rtp``, ``rte`` and ``pseudogravity``.
    height_m : float, optional
        Needed for ``upward``, ``regional`` and ``residual``: how far to continue, metres.

    Returns
    -------
    dict of str to (rows, columns) xr.DataArray
        In the order of ``names``.

    Raises
    ------
    BadParameter
        If a name is unknown, or what it needs is missing.
    """
    asked = [_named(name) for name in names]
    made = dict(_directional(prepared, asked, field)) | dict(_continued(prepared, asked, height_m))
    if Transform.VERTICAL_INTEGRAL in asked:
        made[Transform.VERTICAL_INTEGRAL] = vertical_integral(prepared)
    wanted = [name for name in asked if name in _OF_GRADIENT]
    if wanted:
        shared = gradient(prepared)
        made |= {name: _OF_GRADIENT[name](prepared, shared) for name in wanted}
    return {name.value: made[name] for name in asked}


def _named(name: str) -> Transform:
    try:
        return Transform(name)
    except ValueError:
        raise BadParameter(
            f"there is no transform {name!r}",
            hint=f"choose from {', '.join(Transform)}",
        ) from None


def _directional(
    prepared: PreparedGrid, asked: list[Transform], field: FieldDirection | None
) -> Iterable[tuple[Transform, xr.DataArray]]:
    wanted = _FIELD.intersection(asked)
    if not wanted:
        return
    if field is None:
        raise BadParameter(
            f"{', '.join(sorted(wanted))} needs the main field's direction",
            hint="give inclination and declination",
        )
    inclination, declination = field.inclination_deg, field.declination_deg
    own = partial(
        _call,
        prepared=prepared,
        inclination_deg=inclination,
        declination_deg=declination,
        magnetization_inclination_deg=field.magnetization_inclination_deg,
        magnetization_declination_deg=field.magnetization_declination_deg,
    )
    limit = field.amplitude_inclination_deg
    if Transform.POLE in wanted:
        yield Transform.POLE, own(reduce_to_pole, amplitude_inclination_deg=limit)
    if Transform.EQUATOR in wanted:
        yield Transform.EQUATOR, own(reduce_to_equator)
    if Transform.PSEUDOGRAVITY in wanted:
        yield Transform.PSEUDOGRAVITY, own(pseudogravity, amplitude_inclination_deg=limit)


def _call(function: Callable[..., xr.DataArray], **given: object) -> xr.DataArray:
    return function(**given)


def _continued(
    prepared: PreparedGrid, asked: list[Transform], height_m: float | None
) -> Iterable[tuple[Transform, xr.DataArray]]:
    wanted = _HEIGHT.intersection(asked)
    if not wanted:
        return
    if height_m is None:
        raise BadParameter(
            f"{', '.join(sorted(wanted))} needs a height", hint="give height_m, metres"
        )
    if wanted - {Transform.UPWARD}:
        regional, residual = regional_residual(prepared, height_m)
        yield Transform.REGIONAL, regional
        yield Transform.RESIDUAL, residual
    if Transform.UPWARD in wanted:
        yield Transform.UPWARD, upward_continue(prepared, height_m)


def _component(prepared: PreparedGrid, shared: Gradient, axis: str) -> xr.DataArray:
    name = {"easting": "dx", "northing": "dy", "upward": "dz"}[axis]
    return prepared.grid_of(
        getattr(shared, axis), name=name, unit="nT/m", long_name=f"derivative along {axis}"
    )
