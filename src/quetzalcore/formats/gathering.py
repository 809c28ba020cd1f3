"""Columns that grow batch by batch, thinned along lines where they would not fit into memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc

from quetzalcore.geophysics.survey import Floats, Ints
from quetzalcore.vgpu import for_slices

__all__ = ["Gatherer", "Labels", "Part", "count_duplicates", "thin"]

_SLICE = 50_000  # fits into the cache


class Labels:
    """Texts as codes into one growing list of names, in order of first appearance."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {}

    def encode(self, texts: Any) -> Ints:  # noqa: ANN401 -- PyArrow has no types
        """Give the codes of an array of strings, (n,) int32; missing texts are named ``?``."""
        encoded = pc.fill_null(texts, "?").dictionary_encode()
        words = encoded.dictionary.to_pylist()
        known = np.array([self._code(word) for word in words], dtype=np.int32)
        codes: Ints = known[encoded.indices.to_numpy(zero_copy_only=False)]
        return codes

    def _code(self, text: str) -> int:
        word = text.removesuffix(".0")  # tables of numbers write line 100 as 100.0
        code = self._codes.setdefault(word, len(self.names))
        if code == len(self.names):
            self.names.append(word)
        return code


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some stations: numbers by column name, codes of line and date."""

    numbers: dict[str, Floats]
    line: Ints
    date: Ints | None = None

    def __len__(self) -> int:
        """Count the stations."""
        return len(self.line)


def thin(part: Part, step: int) -> Part:
    """Average every ``step`` consecutive stations of a line; NaN is left out of the mean."""
    if step == 1 or not len(part):
        return part
    starts = np.flatnonzero(np.diff(part.line, prepend=part.line[0] - 1))
    lengths = np.diff(np.append(starts, len(part)))
    within = np.arange(len(part)) - np.repeat(starts, lengths)
    first = np.flatnonzero(within % step == 0)
    numbers = {name: _means(values, first) for name, values in part.numbers.items()}
    date = None if part.date is None else part.date[first]
    return Part(numbers=numbers, line=part.line[first], date=date)


def _means(values: Floats, first: Any) -> Floats:  # noqa: ANN401 -- any integer index array
    finite = np.isfinite(values)
    total = np.add.reduceat(np.where(finite, values, 0.0), first)
    count = np.add.reduceat(finite.astype(np.int32), first)
    result: Floats = np.divide(total, count, out=np.full(len(first), np.nan), where=count > 0)
    return result


def count_duplicates(columns: list[Floats], line: Ints) -> int:
    """Count the rows that repeat an earlier row exactly; NaN equals NaN."""
    mixed = line.astype(np.uint64)

    def work(start: int, stop: int) -> None:
        part = mixed[start:stop]
        for values in columns:
            bits = (values[start:stop] + 0.0).view(np.uint64)  # adding zero makes -0.0 and 0.0 one
            part ^= bits ^ (bits >> np.uint64(29))
            part *= np.uint64(0x9E3779B97F4A7C15)
            part ^= part >> np.uint64(32)

    for_slices(len(mixed), work, min_slice=_SLICE)
    mixed.sort()
    return int(np.count_nonzero(mixed[1:] == mixed[:-1]))


@dataclass(slots=True)
class Gatherer:
    """Holds at most ``max_stations``; beyond that consecutive stations are averaged."""

    max_stations: int
    step: int = 1
    _parts: list[Part] = field(default_factory=list)
    _held: int = 0

    def add(self, part: Part) -> None:
        """Take some stations in."""
        self._parts.append(thin(part, self.step))
        self._held += len(self._parts[-1])
        if self._held > self.max_stations:
            self._parts = [thin(held, 2) for held in self._parts]
            self._held = sum(map(len, self._parts))
            self.step *= 2

    def take(self) -> Part:
        """Give everything as one part and let go of the pieces, column by column."""
        parts, self._parts = self._parts, []
        names = list(parts[0].numbers) if parts else []
        numbers = {
            name: np.concatenate([part.numbers.pop(name) for part in parts]) for name in names
        }
        dates = [part.date for part in parts if part.date is not None]
        lines = [part.line for part in parts]
        return Part(
            numbers=numbers,
            line=np.concatenate(lines) if lines else np.empty(0, dtype=np.int32),
            date=np.concatenate(dates) if dates else None,
        )
