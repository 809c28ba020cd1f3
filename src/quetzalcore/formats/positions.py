"""Positions from a file to projected metres, with the mistakes that people make in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quetzalcore.errors import BadSurvey, BadTable, Where
from quetzalcore.formats.crs import WGS84, in_metres, is_geographic, to_lonlat, transform, utm_crs
from quetzalcore.formats.options import ReadOptions, Role
from quetzalcore.formats.roles import RoleGuess
from quetzalcore.formats.table import Column
from quetzalcore.geophysics.survey import Bools, Floats

__all__ = ["Frame", "Positions", "check_positions", "choose_frame", "disagreement_m", "project"]

_DEGREES_X, _DEGREES_Y = 360.0, 90.0
_SMALL_EXTENT = 5.0
_SAMPLE = 200_000  # places that tell what kind they are
_USER = 1000
_MOST_NAMED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Which pair of columns gives the position, and what it is measured in.

    Parameters
    ----------
    x, y : str
        Column names.
    geographic : bool
        Whether they are longitude and latitude in degrees.
    crs : str or None
        Reference system of the pair; None for a local frame.
    note : str
        How it was chosen.
    """

    x: str
    y: str
    geographic: bool
    crs: str | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """Projected positions; longitude and latitude where they are known."""

    easting_m: Floats
    northing_m: Floats
    crs: str | None
    longitude_deg: Floats | None
    latitude_deg: Floats | None


def choose_frame(
    roles: dict[Role, RoleGuess],
    columns: Sequence[Column],
    *,
    file_crs: str | None,
    options: ReadOptions,
    where: Where,
) -> Frame:
    """Decide which pair of columns is the position.

    What the user named comes first; a projected pair is taken where its reference system is known,
    else longitude and latitude, else a projected pair as a local frame.

    Raises
    ------
    BadTable
        If there is no pair.
    """
    lonlat = _pair(roles, Role.LONGITUDE, Role.LATITUDE)
    plane = _pair(roles, Role.EASTING, Role.NORTHING)
    crs = options.crs or file_crs
    if lonlat is None and plane is None:
        raise BadTable(
            f"no columns give the position (columns: {_listed(columns)})",
            hint="name them: --column longitude=NAME --column latitude=NAME, or easting and northing",
            where=where,
        )
    if crs is not None and is_geographic(crs) and plane is not None and lonlat is None:
        lonlat, plane = plane, None
    wants_plane = plane is not None and (
        lonlat is None
        or roles[Role.EASTING].score == _USER
        or (crs is not None and not is_geographic(crs) and roles[Role.LONGITUDE].score < _USER)
    )
    if plane is not None and wants_plane:
        said = f"on {crs}" if crs else "as a local frame: no reference system is known (give --crs)"
        return Frame(
            x=plane[0], y=plane[1], geographic=False, crs=crs,
            note=f"positions are {plane[0]}, {plane[1]} {said}",
        )  # fmt: skip
    if lonlat is None:
        raise AssertionError  # pragma: no cover -- one of the pairs is there
    base = crs if crs is not None and is_geographic(crs) else WGS84
    return Frame(
        x=lonlat[0], y=lonlat[1], geographic=True, crs=base,
        note=f"positions are {lonlat[0]}, {lonlat[1]} on {'WGS 84' if base == WGS84 else base}",
    )  # fmt: skip


def _listed(columns: Sequence[Column]) -> str:
    """Name columns, and say which of them hold words: a thousands separator makes a number one."""
    named = [c.name if c.numeric else f"{c.name} (text)" for c in columns[:_MOST_NAMED]]
    return ", ".join(named) + (", ..." if len(columns) > _MOST_NAMED else "")


def _pair(roles: dict[Role, RoleGuess], x: Role, y: Role) -> tuple[str, str] | None:
    return (roles[x].column, roles[y].column) if x in roles and y in roles else None


