"""Which reader reads which file: by its content, and for ASEG-GDF2 by the definition beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath

from quetzalcore.errors import UnreadableInput
from quetzalcore.formats.asegdf2 import AsegReader
from quetzalcore.formats.columnar import GeoPackageReader, ParquetReader
from quetzalcore.formats.delimited import DelimitedReader
from quetzalcore.formats.geosoft import GeosoftReader, is_geosoft
from quetzalcore.formats.options import ReadOptions
from quetzalcore.formats.source import Source, open_source
from quetzalcore.formats.table import TableReader

__all__ = ["open_table"]

_PARQUET = b"PAR1"
_SQLITE = b"SQLite format 3\x00"
_LOOK = 1 << 16


def open_table(path: str | Path, options: ReadOptions) -> tuple[Source, TableReader]:
    """Recognise a file and return the reader for it.

    Raises
    ------
    UnreadableInput, BadTable
        If it cannot be opened or is no table.
    """
    source = open_source(path, options.limits)
    suffix = PurePath(source.name).suffix.lower()
    if suffix == ".dfn":
        source = _data_of(source, options)
        suffix = ".dat"
    with source.open() as stream:
        head = stream.read(_LOOK)
    if not head:
        raise UnreadableInput(
            "there is nothing in the archive", hint="pack the table again", where=source.where
        )
    if head.startswith(_PARQUET):
        return source, ParquetReader(source)
    if head.startswith(_SQLITE):
        return source, GeoPackageReader(source)
    definition = source.sibling(".dfn") if suffix in {".dat", ".asc", ".txt"} else None
    if definition is not None:
        return source, AsegReader(source, definition, options)
    if is_geosoft(head.replace(b"\r", b"\n")):
        return source, GeosoftReader(source, options)
    return source, DelimitedReader(source, options)


def _data_of(source: Source, options: ReadOptions) -> Source:
    """Go from a definition to the table beside it."""
    for other in sorted(source.path.parent.iterdir()):
        if other.name.lower() == f"{source.path.stem}.dat".lower():
            return replace(open_source(other, options.limits), path=other)
    raise UnreadableInput(
        "there is no .dat file beside this definition",
        hint="put both into one folder or archive",
        where=source.where,
    )
