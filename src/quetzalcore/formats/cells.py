"""What one cell of a text table says: a number, "no data", or something else."""

from __future__ import annotations

import re

__all__ = ["COMMENT_MARKS", "MISSING_WORDS", "NUMBER", "mostly_numbers", "number_of"]

COMMENT_MARKS = ("#", "/", "%", "!")
MISSING_WORDS = (
    "", "*", "-", "--", "NA", "N/A", "#N/A", "n/a", "na", "NaN", "nan", "NAN", "null", "NULL",
    "None", "none", "nodata", "NoData", "NODATA", "#VALUE!", "#DIV/0!", "?",
)  # fmt: skip
NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?$"
_NUMBER = re.compile(NUMBER)
_MISSING = frozenset(MISSING_WORDS)
_MOST = 0.5


def number_of(cell: str, decimal: str = ".") -> float | None:
    """Read one cell as a number; None where it is none. Fortran's ``1.5D3`` is a number."""
    text = cell.strip().replace(decimal, ".")
    if _NUMBER.match(text) is None:
        return None
    return float(text.replace("d", "e").replace("D", "e"))


def mostly_numbers(cells: list[str], decimal: str = ".") -> bool:
    """Tell whether a column holds numbers: at least half of what is there does."""
    filled = [cell for cell in cells if cell.strip() not in _MISSING]
    good = sum(number_of(cell, decimal) is not None for cell in filled)
    return good >= _MOST * len(filled)
