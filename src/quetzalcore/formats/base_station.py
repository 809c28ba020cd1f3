"""A base station's file: the field at one place against time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quetzalcore.errors import BadSurvey, BadTable, Where
from quetzalcore.formats.dummies import drop_dummies
from quetzalcore.formats.field import check_field_unit, field_unit
from quetzalcore.formats.options import ReadOptions, Role
from quetzalcore.formats.readers import open_table
from quetzalcore.formats.rejects import RejectedRows, Rejects
from quetzalcore.formats.roles import RoleGuess, guess_roles
from quetzalcore.formats.stamps import Stamps
from quetzalcore.formats.table import Batch, Column, Layout, Wanted
from quetzalcore.geophysics.survey import Floats

__all__ = ["BaseStationFile", "read_base_station"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BaseStationFile:
    """Readings in the order of time.

    Parameters
    ----------
    time_s : (n,) float64
        Seconds since 1970-01-01T00:00 UTC, increasing.
    tmi_nt : (n,) float64
        Total field, nT. Finite.
    rejected : RejectedRows
        Rows that could not be used.
    notes : tuple of str
        Everything that was assumed.
    """

    time_s: Floats
    tmi_nt: Floats
    rejected: RejectedRows
    notes: tuple[str, ...]


def read_base_station(path: str | Path, options: ReadOptions | None = None) -> BaseStationFile:
    """Read time and field of a base station, in any table format.

    Rows without a time or a reading are left out and counted; of two readings at one time the first
    is kept.

    Raises
    ------
    UnreadableInput, BadTable
        If it is no table with time and field.
    BadSurvey
        If times have no date, or fewer than two readings are left.
    """
    options = options or ReadOptions()
    source, reader = open_table(path, options)
    roles = _roles(reader.layout, options, source.where)
    stamps = Stamps(roles, reader.layout, options.survey_date)
    rejects = Rejects()
    column = reader.layout.column(roles[Role.TMI].column)
    if column is None:
        raise AssertionError  # pragma: no cover -- the role came from these columns
    wanted = _wanted(stamps, column)
    batches = list(reader.batches(wanted, rejects))
    seconds, tmi_nt = _columns(batches, stamps, column, options, source.where)
    good = np.isfinite(seconds) & np.isfinite(tmi_nt)
    rows = np.concatenate([batch.rows for batch in batches])
    for row in rows[~good]:
        rejects.add(int(row), "no time or no reading")
    time_s, first = np.unique(seconds[good], return_index=True)
    if len(time_s) < 2:  # noqa: PLR2004 -- one reading is no variation
        raise BadSurvey(
            f"the base station has {len(time_s)} usable readings",
            hint="check its time and field columns",
            where=source.where,
        )
    return BaseStationFile(
        time_s=time_s,
        tmi_nt=tmi_nt[good][first],
        rejected=rejects.freeze(),
        notes=(*reader.layout.notes, *stamps.notes),
    )


def _roles(layout: Layout, options: ReadOptions, where: Where) -> dict[Role, RoleGuess]:
    """Guess time, date and field; names such as ``base`` and ``diurnal`` mean the field here."""
    roles = guess_roles(layout.columns, options.columns, where)
    if Role.TMI not in roles:
        words = ("base", "diurnal", "mag", "field", "nt")
        named = [c for c in layout.columns if c.numeric and any(w in c.name.lower() for w in words)]
        taken = {guess.column for guess in roles.values()}
        fitting = [c for c in named if c.name not in taken]
        if not fitting:
            raise BadTable(
                "no numeric column is a magnetic reading",
                hint="name it: --column tmi=NAME",
                where=where,
            )
        roles[Role.TMI] = RoleGuess(
            role=Role.TMI, column=fitting[0].name, reason="names the base station's field", score=50
        )
    if Role.TIME not in roles:
        raise BadTable(
            "no column gives the time of a reading",
            hint="name it: --column time=NAME",
            where=where,
        )
    return roles


def _wanted(stamps: Stamps, column: Column) -> Wanted:
    time = () if stamps.time is None else (stamps.time,)
    date = () if stamps.date is None else (stamps.date,)
    if stamps.time_is_text:
        return Wanted(numbers=(column.name,), texts=(*time, *date), needed=frozenset({column.name}))
    numbers = (*time, column.name)
    return Wanted(numbers=numbers, texts=date, needed=frozenset(numbers))


def _columns(
    batches: list[Batch], stamps: Stamps, column: Column, options: ReadOptions, where: Where
) -> tuple[Floats, Floats]:
    raw, dates = zip(*(stamps.of_batch(batch) for batch in batches), strict=True)
    times = np.concatenate([part for part in raw if part is not None])
    codes = [part for part in dates if part is not None]
    seconds = stamps.seconds(times, np.concatenate(codes) if codes else None)
    if seconds is None:
        raise BadSurvey("the base station's times have no date", hint="give --date", where=where)
    readings = np.concatenate([batch.numbers[column.name] for batch in batches])
    unit = field_unit(column, options.units.get(Role.TMI))
    readings = drop_dummies(readings, (*column.missing, *options.missing), Counter())
    check_field_unit(readings, unit, column.name, where)
    return seconds, readings * unit.factor