def unusable(x: Floats, y: Floats, *, geographic: bool) -> list[tuple[str, Bools]]:
    """Give the rows, (n,) bool, that have no position, each kind with its name.

    Degrees beyond the globe count only where they are the exception: else the columns are wrong.
    """
    found = [("no position", ~(np.isfinite(x) & np.isfinite(y)))]
    if geographic:
        beyond = (np.abs(x) > _DEGREES_X) | (np.abs(y) > _DEGREES_Y)
        found.append(("position 0, 0", (x == 0.0) & (y == 0.0)))
        if 2 * int(beyond.sum()) < len(x):
            found.append(("position beyond the globe", beyond))
    return found


def check_positions(x: Floats, y: Floats, frame: Frame, where: Where) -> None:
    """Refuse coordinates that cannot be what their columns are called. NaN is left out.

    Raises
    ------
    BadSurvey
        If latitude and longitude are swapped, metres are called degrees or degrees metres.
    """
    step = 1 + len(x) // _SAMPLE
    x, y = x[::step], y[::step]
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        raise BadSurvey(
            f"no row has a position in {frame.x} and {frame.y}",
            hint="check these columns, or name others with --column",
            where=where,
        )
    middle_x, middle_y = float(np.median(x[finite])), float(np.median(y[finite]))
    if frame.geographic:
        _check_degrees(middle_x, middle_y, frame, where)
    elif abs(middle_x) <= _DEGREES_X and abs(middle_y) <= _DEGREES_Y:
        extent = max(np.ptp(x[finite]), np.ptp(y[finite]))
        if frame.crs is not None or extent < _SMALL_EXTENT:
            raise BadSurvey(
                f"columns {frame.x} and {frame.y} look like degrees (median {middle_x:.6g}, "
                f"{middle_y:.6g}) and are called metres",
                hint=f"say --column longitude={frame.x} --column latitude={frame.y} and no --crs",
                where=where,
            )


def _check_degrees(middle_x: float, middle_y: float, frame: Frame, where: Where) -> None:
    if abs(middle_x) <= _DEGREES_X and abs(middle_y) <= _DEGREES_Y:
        return
    if abs(middle_x) <= _DEGREES_Y and abs(middle_y) <= _DEGREES_X:
        raise BadSurvey(
            f"longitude and latitude are swapped: the median of {frame.y} is {middle_y:.6g} degrees",
            hint=f"say --column longitude={frame.y} --column latitude={frame.x}",
            where=where,
        )
    raise BadSurvey(
        f"columns {frame.x} and {frame.y} look like metres (median {middle_x:.6g}, {middle_y:.6g}) "
        "and are called degrees",
        hint=f"say --column easting={frame.x} --column northing={frame.y} and give --crs",
        where=where,
    )


def disagreement_m(
    easting_m: Floats, northing_m: Floats, longitude_deg: Floats, latitude_deg: Floats, *, crs: str
) -> float:
    """Return the median distance between two statements of the same positions, metres.

    Zero where nothing can be compared.
    """
    x, y = transform(longitude_deg, latitude_deg, source=WGS84, target=crs)
    apart = np.hypot(x - easting_m, y - northing_m)
    known = apart[np.isfinite(apart)]
    return float(np.median(known)) if len(known) else 0.0


def project(x: Floats, y: Floats, frame: Frame, target: str | None = None) -> Positions:
    """Project positions to ``target`` (default: the UTM zone of the median, or the file's own)."""
    if frame.crs is None:
        return Positions(easting_m=x, northing_m=y, crs=None, longitude_deg=None, latitude_deg=None)
    if not frame.geographic and target is None and in_metres(frame.crs):
        longitude, latitude = to_lonlat(x, y, frame.crs)
        return Positions(
            easting_m=x,
            northing_m=y,
            crs=frame.crs,
            longitude_deg=longitude,
            latitude_deg=latitude,
        )
    known = frame.crs == WGS84
    longitude, latitude = (x, y) if known else to_lonlat(x, y, frame.crs)
    crs = target or utm_crs(longitude, latitude)
    easting, northing = transform(longitude, latitude, source=WGS84, target=crs)
    return Positions(
        easting_m=easting,
        northing_m=northing,
        crs=crs,
        longitude_deg=longitude,
        latitude_deg=latitude,
    )
