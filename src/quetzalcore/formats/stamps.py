"""When each station was read: date and time columns put together."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa

from quetzalcore.formats.gathering import Labels
from quetzalcore.formats.options import Role
from quetzalcore.formats.roles import RoleGuess
from quetzalcore.formats.table import Batch, Layout
from quetzalcore.formats.times import (
    Clock,
    dates_to_days,
    numeric_clock,
    seconds_of_texts,
    unroll_midnight,
)
from quetzalcore.geophysics.survey import Floats, Ints

__all__ = ["Stamps"]

_EPOCH = dt.date(1970, 1, 1)
_DAY_S = 86_400.0


class Stamps:
    """Turns a file's date and time columns into seconds, as far as they go."""

    def __init__(
        self, roles: dict[Role, RoleGuess], layout: Layout, survey_date: dt.date | None
    ) -> None:
        self.time = roles[Role.TIME].column if Role.TIME in roles else None
        self.date = roles[Role.DATE].column if Role.DATE in roles else None
        column = layout.column(self.time) if self.time else None
        self._unit = column.unit if column else None
        self.time_is_text = column is not None and not column.numeric
        self._survey_date = survey_date
        self._text_absolute = False
        self._dates = Labels()
        self.notes: list[str] = []

    def of_batch(self, batch: Batch) -> tuple[Floats | None, Ints | None]:
        """Take a batch's raw time (seconds where it is text) and the codes of its dates."""
        date = self._dates.encode(batch.texts[self.date]) if self.date else None
        if self.time is None:
            return None, date
        if not self.time_is_text:
            return batch.numbers[self.time], date
        clock = seconds_of_texts(batch.texts[self.time])
        self._text_absolute |= clock.absolute
        self._say(f"times in {self.time} were read as {clock.how}")
        return clock.seconds, date

    def seconds(self, raw: Floats | None, date: Ints | None) -> Floats | None:
        """Give UTC seconds since 1970, or None where no date or no time is known."""
        clock = self._clock(raw)
        if clock is not None and clock.absolute:
            return clock.seconds
        midnight = self._midnight(date)
        if midnight is None:
            if clock is not None:
                self._say("times have no date: give --date to use them")
            return None
        if clock is None:
            self._say("the file has dates and no times: stations have no time")
            return None
        self._say("times are taken as UTC")
        return self._put_together(midnight, clock.seconds, has_dates=date is not None)

    def median_date(self, date: Ints | None) -> dt.date | None:
        """Give the middle of the dates in the file, or the one that the user gave."""
        days = self._days()[0][date] if date is not None else np.empty(0)
        known = days[np.isfinite(days)]
        if not len(known):
            return self._survey_date
        return _EPOCH + dt.timedelta(days=int(np.median(known)))

    def _days(self) -> tuple[Floats, str]:
        return dates_to_days(pa.array(self._dates.names, pa.string()))

    def _put_together(self, midnight: Any, seconds: Floats, *, has_dates: bool) -> Floats:  # noqa: ANN401 -- a number or an array
        if not has_dates:
            seconds, falls = unroll_midnight(seconds)
            if falls:
                self._say(f"the clock passed midnight {falls} times: a day was added at each")
        return np.asarray(midnight + seconds, dtype=np.float64)

    def _clock(self, raw: Floats | None) -> Clock | None:
        if raw is None or self.time is None:
            return None
        if self.time_is_text:
            return Clock(seconds=raw, absolute=self._text_absolute, how="text")
        clock = numeric_clock(raw, name=self.time, unit=self._unit)
        self._say(f"times in {self.time} were read as {clock.how}")
        return clock

    def _midnight(self, date: Ints | None) -> Any:  # noqa: ANN401 -- a number, an array or None
        if date is not None:
            days, order = self._days()
            self._say(f"dates in {self.date} were read as {order}")
            return days[date] * _DAY_S
        if self._survey_date is None:
            return None
        return (self._survey_date - _EPOCH).days * _DAY_S

    def _say(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
