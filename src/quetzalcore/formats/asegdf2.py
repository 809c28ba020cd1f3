"""ASEG-GDF2: a table (.dat) of fixed columns with a definition (.dfn) beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadTable
from quetzalcore.formats.blocks import Block, text_blocks
from quetzalcore.formats.cells import MISSING_WORDS, mostly_numbers, number_of
from quetzalcore.formats.crs import crs_from_words
from quetzalcore.formats.definition import Field, parse_definition
from quetzalcore.formats.heads import read_head
from quetzalcore.formats.options import ReadOptions
from quetzalcore.formats.rejects import Rejects
from quetzalcore.formats.rows import UNIT_SEPARATOR, RowPlan, parse_block, squeeze_blanks
from quetzalcore.formats.sniff import decode_head
from quetzalcore.formats.source import Source
from quetzalcore.formats.table import Batch, Layout, Wanted

__all__ = ["AsegReader"]

_SEPARATOR = ord(UNIT_SEPARATOR)
_NEWLINE, _SPACE = ord("\n"), ord(" ")
_COMMENT = np.frombuffer(b"COMM", dtype=np.uint8)
_SAMPLE = 200
_GOOD = 0.95
_DESCRIPTIONS = (".met", ".prj", ".des", ".dfn")
_Cut = Callable[[str], list[str]]


class AsegReader:
    """Reads one ASEG-GDF2 table.

    Files in circulation break their own definition: rows lose their leading blanks, or are
    separated by tabs. The way of cutting that fits the first rows best is taken, and noted.
    """

    def __init__(self, source: Source, definition: bytes, options: ReadOptions) -> None:
        self._source = source
        self._options = options
        _, words = decode_head(definition, source.where)
        self._fields = parse_definition(words, source.where)
        self._encoding, text = decode_head(read_head(source), source.where)
        rows = [row for row in text.split("\n") if row.strip() and not row.startswith("COMM")]
        if not rows:
            raise BadTable(
                "there are no rows", hint="check that the export finished", where=source.where
            )
        self._way, self._fields, note = _best_cut(self._fields, rows[:_SAMPLE], source)
        self._layout = Layout(
            format="aseg-gdf2",
            compression=source.compression,
            columns=tuple(field.column for field in self._fields),
            delimiter=None if self._way != "blanks" else " ",
            encoding=self._encoding,
            crs=_described_crs(source),
            notes=(note,) if note else (),
        )

    @property
    def layout(self) -> Layout:
        """How the file is built."""
        return self._layout

    def batches(self, wanted: Wanted, rejects: Rejects) -> Iterator[Batch]:
        """Read the wanted columns; rows that do not parse go to ``rejects``."""
        plan = RowPlan(
            names=tuple(field.column.name for field in self._fields),
            wanted=wanted,
            delimiter=UNIT_SEPARATOR,
            quoted=False,
        )
        with self._source.open() as stream:
            for block in text_blocks(
                stream,
                encoding=self._encoding,
                where=self._source.where,
                max_row_bytes=self._options.limits.max_row_bytes,
            ):
                yield parse_block(self._separated(block), plan, rejects)

    def _separated(self, block: Block) -> Block:
        if self._way == "blanks":
            return replace(block, data=squeeze_blanks(block.data))
        widths = [field.width for field in self._fields]
        return _separate_fixed(block, widths, left_padded=self._way == "shifted")


def _separate_fixed(block: Block, widths: list[int], *, left_padded: bool) -> Block:
    """Put a separator between fixed columns and leave blank rows and comments out."""
    total = sum(widths)
    table = _characters(block.data, total, left_padded=left_padded)
    blank = (table == _SPACE).all(axis=1) | (table[:, : len(_COMMENT)] == _COMMENT).all(axis=1)
    if blank.any():
        table = table[~blank]
    ends = list(accumulate(widths))
    out = np.empty((len(table), total + len(widths)), dtype=np.uint8)
    for k, (start, stop) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        out[:, start + k : stop + k] = table[:, start:stop]
        out[:, stop + k] = _SEPARATOR
    out[:, -1] = _NEWLINE
    rows = block.row_numbers()[: len(blank)][~blank]
    return Block(first_row=block.first_row, data=out.tobytes(), rows=rows)


def _characters(data: bytes, total: int, *, left_padded: bool) -> NDArray[np.uint8]:
    """Give the characters of every row, (rows, total); rows of one length need no cutting."""
    length = data.find(b"\n")
    if length >= total and len(data) % (length + 1) == 0:
        table = np.frombuffer(data, dtype=np.uint8).reshape(-1, length + 1)
        if (table[:, length] == _NEWLINE).all() and data.count(b"\n") == len(table):
            return table[:, :total]
    rows = data.removesuffix(b"\n").split(b"\n")
    mark = _COMMENT.tobytes()
    padded = [
        row.rjust(total) if left_padded and not row.startswith(mark) else row.ljust(total)
        for row in rows
    ]
    text = b"".join(row[:total] for row in padded)
    return np.frombuffer(text, dtype=np.uint8).reshape(len(rows), total)


def _best_cut(
    fields: tuple[Field, ...], rows: list[str], source: Source
) -> tuple[str, tuple[Field, ...], str]:
    """Choose how rows are cut: as defined, shifted to the right end, or at blanks."""
    widths = [field.width for field in fields]
    ends = list(accumulate(widths))
    total = ends[-1]

    def fixed(row: str) -> list[str]:
        return [row[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]

    ways: dict[str, tuple[_Cut, str]] = {
        "fixed": (lambda row: fixed(row.ljust(total)), ""),
        "shifted": (
            lambda row: fixed(row.rstrip("\r").rjust(total)),
            "rows are shorter than their definition: blanks were put back in front",
        ),
        "blanks": (str.split, "rows do not keep to their definition: they were cut at blanks"),
    }
    scores = {way: _fit(cut, fields, rows) for way, (cut, _) in ways.items()}
    best = max(scores, key=lambda way: scores[way])
    if scores[best] < _GOOD:
        raise BadTable(
            f"rows do not fit their definition of {len(fields)} fields in {total} characters",
            hint="check that .dfn and .dat belong together",
            where=source.where,
        )
    cut, note = ways[best]
    cells = [cut(row) for row in rows]
    kept = [row for row in cells if len(row) == len(fields)]
    typed = tuple(
        replace(f, column=replace(f.column, numeric=f.column.numeric and mostly_numbers(list(col))))
        for f, col in zip(fields, zip(*kept, strict=True), strict=True)
    )
    return best, typed, note


def _fit(cut: _Cut, fields: tuple[Field, ...], rows: list[str]) -> float:
    """Share of rows whose every numeric field is a number or a mark for "missing"."""

    def fits(row: str) -> bool:
        cells = cut(row)
        return len(cells) == len(fields) and all(
            not field.column.numeric or cell.strip() in MISSING_WORDS or number_of(cell) is not None
            for field, cell in zip(fields, cells, strict=True)
        )

    return sum(map(fits, rows)) / len(rows)


def _described_crs(source: Source) -> str | None:
    """Find the reference system in the files that stand beside the table."""
    for suffix in _DESCRIPTIONS:
        data = source.sibling(suffix)
        found = None if data is None else crs_from_words(data.decode("utf-8", errors="replace"))
        if found is not None:
            return found
    return None
