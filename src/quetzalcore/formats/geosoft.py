"""Geosoft XYZ: blank-delimited rows under ``Line`` and ``Tie`` headers, ``*`` for no data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from quetzalcore.errors import BadTable
from quetzalcore.formats.blocks import Block, text_blocks
from quetzalcore.formats.cells import COMMENT_MARKS, mostly_numbers
from quetzalcore.formats.heads import read_head
from quetzalcore.formats.options import ReadOptions
from quetzalcore.formats.rejects import Rejects
from quetzalcore.formats.rows import UNIT_SEPARATOR, RowPlan, parse_block, squeeze_blanks
from quetzalcore.formats.sniff import decode_head, split_row
from quetzalcore.formats.source import Source
from quetzalcore.formats.table import Batch, Column, Layout, Wanted
from quetzalcore.formats.units import unit_in_name

__all__ = ["GeosoftReader", "is_geosoft"]

LINE_COLUMN = "Line"
_HEADER_WORDS = 4  # Line, number, flight, date
_KINDS = {
    "line": "L", "tie": "T", "base": "B", "test": "S", "trend": "R", "special": "S", "random": "P",
}  # fmt: skip
_HEADER = re.compile(
    rb"^[ \t]*(line|tie|base|test|trend|special|random)[ \t]+([^\s,]*\d[^\s,]*)[^\n]*$",
    re.IGNORECASE | re.MULTILINE,
)


def is_geosoft(head: bytes) -> bool:
    """Tell whether a file's beginning has a line header."""
    return any(not _is_data(match[0]) for match in _HEADER.finditer(head))


def _is_data(row: bytes) -> bool:
    """Tell a row of data or titles from a header: it has more columns than kind, number, flight, date."""
    return len(row.replace(b",", b" ").split()) > _HEADER_WORDS


class GeosoftReader:
    """Reads one XYZ file; the line becomes a column named ``Line`` (L100, T200)."""

    def __init__(self, source: Source, options: ReadOptions) -> None:
        self._source = source
        self._options = options
        self._encoding, text = decode_head(read_head(source), source.where)
        self._names, self._layout = _layout(source, text, self._encoding)
        self._comma = self._layout.delimiter == ","

    @property
    def layout(self) -> Layout:
        """How the file is built."""
        return self._layout

    def batches(self, wanted: Wanted, rejects: Rejects) -> Iterator[Batch]:
        """Read the wanted columns; every row takes the name of the line header above it."""
        plan = RowPlan(
            names=self._names,
            wanted=Wanted(
                numbers=wanted.numbers,
                texts=tuple(name for name in wanted.texts if name != LINE_COLUMN),
                needed=wanted.needed,
            ),
            delimiter="," if self._comma else UNIT_SEPARATOR,
            quoted=False,
        )
        line = ""
        with self._source.open() as stream:
            for block in text_blocks(
                stream,
                encoding=self._encoding,
                where=self._source.where,
                max_row_bytes=self._options.limits.max_row_bytes,
            ):
                bare, names, starts = _without_headers(block, line)
                line = names[-1]
                if bare.data.strip():
                    yield self._batch(bare, names, starts, plan, rejects)

    def _batch(
        self, block: Block, names: list[str], starts: list[int], plan: RowPlan, rejects: Rejects
    ) -> Batch:
        data = block.data if self._comma else squeeze_blanks(block.data)
        batch = parse_block(replace(block, data=data), plan, rejects)
        which = np.searchsorted(np.asarray(starts), batch.rows, side="right") - 1
        lines = pa.array(names, pa.string()).take(pa.array(which))
        return Batch(
            rows=batch.rows, numbers=batch.numbers, texts={**batch.texts, LINE_COLUMN: lines}
        )


def _without_headers(block: Block, line: str) -> tuple[Block, list[str], list[int]]:
    """Take the line headers out of a block; give the lines' names and the row of each header.

    The rows before the first header belong to ``line``; before the file's first header there is
    none, and what stands there are titles.
    """
    rows = block.row_numbers()
    names, starts, pieces, start = [line], [0], [], 0
    row, counted = block.first_row, 0
    for header in _HEADER.finditer(block.data):
        if _is_data(header[0]):
            continue
        row += block.data.count(b"\n", counted, header.start())
        counted = header.start()
        names.append(_KINDS[header[1].decode().lower()] + header[2].decode(errors="replace"))
        starts.append(row)
        if names[-2]:
            pieces.append(block.data[start : header.start()])
        start = header.end() + 1
    if names[-1]:
        pieces.append(block.data[start:])
    first = 0 if line else (starts[1] if len(starts) > 1 else rows[-1] + 1)
    kept = rows[~np.isin(rows, starts[1:]) & (rows >= first)]
    return Block(first_row=block.first_row, data=b"".join(pieces), rows=kept), names, starts


def _layout(source: Source, text: str, encoding: str) -> tuple[tuple[str, ...], Layout]:
    rows = text.split("\n")
    first = next(i for i, row in enumerate(rows) if _HEADER.match(row.encode()))
    body = [r for r in rows[first:] if r.strip() and not r.lstrip().startswith(COMMENT_MARKS)]
    data = [row for row in body if not _HEADER.match(row.encode())]
    if not data:
        raise BadTable(
            "there are no rows under the line headers",
            hint="check that the export finished",
            where=source.where,
        )
    delimiter = "," if data[0].count(",") > 1 else " "
    cells = [split_row(row, delimiter) for row in data]
    width = max(len(row) for row in cells[:100])
    columns = list(zip(*(row for row in cells if len(row) == width), strict=True))
    titles = [_title(row, delimiter) for row in rows[:first]]
    fitting = [i for i, names in enumerate(titles) if len(names) == width]
    header = fitting[-1] if fitting and any(c.isalpha() for c in rows[fitting[-1]]) else None
    names = tuple(titles[header]) if header is not None else _numbered(width)
    described = tuple(
        Column(name=name, unit=unit_in_name(name), numeric=mostly_numbers(list(column)))
        for name, column in zip(names, columns, strict=True)
    )
    layout = Layout(
        format="geosoft-xyz",
        compression=source.compression,
        columns=(Column(name=LINE_COLUMN, numeric=False), *described),
        delimiter=delimiter,
        encoding=encoding,
        header_row=None if header is None else header + 1,
        notes=("the file does not name its columns: they are known by number",)
        if header is None
        else (),
    )
    return names, layout


def _title(row: str, delimiter: str) -> list[str]:
    return split_row(row.strip().lstrip("/ "), delimiter) if "=" not in row else []


def _numbered(width: int) -> tuple[str, ...]:
    return tuple(f"column {k + 1}" for k in range(width))
