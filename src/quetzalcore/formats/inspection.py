"""A look into a file: what it holds and what reading it would assume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from quetzalcore.errors import UserMistake
from quetzalcore.formats.desk import Desk
from quetzalcore.formats.dummies import drop_dummies
from quetzalcore.formats.field import field_unit, looks_like
from quetzalcore.formats.options import ReadOptions, Role
from quetzalcore.formats.readers import open_table
from quetzalcore.formats.rejects import RejectedRows, Rejects
from quetzalcore.formats.roles import RoleGuess, candidates, channel_state, guess_roles
from quetzalcore.formats.table import Batch, Column, TableReader, Wanted
from quetzalcore.geophysics.survey import Floats

__all__ = ["ColumnReport", "Inspection", "MagneticChannel", "inspect"]

_PREVIEW_ROWS = 5
_MEDIAN_OF = 50_000  # values a batch gives towards the median
_MOST_LINES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnReport:
    """One column: what it is called, holds and may be for. Numbers are None where there is none."""

    name: str
    alias: str
    dtype: str
    unit: str | None
    role: str | None
    reason: str
    minimum: float | None
    median: float | None
    maximum: float | None
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MagneticChannel:
    """One column that may be the total field, how far it is processed, and whether it is taken."""

    name: str
    state: str
    chosen: bool
    looks_like: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a file holds, and what ``run`` would assume.

    ``assumed`` is every assumption in words; ``problem`` is why the file cannot be run as it is, or
    None; statistics are in the file's own units, dummies left out.
    """

    path: str
    format: str
    compression: str
    delimiter: str | None
    encoding: str | None
    header_row: int | None
    rows: int
    lines: int | None
    rejected: RejectedRows
    columns: tuple[ColumnReport, ...]
    magnetic_channels: tuple[MagneticChannel, ...]
    roles: Mapping[str, str]
    crs: str | None
    preview: tuple[tuple[str, ...], ...]
    assumed: tuple[str, ...]
    warnings: tuple[str, ...]
    problem: str | None
    hint: str | None

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain lists, dicts, strings and numbers."""
        plain = {
            name: value
            for name in self.__dataclass_fields__
            if name not in {"rejected", "columns", "magnetic_channels", "roles"}
            for value in [getattr(self, name)]
        }
        return {
            **plain,
            "preview": [list(row) for row in self.preview],
            "assumed": list(self.assumed),
            "warnings": list(self.warnings),
            "roles": dict(self.roles),
            "columns": [asdict(column) for column in self.columns],
            "magnetic_channels": [asdict(channel) for channel in self.magnetic_channels],
            "rejected": {
                "count": self.rejected.count,
                "reasons": dict(self.rejected.reasons),
                "first": [asdict(row) for row in self.rejected.first],
            },
        }


def inspect(path: str | Path, *, options: ReadOptions | None = None) -> Inspection:
    """Look at every row of a file once and say what it holds and what reading it would assume.

    Only files that cannot be opened or are no table raise; whatever else stands in the way of
    reading a survey is ``problem``.

    Raises
    ------
    UnreadableInput, BadTable
        If the file cannot be opened, decoded or decompressed, or is no table.
    """
    options = options or ReadOptions()
    _, reader = open_table(path, options)
    layout = reader.layout
    trial = _trial(path, options)
    rejects = Rejects()
    tallies = {column.name: _Tally(column) for column in layout.columns}
    rows = 0
    preview: tuple[tuple[str, ...], ...] = ()
    for batch in _everything(reader, rejects):
        preview = preview or _preview(batch, layout.columns)
        rows += len(batch)
        for tally in tallies.values():
            tally.add(batch, options.missing)
    line = trial.roles.get(Role.LINE)
    return Inspection(
        path=str(path),
        format=layout.format,
        compression=layout.compression,
        delimiter=layout.delimiter,
        encoding=layout.encoding,
        header_row=layout.header_row,
        rows=rows,
        lines=None if line is None else len(tallies[line.column].distinct),
        rejected=rejects.freeze(),
        columns=tuple(tallies[c.name].report(trial.role_of(c)) for c in layout.columns),
        magnetic_channels=_magnetic(tallies, trial),
        roles={role.value: guess.column for role, guess in trial.roles.items()},
        crs=trial.crs,
        preview=preview,
        assumed=trial.assumed,
        warnings=_warnings(tallies, rejects.freeze(), rows),
        problem=trial.problem,
        hint=trial.hint,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """What reading the file's first rows as a survey brought to light."""

    roles: Mapping[Role, RoleGuess] = field(default_factory=dict)
    crs: str | None = None
    assumed: tuple[str, ...] = ()
    problem: str | None = None
    hint: str | None = None

    def role_of(self, column: Column) -> RoleGuess | None:
        """Give the role that the column would have, if any."""
        return next((g for g in self.roles.values() if g.column == column.name), None)


