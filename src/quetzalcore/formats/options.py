"""What a reader may be told: roles, reference system, units, limits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.survey import HeightRole

__all__ = ["Limits", "ReadOptions", "Role"]

_GIB = 1 << 30


class Role(StrEnum):
    """What a column is for; the names are those of ``--column role=name``."""

    EASTING = "easting"
    NORTHING = "northing"
    LONGITUDE = "longitude"
    LATITUDE = "latitude"
    HEIGHT = "height"
    TMI = "tmi"
    TIME = "time"
    DATE = "date"
    LINE = "line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a file may ask of this machine.

    Parameters
    ----------
    max_decompressed_bytes : int
        A compressed file may not grow beyond this.
    max_ratio : float
        Nor beyond this many times its own size (checked once it has grown beyond 16 MiB).
    max_row_bytes : int
        A text row may not be longer than this.
    max_stations : int
        A survey that would hold more stations is thinned while it is read: consecutive stations of a
        line are averaged two by two until it fits, and a note says so.
    """

    max_decompressed_bytes: int = 64 * _GIB
    max_ratio: float = 200.0
    max_row_bytes: int = 1 << 20
    max_stations: int = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What the user knows about a file; everything else is guessed and said.

    Parameters
    ----------
    columns : mapping of role name to column name
        Overrides the guess. A column may also be given by its number, counted from 1.
    crs : str, optional
        Reference system of the coordinates in the file, as pyproj reads it.
    height_role : HeightRole, optional
        What heights are measured from, where the column's name does not say.
    delimiter : str, optional
        One character; ``" "`` means any run of blanks.
    date : datetime.date or str, optional
        Date of the survey (``YYYY-MM-DD``), where the file has no date.
    units : mapping of role name to unit
        Overrides the unit, for example ``{"tmi": "nT"}``.
    missing : tuple of float
        Further values that mean "no data", in any column.
    channels : tuple of str, optional
        Further columns to keep; None keeps every numeric column.
    limits : Limits
        How much the file may ask of this machine.
    """

    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    crs: str | None = None
    height_role: HeightRole | None = None
    delimiter: str | None = None
    date: dt.date | str | None = None
    units: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    missing: tuple[float, ...] = ()
    channels: tuple[str, ...] | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Check role names and the delimiter."""
        known = [role.value for role in Role]
        for role in (*self.columns, *self.units):
            if role not in known:
                raise BadParameter(
                    f"there is no column role {role!r}", hint=f"use one of {', '.join(known)}"
                )
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise BadParameter(
                f"the delimiter {self.delimiter!r} is not one character",
                hint="give one character, or a blank for any run of blanks",
            )

    @property
    def survey_date(self) -> dt.date | None:
        """The date as a date."""
        if self.date is None or isinstance(self.date, dt.date):
            return self.date
        try:
            return dt.date.fromisoformat(self.date)
        except ValueError:
            raise BadParameter(
                f"the date {self.date!r} is not a date", hint="write it as YYYY-MM-DD"
            ) from None
