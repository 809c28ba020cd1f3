"""The magnetic reading's unit: by name, and never converted on a guess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quetzalcore.errors import BadParameter, BadTable, Where
from quetzalcore.formats.table import Column
from quetzalcore.formats.units import find_unit
from quetzalcore.geophysics.survey import Floats

__all__ = ["FieldUnit", "LooksLike", "check_field_unit", "field_unit", "looks_like"]

LooksLike = str
_TOTAL_FIELD_NT = (20_000.0, 70_000.0)
_ANOMALY_NT = 20_000.0
# The Earth's field in other units; only a narrow spread is the whole field and not an anomaly.
_OTHER_UNITS = (
    ("uT", 20.0, 70.0), ("mT", 0.02, 0.07), ("T", 2e-5, 7e-5), ("gauss", 0.2, 0.7),
    ("mG", 200.0, 700.0), ("pT", 2e7, 7e7),
)  # fmt: skip
_NARROW = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldUnit:
    """The unit of a reading and its size in nT; ``named`` tells whether the file or user said so."""

    symbol: str
    factor: float
    named: bool


def field_unit(column: Column, override: str | None) -> FieldUnit:
    """Find the unit of a magnetic column; nT where nothing says otherwise.

    Raises
    ------
    BadParameter
        If the override is no unit of magnetic flux density.
    """
    unit = find_unit(override or column.unit)
    if override is not None and (unit is None or unit.quantity != "field"):
        raise BadParameter(
            f"{override!r} is no unit of a magnetic field",
            hint="use nT, gamma, uT, pT, mT, T or mG",
        )
    if unit is None or unit.quantity != "field":
        return FieldUnit(symbol="nT", factor=1.0, named=False)
    return FieldUnit(symbol=unit.symbol, factor=unit.factor, named=True)


def check_field_unit(values: Floats, unit: FieldUnit, column: str, where: Where) -> None:
    """Refuse a reading without a named unit whose size is that of the Earth's field in another.

    Raises
    ------
    BadTable
        If it looks like microtesla, millitesla, tesla, gauss, milligauss or picotesla.
    """
    finite = values[np.isfinite(values)]
    if unit.named or not len(finite):
        return
    low, middle, high = np.percentile(finite, [1.0, 50.0, 99.0])
    for symbol, least, most in _OTHER_UNITS:
        if low >= least and high <= most and high - low < _NARROW * middle:
            raise BadTable(
                f"the readings (median {middle:.6g}) have no unit and look like {symbol}, not nT",
                hint=f"say so with --unit tmi={symbol}, or in the column's name: '{column} ({symbol})'",
                where=Where(file=where.file, column=column),
            )


def looks_like(low: float, middle: float, high: float) -> LooksLike:
    """Say in words whether readings in nT look like a total field or an anomaly."""
    if not np.isfinite(middle):
        return "nothing: no value is there"
    if _TOTAL_FIELD_NT[0] <= middle <= _TOTAL_FIELD_NT[1]:
        return "a total field (its median lies between 20,000 and 70,000 nT)"
    if abs(middle) < _ANOMALY_NT and max(abs(low), abs(high)) < 2 * _TOTAL_FIELD_NT[1]:
        return "an anomaly (its median lies far below the Earth's field)"
    return "neither a total field nor an anomaly in nT"
