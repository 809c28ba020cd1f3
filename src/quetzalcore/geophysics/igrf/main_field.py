"""The main field at points, exactly: the full spherical-harmonic sum at each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.igrf.coefficients import check_years, model
from quetzalcore.geophysics.igrf.synthesis import synthesise

__all__ = [
    "DEEPEST_M",
    "RIGHT_ANGLE_DEG",
    "Field",
    "Points",
    "check_points",
    "exact",
    "field",
    "main_field_direction",
    "read_points",
    "shape_points",
]

Floats = NDArray[np.float64]
RIGHT_ANGLE_DEG = 90.0
DEEPEST_M = -3_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """The geomagnetic main field on geodetic axes, nT; NaN where the point was NaN.

    Parameters
    ----------
    easting_nt, northing_nt, upward_nt : (...) float64
        True east, true north, and up along the ellipsoid's normal.
    """

    easting_nt: Floats
    northing_nt: Floats
    upward_nt: Floats

    @property
    def total_nt(self) -> Floats:
        """Give the total intensity, nT."""
        return np.sqrt(self.easting_nt**2 + self.northing_nt**2 + self.upward_nt**2)

    @property
    def inclination_deg(self) -> Floats:
        """Give the angle below the horizontal, degrees, positive down."""
        horizontal = np.hypot(self.easting_nt, self.northing_nt)
        return np.degrees(np.arctan2(-self.upward_nt, horizontal))

    @property
    def declination_deg(self) -> Floats:
        """Give the angle from true north, degrees, positive east, -180 to 180."""
        return np.degrees(np.arctan2(self.easting_nt, self.northing_nt))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """Flat, contiguous float64 inputs, and the shape that the answer has."""

    longitude_deg: Floats
    latitude_deg: Floats
    height_m: Floats
    year: Floats
    shape: tuple[int, ...]

    @property
    def columns(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Give year (empty where one date holds for all), height, longitude, latitude."""
        year = self.year if self.year.size == len(self.height_m) else self.year[:0]
        return year, self.height_m, self.longitude_deg, self.latitude_deg

    def at_longitudes(self, longitude_deg: Floats) -> Points:
        """Return the same points with other longitudes."""
        return replace(self, longitude_deg=longitude_deg)

    def rows(self, keep: NDArray[np.bool_]) -> Points:
        """Return the points that ``keep`` names; a scalar year stays scalar."""
        return Points(
            longitude_deg=self.longitude_deg[keep],
            latitude_deg=self.latitude_deg[keep],
            height_m=self.height_m[keep],
            year=self.year if self.year.size == 1 else self.year[keep],
            shape=(int(keep.sum()),),
        )


def field(
    longitude_deg: ArrayLike, latitude_deg: ArrayLike, height_m: ArrayLike, year: ArrayLike
) -> Field:
    """Compute IGRF-14 exactly at every point.

    Parameters
    ----------
    longitude_deg, latitude_deg : array_like
        Geodetic, WGS 84, degrees; any longitude, latitude from -90 to 90. At a pole, north and east are
        those of the meridian that ``longitude_deg`` names.
    height_m : array_like
        Height above the WGS 84 **ellipsoid**, metres.
    year : array_like
        Decimal year, 1900 to 2030 (see :func:`decimal_year`), one for all or one a point.
        All four broadcast together. NaN anywhere gives NaN there.

    Returns
    -------
    Field
        With the common shape.

    Raises
    ------
    BadParameter
        If a latitude or a year is out of range, or the shapes do not go together.

    References
    ----------
    Alken, P., et al. (2021). International Geomagnetic Reference Field: the thirteenth generation.
    Earth, Planets and Space, 73, 49 (the equations; coefficients are of the fourteenth generation).
    """
    points = read_points(longitude_deg, latitude_deg, height_m, year)
    return exact(points)


