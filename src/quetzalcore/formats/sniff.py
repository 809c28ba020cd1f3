"""How a text table is written: encoding, delimiter, decimal mark, header, units."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from dataclasses import dataclass

from quetzalcore.errors import BadTable, UnreadableInput, Where
from quetzalcore.formats.cells import COMMENT_MARKS, MISSING_WORDS, NUMBER

__all__ = ["Dialect", "decode_head", "guess_dialect", "split_row"]

_CANDIDATES = (",", "\t", ";", "|", " ")
_MIXED = 0.1  # a share of rows under another delimiter above this is no accident
_LOOKED_AT = 400
_FEWEST_COLUMNS = 3  # two places and a reading
_BINARY = 0.02
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECIMAL_COMMA = re.compile(r"^[+-]?\d+,\d+$")
_BRACKETED = re.compile(r"^[\[({].*[\])}]$")
_UNIT_WORDS = frozenset(
    {
        "m",
        "metre",
        "metres",
        "meter",
        "meters",
        "ft",
        "km",
        "deg",
        "degree",
        "degrees",
        "dd",
        "nt",
        "gamma",
        "gammas",
        "ut",
        "pt",
        "s",
        "sec",
        "seconds",
        "hours",
        "h",
        "date",
        "time",
        "id",
        "-",
        "none",
        "unit",
        "units",
        "utc",
        "number",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How rows are written. ``data_row`` is the first row with numbers, counted from 1."""

    delimiter: str
    decimal: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    header_row: int | None
    data_row: int
    sample: tuple[tuple[str, ...], ...]
    comments: str


def decode_head(head: bytes, where: Where) -> tuple[str, str]:
    """Return the encoding and the text of a file's beginning.

    Raises
    ------
    UnreadableInput
        If it is not text.
    """
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")
    if encoding != "utf-16":
        control = sum(head.count(bytes([c])) for c in range(32) if c not in {9, 10, 12, 13, 26})
        if control > _BINARY * len(head):
            raise UnreadableInput(
                "this is binary data and not a table",
                hint="give CSV, Geosoft XYZ, ASEG-GDF2, Parquet or GeoPackage",
                where=where,
            )
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        encoding = "cp1252"
        text = head.decode(encoding, errors="replace")
    return encoding, text.replace("\r\n", "\n").replace("\r", "\n")


def split_row(row: str, delimiter: str) -> list[str]:
    """Cut one row into stripped cells; a blank as delimiter stands for any run of blanks."""
    if delimiter == " ":
        return row.split()
    if '"' in row:
        return [cell.strip() for cell in next(csv.reader([row], delimiter=delimiter), [])]
    return [cell.strip() for cell in row.split(delimiter)]


def guess_dialect(text: str, *, delimiter: str | None, where: Where) -> Dialect:
    """Guess how a table is written from its first rows (whole rows only).

    Raises
    ------
    BadTable
        If there is no row of numbers, or rows use different delimiters.
    """
    numbered = [(i, row) for i, row in enumerate(text.split("\n"), start=1) if row.strip()]
    plain = [(i, row) for i, row in numbered if not row.lstrip().startswith(COMMENT_MARKS)]
    if not plain:
        raise BadTable("there are no rows", hint="check that the export finished", where=where)
    rows = plain[:_LOOKED_AT]
    mark = delimiter or _guess_delimiter([row for _, row in rows], where)
    cells = [(i, split_row(row, mark)) for i, row in rows]
    start = next((k for k, (_, row) in enumerate(cells) if _is_data(row)), None)
    if start is None:
        raise BadTable(
            "no row holds numbers: the file has a header only"
            if len(plain) == 1
            else "no row holds numbers",
            hint="check that the export finished and that the first rows are the table's",
            where=where,
        )
    data = cells[start:]
    width = Counter(len(row) for _, row in data).most_common(1)[0][0]
    _refuse_mixed(data, width, mark, where)
    names, units, header_row = _header(cells[:start], numbered, width, mark, data[0][0])
    return Dialect(
        delimiter=mark,
        decimal=_decimal(data, mark),
        names=names,
        units=units,
        header_row=header_row,
        data_row=data[0][0],
        sample=tuple(tuple(row) for _, row in data if len(row) == width),
        comments="\n".join(row for _, row in numbered if row.lstrip().startswith(COMMENT_MARKS)),
    )