def _trial(path: str | Path, options: ReadOptions) -> _Trial:
    desk = None
    roles: Mapping[Role, RoleGuess] = {}
    try:
        source, reader = open_table(path, options)
        roles = guess_roles(reader.layout.columns, options.columns, source.where)
        desk = Desk(path, options)
        batch = next(desk.batches(), None)
        survey = None if batch is None else desk.survey(desk.part(batch))
    except UserMistake as mistake:
        place = f"{mistake.where}: " if mistake.where else ""
        return _Trial(
            roles=roles,
            assumed=() if desk is None else tuple(desk.notes),
            problem=f"{place}{mistake.detail}",
            hint=mistake.hint,
        )
    return _Trial(
        roles=desk.roles,
        crs=None if survey is None else survey.crs,
        assumed=tuple(desk.notes),
    )


def _everything(reader: TableReader, rejects: Rejects) -> Iterator[Batch]:
    columns = reader.layout.columns
    wanted = Wanted(
        numbers=tuple(c.name for c in columns if c.numeric),
        texts=tuple(c.name for c in columns if not c.numeric),
    )
    return reader.batches(wanted, rejects)


class _Tally:
    """Counts one column as batches pass."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.distinct: set[object] = set()
        self.values: list[Floats] = []
        self.missing = 0
        self._low, self._high = np.inf, -np.inf
        self._whole = True

    def add(self, batch: Batch, missing: tuple[float, ...]) -> None:
        """Take a batch in."""
        if not self.column.numeric:
            texts = batch.texts[self.column.name]
            self.missing += texts.null_count
            self._remember(texts.unique().to_pylist())
            return
        declared = (*self.column.missing, *missing)
        values = drop_dummies(batch.numbers[self.column.name], declared, Counter())
        finite = values[np.isfinite(values)]
        self.missing += len(values) - len(finite)
        if len(finite):
            self._low = min(self._low, float(finite.min()))
            self._high = max(self._high, float(finite.max()))
            self.values.append(finite[:: max(1, len(finite) // _MEDIAN_OF)])
            self._whole &= bool((self.values[-1] == np.round(self.values[-1])).all())
            self._remember(np.unique(finite).tolist())

    def _remember(self, values: list[object]) -> None:
        """Remember what occurs, as long as it may still be the names of lines."""
        if len(self.distinct) < _MOST_LINES:
            self.distinct.update(values)

    @property
    def median(self) -> float:
        """The median of a sample; NaN where there is no value."""
        return float(np.median(np.concatenate(self.values))) if self.values else float("nan")

    @property
    def span(self) -> tuple[float, float, float]:
        """Least, middle and greatest value."""
        return self._low, self.median, self._high

    def report(self, guess: RoleGuess | None) -> ColumnReport:
        """Say what was counted."""
        there = bool(self.values)
        kind = "integer" if self._whole and there else "number"
        return ColumnReport(
            name=self.column.name,
            alias=self.column.alias,
            dtype=kind if self.column.numeric else "text",
            unit=self.column.unit,
            role=None if guess is None else guess.role.value,
            reason="" if guess is None else guess.reason,
            minimum=self._low if there else None,
            median=self.median if there else None,
            maximum=self._high if there else None,
            missing=self.missing,
        )


def _magnetic(tallies: Mapping[str, _Tally], trial: _Trial) -> tuple[MagneticChannel, ...]:
    columns = tuple(tally.column for tally in tallies.values())
    chosen = trial.roles.get(Role.TMI)
    names = dict.fromkeys(g.column for g in candidates(columns) if g.role is Role.TMI)
    if chosen is not None:
        names[chosen.column] = None
    return tuple(
        MagneticChannel(
            name=name,
            state=channel_state(tallies[name].column).value,
            chosen=chosen is not None and name == chosen.column,
            looks_like=_in_words(tallies[name]),
        )
        for name in names
    )


def _warnings(tallies: Mapping[str, _Tally], rejected: RejectedRows, rows: int) -> tuple[str, ...]:
    found = [f"{times:,} rows were left out: {kind}" for kind, times in rejected.reasons.items()]
    found += [
        f"column {name}: {tally.missing:,} of {rows:,} values are missing"
        for name, tally in tallies.items()
        if 2 * tally.missing > rows
    ]
    return tuple(found)


def _in_words(tally: _Tally) -> str:
    factor = field_unit(tally.column, None).factor
    low, middle, high = (factor * value for value in tally.span)
    return looks_like(low, middle, high)


def _preview(batch: Batch, columns: tuple[Column, ...]) -> tuple[tuple[str, ...], ...]:
    def cell(column: Column, row: int) -> str:
        if column.numeric:
            value = batch.numbers[column.name][row]
            return "" if np.isnan(value) else f"{value:.12g}"
        return str(batch.texts[column.name][row].as_py() or "")

    rows = range(min(_PREVIEW_ROWS, len(batch)))
    return tuple(tuple(cell(column, row) for column in columns) for row in rows)