def exact(points: Points) -> Field:
    """Compute the field at checked points."""
    one_date = points.year.size == 1
    parts = _at_year(points, float(points.year[0])) if one_date else _at_years(points)
    east, north, up = (part.reshape(points.shape) for part in parts)
    return Field(easting_nt=east, northing_nt=north, upward_nt=up)


def main_field_direction(
    longitude_deg: float, latitude_deg: float, height_m: float, year: float
) -> tuple[float, float]:
    """Return (inclination, declination) of IGRF-14 at one point, degrees; see :func:`field`."""
    here = field(longitude_deg, latitude_deg, height_m, year)
    return float(here.inclination_deg), float(here.declination_deg)


def read_points(
    longitude_deg: ArrayLike, latitude_deg: ArrayLike, height_m: ArrayLike, year: ArrayLike
) -> Points:
    """Bring the inputs to one flat shape and check their ranges."""
    points = shape_points(longitude_deg, latitude_deg, height_m, year)
    check_points(points)
    return points


def shape_points(
    longitude_deg: ArrayLike, latitude_deg: ArrayLike, height_m: ArrayLike, year: ArrayLike
) -> Points:
    """Bring the inputs to one flat shape; a scalar year stays one number. Ranges are not checked."""
    raw = [np.asarray(part, np.float64) for part in (longitude_deg, latitude_deg, height_m, year)]
    try:
        shape = np.broadcast_shapes(*(part.shape for part in raw))
    except ValueError:
        raise BadParameter(
            f"shapes {', '.join(str(part.shape) for part in raw)} do not go together",
            hint="give longitude, latitude, height and year the same shape, or scalars",
        ) from None
    flat = [_flat(part, shape) for part in raw[:3]]
    return Points(
        longitude_deg=flat[0],
        latitude_deg=flat[1],
        height_m=flat[2],
        year=raw[3].reshape(-1) if raw[3].size == 1 else _flat(raw[3], shape),
        shape=shape,
    )


def check_points(points: Points) -> None:
    """Refuse latitudes off the globe, heights inside the core, and dates outside the model."""
    check_years(points.year)
    _check_range(points.latitude_deg, points.height_m)


def _flat(values: Floats, shape: tuple[int, ...]) -> Floats:
    return np.ascontiguousarray(np.broadcast_to(values, shape)).reshape(-1)


def _check_range(latitude_deg: Floats, height_m: Floats) -> None:
    """Refuse latitudes off the globe and heights inside the core; NaN passes both."""
    if latitude_deg.size and np.fmax.reduce(np.abs(latitude_deg), axis=None) > RIGHT_ANGLE_DEG:
        raise BadParameter(
            "a latitude is beyond 90 degrees", hint="check that longitude comes before latitude"
        )
    if height_m.size and np.fmin.reduce(height_m, axis=None) < DEEPEST_M:
        raise BadParameter(
            "a height is inside the Earth's core, where the series does not hold",
            hint="give ellipsoidal heights in metres",
        )


def _at_year(points: Points, year: float) -> tuple[Floats, Floats, Floats]:
    """Sum once for all points of one date."""
    if np.isnan(year):
        nothing = np.full(len(points.height_m), np.nan)
        return nothing, nothing.copy(), nothing.copy()
    g, h = model().at(year)
    return synthesise(points.longitude_deg, points.latitude_deg, points.height_m, g, h)


def _at_years(points: Points) -> tuple[Floats, Floats, Floats]:
    """Sum at the first and last date within each five-year interval and interpolate: exact."""
    parts = tuple(np.full(len(points.height_m), np.nan) for _ in range(3))
    known = np.isfinite(points.year)
    interval = model().interval(points.year)
    for index in np.unique(interval[known]):
        rows = known & (interval == index)
        some = points.rows(rows)
        first, last = float(some.year.min()), float(some.year.max())
        begin = _at_year(some, first)
        end = _at_year(some, last) if last > first else begin
        share = (some.year - first) / (last - first) if last > first else 0.0
        for whole, a, b in zip(parts, begin, end, strict=True):
            whole[rows] = a + share * (b - a)
    return parts[0], parts[1], parts[2]
