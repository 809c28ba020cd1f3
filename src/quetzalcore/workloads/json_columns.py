"""Columns that came as JSON, as a table that every reader of surveys takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from quetzalcore.errors import BadTable, UnreadableInput, Where

__all__ = ["as_table"]

_MOST_COLUMNS = 500
_FORM = 'write {"columns": {"easting": [...], "northing": [...], "line": [...], "tmi": [...]}}'


@contextmanager
def as_table(path: Path) -> Iterator[Path]:
    """Give ``path`` itself, or for a ``.json`` file of columns a Parquet file of the same stem.

    Raises
    ------
    UnreadableInput, BadTable
        If the file is not JSON, or its columns are not lists of one length.
    """
    if path.suffix.lower() != ".json":
        yield path
        return
    table = _table(_read(path), Where(file=path.name))
    with TemporaryDirectory(prefix="columns-") as folder:
        made = Path(folder) / f"{path.stem}.parquet"
        pq.write_table(table, made)
        yield made


def _read(path: Path) -> Mapping[str, Any]:
    where = Where(file=path.name)
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnreadableInput(f"it is not JSON ({error})", hint=_FORM, where=where) from None
    columns = document.get("columns") if isinstance(document, dict) else None
    if not isinstance(columns, dict) or not columns:
        raise BadTable("it holds no columns", hint=_FORM, where=where)
    if len(columns) > _MOST_COLUMNS:
        raise BadTable(
            f"it has {len(columns)} columns", hint=f"give at most {_MOST_COLUMNS}", where=where
        )
    return columns


def _table(columns: Mapping[str, Any], where: Where) -> pa.Table:
    lengths = {name: len(v) if isinstance(v, list) else -1 for name, v in columns.items()}
    longest = max(lengths.values())
    for name, length in lengths.items():
        if length != longest or length < 1:
            said = "is not a list" if length < 0 else f"has {length} values"
            raise BadTable(
                f"column {name} {said}, the longest has {longest}",
                hint="give every column as a list of the same length",
                where=Where(file=where.file, column=name),
            )
    arrays = {name: _array(name, values, where) for name, values in columns.items()}
    return pa.table(arrays)


def _array(name: str, values: list[Any], where: Where) -> pa.Array:
    """Build numbers where every value is one (null is missing), else text."""
    for row, value in enumerate(values, start=1):
        if isinstance(value, list | dict | bool):
            raise BadTable(
                f"the value {str(value)[:40]!r} is neither a number nor a text",
                hint="give numbers, texts, or null for missing",
                where=Where(file=where.file, row=row, column=name),
            )
    if not all(value is None or isinstance(value, int | float) for value in values):
        return pa.array([None if v is None else str(v) for v in values], pa.string())
    try:
        if all(isinstance(value, int) for value in values):  # so that line 10 is not line 10.0
            return pa.array(values, pa.int64())
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    except OverflowError:
        raise BadTable(
            "a number is too large",
            hint="give whole numbers below 9e18 and others below 1e308",
            where=Where(file=where.file, column=name),
        ) from None
