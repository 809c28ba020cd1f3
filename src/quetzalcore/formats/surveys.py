"""A file to a survey in projected metres, with everything that was assumed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from quetzalcore.formats.desk import Desk
from quetzalcore.formats.gathering import Gatherer
from quetzalcore.formats.options import ReadOptions, Role
from quetzalcore.formats.rejects import RejectedRows
from quetzalcore.formats.roles import ChannelState, RoleGuess
from quetzalcore.formats.table import Layout
from quetzalcore.geophysics.survey import Survey

__all__ = ["ReadSurvey", "read_chunks", "read_survey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSurvey:
    """A survey and how it was read.

    Parameters
    ----------
    survey : Survey
        In projected metres.
    layout : Layout
        How the file is built.
    roles : mapping of Role to RoleGuess
        Which column was taken for what, and why.
    state : ChannelState
        How far the chosen magnetic channel was processed, by its name.
    rejected : RejectedRows
        Rows that could not be used.
    date : datetime.date or None
        The middle of the survey's dates, from its dates or times, or as the user gave it.
    notes : tuple of str
        Everything that was assumed or changed.
    """

    survey: Survey
    layout: Layout
    roles: Mapping[Role, RoleGuess]
    state: ChannelState
    rejected: RejectedRows
    date: dt.date | None
    notes: tuple[str, ...]


def read_survey(path: str | Path, options: ReadOptions | None = None) -> ReadSurvey:
    """Read a whole survey.

    Rows that do not parse or have no position are left out, counted and named. Readings that are
    missing stay as NaN. A file with more stations than ``options.limits.max_stations`` is thinned
    while it is read.

    Raises
    ------
    UnreadableInput
        If the file cannot be opened, decoded or decompressed.
    BadTable
        If it is no table with positions and a magnetic reading.
    BadSurvey
        If its positions or readings cannot be what their columns are called.
    """
    desk = Desk(path, options or ReadOptions())
    gatherer = Gatherer(max_stations=desk.options.limits.max_stations)
    for batch in desk.batches():
        gatherer.add(desk.part(batch))
    part = gatherer.take()
    if gatherer.step > 1:
        desk.note(
            f"the file holds more than {desk.options.limits.max_stations:,} stations: every "
            f"{gatherer.step} consecutive ones of a line were averaged"
        )
    survey = desk.survey(part)
    return ReadSurvey(
        survey=survey,
        layout=desk.layout,
        roles=MappingProxyType(desk.roles),
        state=desk.state,
        rejected=desk.rejects.freeze(),
        date=desk.date,
        notes=tuple(desk.notes),
    )


def read_chunks(path: str | Path, options: ReadOptions | None = None) -> Iterator[Survey]:
    """Read a survey of any size piece by piece, in the order of the file.

    All pieces are on the reference system of the first; ``line_names`` grows from piece to piece,
    so that a line's index stays the same. A line may go on in the next piece.

    Raises
    ------
    UnreadableInput, BadTable, BadSurvey
        As :func:`read_survey`.
    """
    desk = Desk(path, options or ReadOptions())
    for batch in desk.batches():
        part = desk.part(batch)
        if len(part):
            yield desk.survey(part)
