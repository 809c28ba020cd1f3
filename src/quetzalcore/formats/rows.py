"""Rows of text to columns: at PyArrow's speed where all is well, with care where a row is not."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from quetzalcore.formats.blocks import Block
from quetzalcore.formats.cells import COMMENT_MARKS, MISSING_WORDS, NUMBER
from quetzalcore.formats.rejects import Rejects
from quetzalcore.formats.table import Batch, Rows, Wanted
from quetzalcore.geophysics.survey import Bools, Floats

__all__ = ["UNIT_SEPARATOR", "RowPlan", "parse_block", "squeeze_blanks"]

UNIT_SEPARATOR = "\x1f"  # no text file uses it, so blanks and fixed columns are turned into it
_BLANKS = tuple(" " * width for width in range(1, 25))
_NULLS = [*MISSING_WORDS, *_BLANKS, *(f"{blank}*" for blank in _BLANKS)]
_PARSE_BYTES = 4 << 20
_BYTE_NEWLINE, _BYTE_SPACE, _BYTE_TAB, _BYTE_SEPARATOR = 10, 32, 9, 31


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPlan:
    """How rows are cut and what is taken from them."""

    names: tuple[str, ...]
    wanted: Wanted
    delimiter: str
    decimal: str = "."
    quoted: bool = True


def parse_block(block: Block, plan: RowPlan, rejects: Rejects) -> Batch:
    """Turn a block into columns. Rows that cannot be used go to ``rejects`` with their number."""
    try:
        table = _read(block.data, plan, numbers=pa.float64())
    except pa.ArrowInvalid:
        return _careful(block, plan, rejects)
    rows = block.row_numbers()
    if table.num_rows != len(rows):  # blank lines: row numbers need care
        return _careful(block, plan, rejects)
    numbers = {name: _floats(table[_key(plan, name)]) for name in plan.wanted.numbers}
    return Batch(rows=rows, numbers=numbers, texts=_texts(table, plan))


def squeeze_blanks(data: bytes) -> bytes:
    """Turn every run of blanks into one separator, and drop those at either end of a row."""
    text = np.frombuffer(data, dtype=np.uint8)
    blank = (text == _BYTE_SPACE) | (text == _BYTE_TAB)
    newline = text == _BYTE_NEWLINE
    drop = blank.copy()
    drop[1:] &= blank[:-1] | newline[:-1]  # all but the first of a run; all at a row's start
    squeezed = np.where(blank, np.uint8(_BYTE_SEPARATOR), text)[~drop]
    ends = np.zeros(len(squeezed), dtype=bool)
    if len(squeezed):
        is_separator = squeezed == _BYTE_SEPARATOR
        ends[:-1] = is_separator[:-1] & (squeezed[1:] == _BYTE_NEWLINE)
        ends[-1] = is_separator[-1]
    return bytes(squeezed[~ends].tobytes())


def _key(plan: RowPlan, name: str) -> str:
    """Give the unique internal name of a column (names in files may repeat)."""
    return str(plan.names.index(name))


def _read(data: bytes, plan: RowPlan, *, numbers: Any) -> Any:  # noqa: ANN401 -- PyArrow has no types
    types = {_key(plan, name): numbers for name in plan.wanted.numbers}
    types |= {_key(plan, name): pa.string() for name in plan.wanted.texts}
    return pa_csv.read_csv(
        pa.BufferReader(data),
        read_options=pa_csv.ReadOptions(
            column_names=[str(i) for i in range(len(plan.names))], block_size=_PARSE_BYTES
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=plan.delimiter, quote_char='"' if plan.quoted else False
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=_NULLS,
            strings_can_be_null=True,
            decimal_point=plan.decimal,
        ),
    )


def _floats(column: Any) -> Floats:  # noqa: ANN401 -- PyArrow has no types
    values = column.to_numpy()
    return np.asarray(values, dtype=np.float64)


def _texts(table: Any, plan: RowPlan) -> dict[str, Any]:  # noqa: ANN401 -- PyArrow has no types
    found = {}
    for name in plan.wanted.texts:
        column = table[_key(plan, name)]
        found[name] = pc.utf8_trim_whitespace(column).combine_chunks()
    return found


def _careful(block: Block, plan: RowPlan, rejects: Rejects) -> Batch:
    """Look at every row: leave out those that are broken, say why, and keep the others."""
    texts, numbers_of_rows = _whole_rows(block, plan, rejects)
    table = _read(b"\n".join(texts) + b"\n", plan, numbers=pa.string())
    rows = np.asarray(numbers_of_rows, dtype=np.int64)
    keep = np.ones(len(rows), dtype=bool)
    numbers: dict[str, Floats] = {}
    for name in plan.wanted.numbers:
        values, unreadable = _coerce(table[_key(plan, name)], plan.decimal)
        numbers[name] = values
        if name in plan.wanted.needed:
            _reject_cells(table[_key(plan, name)], unreadable & keep, rows, name, rejects, texts)
            keep &= ~unreadable
    kept_texts = {name: t.filter(pa.array(keep)) for name, t in _texts(table, plan).items()}
    return Batch(
        rows=rows[keep],
        numbers={name: values[keep] for name, values in numbers.items()},
        texts=kept_texts,
    )


def _whole_rows(block: Block, plan: RowPlan, rejects: Rejects) -> tuple[list[bytes], list[int]]:
    """Keep the rows that have the right number of fields; blank lines and comments are no rows."""
    texts: list[bytes] = []
    rows: list[int] = []
    marks = tuple(mark.encode() for mark in COMMENT_MARKS)
    expected = len(plan.names)
    for row, text in zip(block.row_numbers().tolist(), block.data.split(b"\n"), strict=False):
        bare = text.strip()
        if not bare or bare.startswith(marks):
            continue
        if b"\x00" in text:
            rejects.add(row, "NUL byte in the row", text=_shown(text))
            continue
        fields = _count_fields(text, plan)
        if fields == expected:
            texts.append(text)
            rows.append(row)
        else:
            reason = f"{fields} fields where {expected} are expected"
            rejects.add(row, "wrong number of fields", reason=reason, text=_shown(text))
    return texts, rows


def _count_fields(text: bytes, plan: RowPlan) -> int:
    if plan.quoted and b'"' in text:
        cells = next(csv.reader([text.decode(errors="replace")], delimiter=plan.delimiter), [])
        return len(cells)
    return text.count(plan.delimiter.encode()) + 1


def _coerce(column: Any, decimal: str) -> tuple[Floats, Bools]:  # noqa: ANN401 -- PyArrow has no types
    """Give numbers, and which cells hold something else that does not mean "missing"."""
    trimmed = pc.utf8_trim_whitespace(column)
    if decimal != ".":
        trimmed = pc.replace_substring(trimmed, decimal, ".")
    is_number = pc.fill_null(pc.match_substring_regex(trimmed, NUMBER), fill_value=False)
    is_missing = pc.is_in(trimmed, value_set=pa.array([*MISSING_WORDS, None], pa.string()))
    plain = pc.replace_substring_regex(pc.if_else(is_number, trimmed, None), "[dD]", "e")
    values = _floats(pc.cast(plain, pa.float64()))
    unreadable = ~(is_number.to_numpy() | is_missing.to_numpy())
    return values, unreadable.astype(bool)


def _reject_cells(  # noqa: PLR0913, PLR0917 -- what, where and why of a cell
    column: Any,  # noqa: ANN401 -- PyArrow has no types
    bad: Bools,
    rows: Rows,
    name: str,
    rejects: Rejects,
    texts: list[bytes],
) -> None:
    for index in np.flatnonzero(bad):
        cell = str(column[int(index)].as_py()).strip()[:40]
        rejects.add(
            int(rows[index]),
            f"column {name} is not a number",
            reason=f"column {name}: {cell!r} is not a number",
            text=_shown(texts[index]),
        )


def _shown(text: bytes) -> str:
    words = text.decode(errors="replace").replace(UNIT_SEPARATOR, " ")
    return re.sub(r"[\x00-\x08\x0b-\x1f]", "\ufffd", words)
