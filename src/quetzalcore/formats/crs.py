"""Coordinate reference systems: the right UTM zone, both directions, and where grid north lies."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import pyproj
from pyproj.exceptions import CRSError, ProjError

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.survey import Floats
from quetzalcore.vgpu import for_slices

__all__ = [
    "WGS84",
    "crs_from_words",
    "in_metres",
    "is_geographic",
    "meridian_convergence_deg",
    "parse_crs",
    "to_lonlat",
    "transform",
    "utm_crs",
]

WGS84 = "EPSG:4326"
_SLICE = 50_000
_UTM_SOUTH_LIMIT, _UTM_NORTH_LIMIT = -80.0, 84.0
_UPS_NORTH, _UPS_SOUTH = "EPSG:5041", "EPSG:5042"
_MGA_ZONES = (46, 59)
_DATUM_OF_WORDS = (("gda2020", 7800), ("gda94", 28300), ("gda 94", 28300))


@lru_cache(maxsize=32)
def parse_crs(text: str) -> pyproj.CRS:
    """Read a reference system as pyproj does (``EPSG:32754``, ``32754``, WKT, PROJJSON).

    Raises
    ------
    BadParameter
        If pyproj does not know it.
    """
    try:
        return pyproj.CRS.from_user_input(int(text) if text.strip().isdigit() else text)
    except CRSError as error:
        raise BadParameter(
            f"the reference system {text!r} is not known",
            hint="give an EPSG code such as EPSG:32754",
        ) from error


def is_geographic(crs: str) -> bool:
    """Tell whether coordinates are longitude and latitude in degrees."""
    return bool(parse_crs(crs).is_geographic)


def in_metres(crs: str) -> bool:
    """Tell whether both axes of a projected system count metres."""
    axes = parse_crs(crs).axis_info[:2]
    return all(abs(axis.unit_conversion_factor - 1.0) < 1e-9 for axis in axes)  # noqa: PLR2004


def utm_crs(longitude_deg: Floats, latitude_deg: Floats) -> str:
    """Return the EPSG code of the UTM zone (WGS 84) that holds the median position.

    The zones' exceptions around Norway and Svalbard are kept; beyond 80 S and 84 N it is UPS.
    NaN is left out.

    Raises
    ------
    BadParameter
        If there is no finite position.
    """
    finite = np.isfinite(longitude_deg) & np.isfinite(latitude_deg)
    if not finite.any():
        raise BadParameter("no position is finite", hint="check the longitude and latitude columns")
    latitude = float(np.median(latitude_deg[finite]))
    longitude = _median_longitude(longitude_deg[finite])
    if latitude >= _UTM_NORTH_LIMIT:
        return _UPS_NORTH
    if latitude < _UTM_SOUTH_LIMIT:
        return _UPS_SOUTH
    zone = _exceptional_zone(longitude, latitude) or int((longitude + 180.0) // 6.0) % 60 + 1
    return f"EPSG:{(32600 if latitude >= 0.0 else 32700) + zone}"


def _median_longitude(longitude_deg: Floats) -> float:
    """Median on the circle: a survey across the date line stays on one side."""
    origin = float(longitude_deg[0])
    offset = np.mod(longitude_deg - origin + 180.0, 360.0) - 180.0
    return float(np.mod(origin + np.median(offset) + 180.0, 360.0) - 180.0)


def _exceptional_zone(longitude: float, latitude: float) -> int | None:
    """South-west Norway and Svalbard have wider zones."""
    if 56.0 <= latitude < 64.0 and 3.0 <= longitude < 12.0:  # noqa: PLR2004 -- UTM's own limits
        return 32
    if latitude < 72.0 or not 0.0 <= longitude < 42.0:  # noqa: PLR2004 -- UTM's own limits
        return None
    return 31 + 2 * int(np.searchsorted([9.0, 21.0, 33.0], longitude, side="right"))


def transform(x: Floats, y: Floats, *, source: str, target: str) -> tuple[Floats, Floats]:
    """Carry positions from one reference system to another, always in the order x, y.

    Parameters
    ----------
    x, y : (n,) float64
        Easting and northing in metres, or longitude and latitude in degrees. NaN stays NaN.
    source, target : str
        Reference systems.

    Returns
    -------
    tuple of (n,) float64
        Positions; NaN where the projection is not defined.
    """
    there = pyproj.Transformer.from_crs(parse_crs(source), parse_crs(target), always_xy=True)
    out_x, out_y = np.empty(len(x)), np.empty(len(x))

    def work(start: int, stop: int) -> None:
        out_x[start:stop], out_y[start:stop] = there.transform(x[start:stop], y[start:stop])

    for_slices(len(x), work, min_slice=_SLICE)
    undefined = ~(np.isfinite(out_x) & np.isfinite(out_y))
    out_x[undefined] = np.nan
    out_y[undefined] = np.nan
    return out_x, out_y


def to_lonlat(easting_m: Floats, northing_m: Floats, crs: str) -> tuple[Floats, Floats]:
    """Return longitude and latitude on WGS 84, degrees, of positions on ``crs``."""
    return transform(easting_m, northing_m, source=crs, target=WGS84)


def meridian_convergence_deg(easting_m: Floats, northing_m: Floats, crs: str) -> Floats:
    """Return the angle from true north to grid north, clockwise positive, degrees.

    A declination D from true north is D minus this angle on the axes of ``crs``.

    Parameters
    ----------
    easting_m, northing_m : (n,) float64
        Positions on ``crs``, metres. NaN gives NaN.
    crs : str
        A projected reference system; on a geographic one the angle is zero.
    """
    system = parse_crs(crs)
    angle = np.zeros(len(easting_m))
    if system.is_geographic:
        return angle
    base = system.geodetic_crs
    longitude, latitude = transform(
        easting_m, northing_m, source=crs, target=WGS84 if base is None else base.to_wkt()
    )

    def work(start: int, stop: int) -> None:
        projection = pyproj.Proj(system)
        part = slice(start, stop)
        with np.errstate(invalid="ignore"):
            factors = projection.get_factors(longitude[part], latitude[part])
        angle[part] = factors.meridian_convergence

    try:
        for_slices(len(angle), work, min_slice=_SLICE)
    except ProjError as error:
        raise BadParameter(
            f"the convergence of {crs} is not defined here ({error})",
            hint="check that the positions lie where the reference system is valid",
        ) from error
    angle[~np.isfinite(angle) | ~np.isfinite(longitude)] = np.nan
    return angle


def crs_from_words(text: str) -> str | None:
    """Find a reference system in a description: an EPSG code, ``UTM zone 54S``, ``MGA zone 55``."""
    code = re.search(r"EPSG\W{0,3}(\d{4,6})", text, re.IGNORECASE)
    if code:
        return f"EPSG:{code[1]}"
    zone = re.search(
        r"(map grid of australia|mga|utm)\W*(?:zone)?\W*(\d{1,2})\s*([NS]?)\b", text, re.IGNORECASE
    )
    if zone is None:
        return None
    number = int(zone[2])
    australian = zone[1].lower() != "utm" or "gda" in text.lower()
    if australian and _MGA_ZONES[0] <= number <= _MGA_ZONES[1]:
        base = next((b for words, b in _DATUM_OF_WORDS if words in text.lower()), 28300)
        return f"EPSG:{base + number}"
    if not 1 <= number <= 60 or not zone[3]:  # noqa: PLR2004 -- UTM has sixty zones
        return None
    return f"EPSG:{(32600 if zone[3].upper() == 'N' else 32700) + number}"
