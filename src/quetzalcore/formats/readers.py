"""Which reader reads which file."""

from __future__ import annotations

from pathlib import Path

from quetzalcore.formats.delimited import DelimitedReader
from quetzalcore.formats.options import ReadOptions
from quetzalcore.formats.source import Source, open_source
from quetzalcore.formats.table import TableReader

__all__ = ["open_table"]


def open_table(path: str | Path, options: ReadOptions) -> tuple[Source, TableReader]:
    """Recognise a file by its content and return the reader for it.

    Raises
    ------
    UnreadableInput, BadTable
        If it cannot be opened or is no table.
    """
    source = open_source(path, options.limits)
    return source, DelimitedReader(source, options)
