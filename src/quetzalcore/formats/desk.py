"""One survey file while it is read: what its columns are for, and what was noted on the way."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import numpy as np

from quetzalcore.errors import BadSurvey, BadTable, Where
from quetzalcore.formats.dummies import drop_dummies
from quetzalcore.formats.field import check_field_unit, field_unit, looks_like
from quetzalcore.formats.gathering import Labels, Part, count_duplicates
from quetzalcore.formats.options import ReadOptions, Role
from quetzalcore.formats.positions import (
    Positions,
    check_positions,
    choose_frame,
    disagreement_m,
    project,
    unusable,
)
from quetzalcore.formats.readers import open_table
from quetzalcore.formats.rejects import Rejects
from quetzalcore.formats.roles import channel_state, guess_roles
from quetzalcore.formats.stamps import Stamps
from quetzalcore.formats.table import Batch, Column, Wanted
from quetzalcore.formats.units import find_unit
from quetzalcore.geophysics.survey import Bools, Floats, HeightRole, Ints, Survey

__all__ = ["Desk"]

_LISTED = 12
_SAMPLE = 200_000  # readings that tell what kind they are
_SAME_PLACE_M = 500.0  # old and new datums differ by less
_X, _Y, _TMI, _HEIGHT, _TIME = "@x", "@y", "@tmi", "@height", "@time"


class Desk:
    """Turns batches of a file into stations, and stations into a survey."""

    def __init__(self, path: str | Path, options: ReadOptions) -> None:
        self.options = options
        source, self._reader = open_table(path, options)
        self.layout = self._reader.layout
        self.where = source.where
        self.notes: list[str] = list(self.layout.notes)
        self.roles = guess_roles(self.layout.columns, options.columns, self.where)
        self.frame = choose_frame(
            self.roles,
            self.layout.columns,
            file_crs=self._proven_crs(),
            options=options,
            where=self.where,
        )
        self.note(self.frame.note)
        self._tmi = self._magnetic_column()
        self.state = channel_state(self._tmi)
        self._unit = field_unit(self._tmi, options.units.get(Role.TMI))
        self.rejects = Rejects()
        self._lines = Labels()
        self._nameless = 0
        self._stamps = Stamps(self.roles, self.layout, options.survey_date)
        self._dummies: dict[str, Counter[float]] = {}
        self._target: str | None = None
        self.date = options.survey_date
        self._channels = self._further_channels()

    def _proven_crs(self) -> str | None:
        """Give the reference system that the file names, unless its own longitudes say otherwise."""
        pairs = [Role.EASTING, Role.NORTHING, Role.LONGITUDE, Role.LATITUDE]
        crs = self.layout.crs
        if crs is None or self.options.crs or not all(role in self.roles for role in pairs):
            return crs
        names = tuple(self.roles[role].column for role in pairs)
        batch = next(self._reader.batches(Wanted(numbers=names), Rejects()), None)
        if batch is None:
            return crs
        columns = [drop_dummies(batch.numbers[name], (), Counter()) for name in names]
        apart_m = disagreement_m(*columns, crs=crs)
        if apart_m < _SAME_PLACE_M:
            return crs
        self.note(
            f"the file's description says {crs}, which lies {apart_m / 1000.0:,.0f} km from its own "
            "longitudes and latitudes: these are used instead"
        )
        return None

    def note(self, text: str) -> None:
        """Remember what was assumed, once."""
        if text not in self.notes:
            self.notes.append(text)

    def batches(self) -> Iterator[Batch]:
        """Read the columns that are used."""
        numbers = {self.frame.x, self.frame.y, self._tmi.name, *self._channels}
        if Role.HEIGHT in self.roles:
            numbers.add(self.roles[Role.HEIGHT].column)
        texts = [self.roles[role].column for role in (Role.LINE, Role.DATE) if role in self.roles]
        if self._stamps.time is not None:
            if self._stamps.time_is_text:
                texts.append(self._stamps.time)
            else:
                numbers.add(self._stamps.time)
        wanted = Wanted(
            numbers=tuple(c.name for c in self.layout.columns if c.name in numbers),
            texts=tuple(dict.fromkeys(texts)),
            needed=frozenset({self.frame.x, self.frame.y, self._tmi.name}),
        )
        return self._reader.batches(wanted, self.rejects)

    def part(self, batch: Batch) -> Part:
        """Take the stations out of a batch; rows without a position are rejected."""
        numbers = {
            name: self._without_dummies(name, values) for name, values in batch.numbers.items()
        }
        time, date = self._stamps.of_batch(batch)
        columns = {_X: numbers[self.frame.x], _Y: numbers[self.frame.y]}
        columns[_TMI] = numbers[self._tmi.name] * self._unit.factor
        if Role.HEIGHT in self.roles:
            columns[_HEIGHT] = numbers[self.roles[Role.HEIGHT].column] * self._height_factor()
        if time is not None:
            columns[_TIME] = time
        columns.update({name: numbers[name] for name in self._channels})
        return self._placed(batch, columns, self._line_codes(batch), date)

    def survey(self, part: Part) -> Survey:
        """Project the stations, bring lines together and build the survey."""
        numbers = part.numbers
        if not len(part):
            raise self._nothing_left()
        check_positions(numbers[_X], numbers[_Y], self.frame, self.where)
        self._check_readings(numbers[_TMI])
        places = project(numbers[_X], numbers[_Y], self.frame, self._target)
        self._target = places.crs
        seconds = self._stamps.seconds(numbers.get(_TIME), part.date)
        self.date = self._date_of(seconds, part.date)
        for text in self._stamps.notes:
            self.note(text)
        self._note_dummies()
        if self._nameless:
            self.note(f"{self._nameless:,} rows name no line: they are kept as line ?")
        self._note_duplicates(part)
        return self._sorted(self._built(part, places, seconds))

    def _nothing_left(self) -> BadSurvey:
        left = self.rejects.freeze()
        if not left.first:
            return BadSurvey(
                "the table has no rows", hint="check that the export finished", where=self.where
            )
        return BadSurvey(
            f"no row can be used (row {left.first[0].row}: {left.first[0].reason})",
            hint="see all of them with quetzal survey inspect",
            where=self.where,
        )

    def _date_of(self, seconds: Floats | None, date: Ints | None) -> dt.date | None:
        known = np.empty(0) if seconds is None else seconds[np.isfinite(seconds)]
        if len(known):
            return dt.date(1970, 1, 1) + dt.timedelta(seconds=float(np.median(known)))
        return self._stamps.median_date(date)

    def _built(self, part: Part, places: Positions, seconds: Floats | None) -> Survey:
        numbers = part.numbers
        good = np.isfinite(places.easting_m) & np.isfinite(places.northing_m)
        whole = bool(good.all())
        self._refuse_off_the_map(places)
        survey = Survey(
            easting_m=places.easting_m if whole else np.where(good, places.easting_m, 0.0),
            northing_m=places.northing_m if whole else np.where(good, places.northing_m, 0.0),
            tmi_nt=numbers[_TMI],
            line=part.line,
            line_names=tuple(self._lines.names) or ("1",),
            crs=places.crs,
            height_m=numbers.get(_HEIGHT),
            height_role=self._height_role(),
            time_s=seconds,
            longitude_deg=places.longitude_deg,
            latitude_deg=places.latitude_deg,
            channels=MappingProxyType({name: numbers[name] for name in self._channels}),
        )
        if not whole:
            lost = int((~good).sum())
            self.note(f"{lost} stations lie where {places.crs} is not defined and were left out")
            return survey.select(good)
        return survey

    def _refuse_off_the_map(self, places: Positions) -> None:
        """Refuse positions that their system cannot turn into degrees and back."""
        if places.crs is None or places.longitude_deg is None or places.latitude_deg is None:
            return
        step = 1 + len(places.easting_m) // _SAMPLE
        columns = (
            places.easting_m, places.northing_m, places.longitude_deg, places.latitude_deg,
        )  # fmt: skip
        sample = [values[::step] for values in columns]
        known = np.isfinite(sample[2]).any()
        if not known or disagreement_m(*sample, crs=places.crs) > _SAME_PLACE_M:
            raise BadSurvey(
                f"positions such as {sample[0][0]:.6g} E, {sample[1][0]:.6g} N do not lie in "
                f"{places.crs}",
                hint="check --crs, the columns of position and their units",
                where=self.where,
            )

    def _sorted(self, survey: Survey) -> Survey:
        """Bring the rows of each line together, in the order of their first appearance."""
        runs = [line for line, _ in survey.line_slices()]
        if len(runs) == len(set(runs)):
            return survey
        self.note("rows of one line were not together in the file: they were brought together")
        return survey.select(np.argsort(survey.line, kind="stable"))

    def _placed(
        self, batch: Batch, columns: dict[str, Floats], line: Ints, date: Ints | None
    ) -> Part:
        x, y = columns[_X], columns[_Y]
        good: Bools = np.ones(len(batch), dtype=bool)
        for kind, bad in unusable(x, y, geographic=self.frame.geographic):
            for row in batch.rows[bad & good]:
                self.rejects.add(int(row), kind)
            good &= ~bad
        if good.all():
            return Part(numbers=columns, line=line, date=date)
        return Part(
            numbers={name: values[good] for name, values in columns.items()},
            line=line[good],
            date=None if date is None else date[good],
        )

    def _line_codes(self, batch: Batch) -> Ints:
        if Role.LINE not in self.roles:
            self.note("no column names the line: the file is read as one line")
            return np.zeros(len(batch), dtype=np.int32)
        names = batch.texts[self.roles[Role.LINE].column]
        self._nameless += names.null_count
        return self._lines.encode(names)

    def _without_dummies(self, name: str, values: Floats) -> Floats:
        column = self.layout.column(name)
        declared = (*(column.missing if column else ()), *self.options.missing)
        return drop_dummies(values, declared, self._dummies.setdefault(name, Counter()))

    def _note_dummies(self) -> None:
        for name, counted in self._dummies.items():
            for dummy, times in counted.items():
                self.note(f"column {name}: {times:,} values of {dummy:.10g} were taken as missing")

    def _note_duplicates(self, part: Part) -> None:
        columns = [part.numbers[name] for name in (_X, _Y, _TMI, _TIME) if name in part.numbers]
        times = count_duplicates(columns, part.line)
        if times:
            self.note(
                f"{times:,} rows repeat another row's line, position, reading and time: they are kept"
            )

    def _magnetic_column(self) -> Column:
        guess = self.roles.get(Role.TMI)
        column = None if guess is None else self.layout.column(guess.column)
        if guess is None or column is None:
            names = [c.name for c in self.layout.columns if c.numeric]
            listed = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
            raise BadTable(
                f"no numeric column is a magnetic reading (numeric columns: {listed or 'none'})",
                hint="name it: --column tmi=NAME",
                where=self.where,
            )
        if not column.numeric:
            raise BadTable(
                f"column {column.name} does not hold numbers",
                hint="name another one: --column tmi=NAME",
                where=Where(file=self.where.file, column=column.name),
            )
        self.note(f"the magnetic reading is {column.name}: {guess.reason}")
        return column

    def _check_readings(self, tmi_nt: Floats) -> None:
        sample = tmi_nt[:: 1 + len(tmi_nt) // _SAMPLE]
        finite = sample[np.isfinite(sample)]
        if not len(finite) and not np.isfinite(tmi_nt).any():
            raise BadSurvey(
                "every reading is missing",
                hint="check the column, or name another one: --column tmi=NAME",
                where=Where(file=self.where.file, column=self._tmi.name),
            )
        check_field_unit(finite, self._unit, self._tmi.name, self.where)
        low, high = float(np.fmin.reduce(tmi_nt)), float(np.fmax.reduce(tmi_nt))
        middle = float(np.median(finite)) if len(finite) else low
        self.note(
            f"by its name the reading is {self.state.value}, by its size it is "
            f"{looks_like(low, middle, high)}"
        )
        said = "" if self._unit.named else " is assumed: no unit is named"
        self.note(f"the unit of {self._tmi.name}: {self._unit.symbol}{said}")

    def _height_factor(self) -> float:
        column = self.layout.column(self.roles[Role.HEIGHT].column)
        text = self.options.units.get(Role.HEIGHT) or (column.unit if column else None)
        unit = find_unit(text)
        return unit.factor if unit is not None and unit.quantity == "length" else 1.0

    def _height_role(self) -> HeightRole | None:
        guess = self.roles.get(Role.HEIGHT)
        if guess is None:
            return None
        if self.options.height_role is not None:
            return self.options.height_role
        if guess.height_role is not None:
            self.note(f"heights are {guess.height_role.value}: {guess.reason}")
            return guess.height_role
        self.note(
            f"the name {guess.column} does not say what heights are measured from: orthometric "
            "(above sea level) is assumed"
        )
        return HeightRole.ORTHOMETRIC

    def _further_channels(self) -> tuple[str, ...]:
        used = {self.frame.x, self.frame.y, self._tmi.name}
        used |= {guess.column for guess in self.roles.values()}
        if self.options.channels is not None:
            return tuple(name for name in self.options.channels if name not in used)
        return tuple(c.name for c in self.layout.columns if c.numeric and c.name not in used)
