"""Tables of delimited text: CSV, TSV, any other delimiter, or blanks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from quetzalcore.formats.blocks import Block, text_blocks
from quetzalcore.formats.cells import mostly_numbers
from quetzalcore.formats.crs import crs_from_words
from quetzalcore.formats.heads import read_head
from quetzalcore.formats.options import ReadOptions
from quetzalcore.formats.rejects import Rejects
from quetzalcore.formats.rows import UNIT_SEPARATOR, RowPlan, parse_block, squeeze_blanks
from quetzalcore.formats.sniff import Dialect, decode_head, guess_dialect
from quetzalcore.formats.source import Source
from quetzalcore.formats.table import Batch, Column, Layout, Wanted
from quetzalcore.formats.units import unit_in_name

__all__ = ["DelimitedReader"]


class DelimitedReader:
    """Reads one delimited table."""

    def __init__(self, source: Source, options: ReadOptions) -> None:
        self._source = source
        self._options = options
        self._encoding, text = decode_head(read_head(source), source.where)
        self._dialect = guess_dialect(text, delimiter=options.delimiter, where=source.where)
        self._layout = _layout(source, self._dialect, self._encoding)

    @property
    def layout(self) -> Layout:
        """How the file is built."""
        return self._layout

    def batches(self, wanted: Wanted, rejects: Rejects) -> Iterator[Batch]:
        """Read the wanted columns; rows that do not parse go to ``rejects``."""
        plan = RowPlan(
            names=self._dialect.names,
            wanted=wanted,
            delimiter=UNIT_SEPARATOR if self._blanks else self._dialect.delimiter,
            decimal=self._dialect.decimal,
            quoted=not self._blanks,
        )
        for block in self._blocks():
            yield parse_block(block, plan, rejects)

    @property
    def _blanks(self) -> bool:
        return self._dialect.delimiter == " "

    def _blocks(self) -> Iterator[Block]:
        with self._source.open() as stream:
            blocks = text_blocks(
                stream,
                encoding=self._encoding,
                where=self._source.where,
                max_row_bytes=self._options.limits.max_row_bytes,
            )
            first = next(blocks, None)
            if first is None:
                return
            for block in chain([_without_header(first, self._dialect.data_row)], blocks):
                data = squeeze_blanks(block.data) if self._blanks else block.data
                if data:
                    yield Block(first_row=block.first_row, data=data)


def _without_header(block: Block, data_row: int) -> Block:
    cut = 0
    for _ in range(data_row - 1):
        cut = block.data.index(b"\n", cut) + 1
    return Block(first_row=data_row, data=block.data[cut:])


def _layout(source: Source, dialect: Dialect, encoding: str) -> Layout:
    notes = []
    if encoding not in {"utf-8", "utf-8-sig"}:
        notes.append(f"the text is not UTF-8 and was read as {encoding}")
    if dialect.header_row is None:
        notes.append("the file has no header: columns are known by number")
    if dialect.decimal == ",":
        notes.append("numbers use a decimal comma")
    cells = [list(column) for column in zip(*dialect.sample, strict=True)]
    columns = tuple(
        Column(
            name=name,
            unit=unit or unit_in_name(name),
            numeric=mostly_numbers(column, dialect.decimal),
        )
        for name, unit, column in zip(dialect.names, dialect.units, cells, strict=True)
    )
    return Layout(
        format="whitespace" if dialect.delimiter == " " else "csv",
        compression=source.compression,
        columns=columns,
        delimiter=dialect.delimiter,
        encoding=encoding,
        header_row=dialect.header_row,
        crs=crs_from_words(dialect.comments),
        notes=tuple(notes),
    )
