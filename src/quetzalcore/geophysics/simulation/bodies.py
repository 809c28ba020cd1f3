"""Bodies of known shape, place and magnetisation, and the field that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.forward import dipole_field, direction, prism_field

__all__ = [
    "Body",
    "MagneticField",
    "body_field",
    "box",
    "magnetization_am",
    "pipe",
    "sheet",
    "turn",
    "turned_field",
]

Array = NDArray[np.float64]

_MU0 = 4e-7 * np.pi


@dataclass(frozen=True, slots=True, kw_only=True)
class MagneticField:
    """The Earth's field over the area, on the survey's axes.

    Parameters
    ----------
    inclination_deg : float
        Positive down.
    declination_deg : float
        Positive east of the northing axis (grid north).
    total_nt : float
    """

    inclination_deg: float
    declination_deg: float
    total_nt: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """One magnetic body under one place on the ground.

    Parameters
    ----------
    name, kind : str
        The kind is ``prism``, ``sphere``, ``dyke`` or ``pipe``.
    easting_m, northing_m : float
        Of the middle of its top.
    depth_to_top_m, depth_to_centre_m : float
        Below the ground at that place.
    susceptibility_si : float
    source_class : str
        The class of ``quetzalcore.geophysics.deposits`` that a geologist would give it.
    parts_m : (m, 6) float64
        Prisms (west, east, south, north, bottom, top) that build the body, relative to that place on
        the ground, before ``strike_deg`` turns them. Empty for a sphere.
    radius_m : float
        Of a sphere; 0 for everything else.
    strike_deg : float
        Clockwise from northing: where the parts' northing axis points.
    koenigsberger : float
        Remanent over induced magnetisation, Q.
    remanence_inclination_deg, remanence_declination_deg : float
        Direction of the remanence, as of the field.
    """

    name: str
    kind: str
    easting_m: float
    northing_m: float
    depth_to_top_m: float
    depth_to_centre_m: float
    susceptibility_si: float
    source_class: str
    parts_m: Array
    radius_m: float = 0.0
    strike_deg: float = 0.0
    koenigsberger: float = 0.0
    remanence_inclination_deg: float = 0.0
    remanence_declination_deg: float = 0.0


def box(width_m: float, length_m: float, *, top_m: float, height_m: float) -> Array:
    """Build one prism, (1, 6) m: ``width_m`` across and ``length_m`` along, ``top_m`` below ground."""
    return np.array(
        [[-width_m / 2, width_m / 2, -length_m / 2, length_m / 2, -top_m - height_m, -top_m]]
    )


def sheet(
    thickness_m: float,
    length_m: float,
    *,
    dip_deg: float,
    top_m: float,
    height_m: float,
    steps: int = 24,
) -> Array:
    """Build a sheet that dips to the right of its strike, (steps, 6) m, as stairs of prisms.

    Parameters
    ----------
    thickness_m : float
        True thickness, across the dip.
    length_m : float
        Along strike.
    dip_deg : float
        Below the horizontal, to the right of strike; over 90 dips to the left.
    top_m, height_m : float
        Depth of the top and vertical extent.
    steps : int
        Stairs; make each lower than the sensor is above them.
    """
    dip = np.radians(dip_deg)
    edges = np.linspace(0.0, height_m, steps + 1)
    middle = (edges[:-1] + edges[1:]) / 2 / np.tan(dip)
    half = np.full(steps, thickness_m / np.sin(dip) / 2)
    along = np.full(steps, length_m / 2)
    return np.column_stack(
        [middle - half, middle + half, -along, along, -top_m - edges[1:], -top_m - edges[:-1]]
    )


def pipe(
    radius_m: float,
    *,
    top_m: float,
    height_m: float,
    taper: float = 0.0,
    strips: int = 12,
    steps: int = 5,
) -> Array:
    """Build a vertical pipe, (strips * steps, 6) m, as north-south strips of equal width.

    Parameters
    ----------
    radius_m : float
        At the top.
    top_m, height_m : float
        Depth of the top and vertical extent.
    taper : float
        Share of the radius that is lost by the bottom.
    strips, steps : int
        Strips across and levels down. Each level has the circle's area.
    """
    edges = np.linspace(-1.0, 1.0, strips + 1)
    # The mean half-chord of each strip, so that areas are exact.
    area = (edges * np.sqrt(1 - edges**2) + np.arcsin(edges)) / 2
    half = np.diff(area) / np.diff(edges)
    levels = np.linspace(0.0, height_m, steps + 1)
    rows = []
    for upper, lower in pairwise(levels):
        radius = radius_m * (1 - taper * (upper + lower) / 2 / height_m)
        depths = np.tile([-top_m - lower, -top_m - upper], (strips, 1))
        plan = radius * np.column_stack([edges[:-1], edges[1:], -half, half])
        rows.append(np.hstack([plan, depths]))
    return np.vstack(rows)


def magnetization_am(body: Body, earth: MagneticField) -> Array:
    """Return induced plus remanent magnetisation, (3,) A/m; a sphere demagnetises itself."""
    demagnetised = 1 + body.susceptibility_si / 3 if body.radius_m else 1.0
    induced = body.susceptibility_si / demagnetised * earth.total_nt * 1e-9 / _MU0
    along = direction(earth.inclination_deg, earth.declination_deg)
    frozen = direction(body.remanence_inclination_deg, body.remanence_declination_deg)
    return induced * (along + body.koenigsberger * frozen)


def body_field(
    body: Body,
    earth: MagneticField,
    *,
    ground_m: float,
    easting_m: Array,
    northing_m: Array,
    upward_m: Array,
) -> Array:
    """Compute a body's field, (3, n) nT: easting, northing and upward, on the survey's axes.

    ``ground_m`` is the elevation of the ground over the body, on the datum of ``upward_m``.
    """
    m = magnetization_am(body, earth)
    relative = np.array(
        [easting_m - body.easting_m, northing_m - body.northing_m, upward_m - ground_m]
    )
    if body.radius_m:
        moment = 4 / 3 * np.pi * body.radius_m**3 * m
        centre = [[0.0, 0.0, -body.depth_to_centre_m]]
        return np.array(dipole_field(relative[0], relative[1], relative[2], centre, [moment]))
    turned = turn(m, body.strike_deg)

    def field(e: Array, n: Array, u: Array) -> tuple[Array, Array, Array]:
        return prism_field(e, n, u, body.parts_m, [turned])

    return turned_field(field, relative, strike_deg=body.strike_deg)


def turn(vector: Array, strike_deg: float) -> Array:
    """Return (3, ...) components on axes whose northing points along ``strike_deg``."""
    strike = np.radians(strike_deg)
    c, s = np.cos(strike), np.sin(strike)
    return np.array([c * vector[0] - s * vector[1], s * vector[0] + c * vector[1], vector[2]])


def turned_field(
    field: Callable[[Array, Array, Array], tuple[Array, Array, Array]],
    relative_m: Array,
    *,
    strike_deg: float,
) -> Array:
    """Compute a field on axes along ``strike_deg``, and return it on the survey's, (3, n) nT."""
    east, north, up = turn(relative_m, strike_deg)
    return turn(np.array(field(east, north, up)), -strike_deg)