def _is_number(cell: str) -> bool:
    return re.match(NUMBER, cell) is not None or _DECIMAL_COMMA.match(cell) is not None


def _is_data(cells: list[str]) -> bool:
    """Tell a row of data: a third of its cells are numbers or marks for "missing"."""
    good = sum(_is_number(c) or (c != "" and c in MISSING_WORDS) for c in cells)
    return good * 3 >= len(cells) and good > 0


def _guess_delimiter(rows: list[str], where: Where) -> str:
    """Take the delimiter that cuts most rows alike into most fields."""
    body = rows[min(len(rows) - 1, 1) :]

    def quality(mark: str) -> tuple[float, int]:
        counts = Counter(len(split_row(row, mark)) for row in body)
        fields, times = counts.most_common(1)[0]
        return (times / len(body) if fields > 1 else 0.0), fields

    def numbers(mark: str) -> float:
        """Give the share of cells that are numbers: a decimal comma is no delimiter."""
        cells = [cell for row in body for cell in split_row(row, mark)]
        return sum(map(_is_number, cells)) / len(cells)

    def rank(mark: str) -> tuple[float, bool, float, bool, int]:
        share, fields = quality(mark)
        wide = fields >= _FEWEST_COLUMNS
        return round(share, 1), wide, round(numbers(mark), 1), mark != " ", fields

    best = max(_CANDIDATES, key=rank)
    if quality(best)[0] == 0.0:
        raise BadTable(
            "rows cannot be cut into columns",
            hint="name the delimiter, and check that every row has a position and a field value",
            where=where,
        )
    return best


def _refuse_mixed(data: list[tuple[int, list[str]]], width: int, mark: str, where: Where) -> None:
    odd = [(i, row) for i, row in data if len(row) != width]
    if len(odd) <= _MIXED * len(data):
        return
    for i, row in odd:
        text = mark.join(row)
        for other in _CANDIDATES:
            if other != mark and len(split_row(text, other)) == width:
                raise BadTable(
                    f"rows use different delimiters: {mark!r} and {other!r}",
                    hint="export the table again with one delimiter",
                    where=Where(file=where.file, row=i),
                )


def _header(
    before: list[tuple[int, list[str]]],
    numbered: list[tuple[int, str]],
    width: int,
    mark: str,
    data_row: int,
) -> tuple[tuple[str, ...], tuple[str, ...], int | None]:
    """Find names and units above the first row of data; a comment may hold the names."""
    titles = [(i, cells) for i, cells in before if len(cells) in {width, width - 1}]
    if not titles:
        titles = [
            (i, cells)
            for i, row in numbered
            if i < data_row and row.lstrip().startswith(COMMENT_MARKS)
            and len(cells := split_row(row.lstrip().lstrip("".join(COMMENT_MARKS)), mark)) == width
        ][-1:]  # fmt: skip
    units: tuple[str, ...] = ("",) * width
    if len(titles) > 1 and _are_units(titles[-1][1]):
        cells = titles.pop()[1]
        units = tuple(cell.strip("[](){} ") for cell in [*cells, ""][:width])
    if not titles:
        return tuple(f"column {k + 1}" for k in range(width)), units, None
    row, cells = titles[-1]
    names = [cell.strip("\"' ") for cell in [*cells, ""][:width]]
    return _unique(names), units, row


def _are_units(cells: list[str]) -> bool:
    filled = [cell for cell in cells if cell]
    units = [
        _BRACKETED.match(c) is not None or c.strip("[](){} ").lower() in _UNIT_WORDS for c in filled
    ]
    return bool(filled) and all(units)


def _unique(names: list[str]) -> tuple[str, ...]:
    """Name nameless columns, and number those that repeat a name."""
    seen: Counter[str] = Counter()
    result = []
    for k, name in enumerate(names, start=1):
        base = name or f"column {k}"
        seen[base] += 1
        result.append(base if seen[base] == 1 else f"{base} ({seen[base]})")
    return tuple(result)


def _decimal(data: list[tuple[int, list[str]]], mark: str) -> str:
    if mark == ",":
        return "."
    commas = sum(_DECIMAL_COMMA.match(cell) is not None for _, row in data for cell in row)
    points = sum("." in cell and _is_number(cell) for _, row in data for cell in row)
    return "," if commas > points else "."
