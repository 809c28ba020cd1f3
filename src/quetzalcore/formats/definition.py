"""The definition (.dfn) of an ASEG-GDF2 table: its columns by Fortran formats."""

from __future__ import annotations

import re
from dataclasses import dataclass

from quetzalcore.errors import BadTable, Where
from quetzalcore.formats.cells import number_of
from quetzalcore.formats.table import Column

__all__ = ["Field", "parse_definition"]

_RECORD = re.compile(r"^\s*DEFN\s*\d*\s*ST\s*=", re.IGNORECASE)
_FORMAT = re.compile(r"^(\d*)\s*([AIFEDG])\s*(\d+)(?:\.(\d+))?$", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\b(UNITS?|NULL|NAME)\s*[=:]\s*([^,:]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of fixed width, in characters."""

    column: Column
    width: int


def parse_definition(text: str, where: Where) -> tuple[Field, ...]:
    """Read the fields of the data records; repeated formats (``256f5.0``) become numbered columns.

    Raises
    ------
    BadTable
        If a field's format is none, or there is no field.
    """
    fields: list[Field] = []
    for row, line in enumerate(text.splitlines(), start=1):
        if not _RECORD.match(line):
            continue
        head, *definitions = line.split(";")
        kind = re.search(r"RT\s*=\s*(\w*)", head, re.IGNORECASE)
        if kind is not None and kind[1].upper() not in {"", "DATA"}:
            continue
        for definition in definitions:
            fields += _fields(definition.strip(), Where(file=where.file, row=row))
    if not fields:
        raise BadTable("the definition has no data fields", hint="check the .dfn file", where=where)
    return tuple(fields)


def _fields(definition: str, where: Where) -> list[Field]:
    name, _, rest = (part.strip() for part in definition.partition(":"))
    if not rest or name.upper() == "RT" or definition.upper().startswith("END"):
        return []
    words = re.split(r"[:,]", rest, maxsplit=1)
    cut = _FORMAT.match(words[0].strip())
    if cut is None:
        raise BadTable(
            f"field {name} has the format {words[0]!r}, which is no Fortran format",
            hint="use A8, I6 or F10.2 and the like",
            where=where,
        )
    repeats, kind, width = int(cut[1] or 1), cut[2].upper(), int(cut[3])
    attributes = {
        key.upper().rstrip("S"): value.strip()
        for key, value in _ATTRIBUTE.findall(words[1] if len(words) > 1 else "")
    }
    null = number_of(attributes.get("NULL", ""))
    names = [name] if repeats == 1 else [f"{name}[{k}]" for k in range(repeats)]
    return [
        Field(
            column=Column(
                name=each,
                alias=attributes.get("NAME", ""),
                unit=attributes.get("UNIT") or None,
                numeric=kind != "A",
                missing=() if null is None else (null,),
            ),
            width=width,
        )
        for each in names
    ]
