"""Rows that could not be used: counted, and the first of them named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["RejectedRow", "RejectedRows", "Rejects"]

_NAMED = 50
_SHOWN_CHARACTERS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """One row that was left out. Rows count from 1, as in a text editor."""

    row: int
    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRows:
    """How many rows were left out, why, and the first of them."""

    count: int = 0
    reasons: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    first: tuple[RejectedRow, ...] = ()


class Rejects:
    """Collects rejected rows while a file is read."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()
        self._first: list[RejectedRow] = []

    def add(self, row: int, kind: str, *, reason: str = "", text: str = "") -> None:
        """Leave out one row: ``kind`` is what it is counted under, ``reason`` is about this row."""
        self._reasons[kind] += 1
        if len(self._first) < _NAMED:
            self._first.append(
                RejectedRow(row=row, reason=reason or kind, text=text[:_SHOWN_CHARACTERS])
            )

    def freeze(self) -> RejectedRows:
        """Give what was collected so far."""
        return RejectedRows(
            count=self._reasons.total(),
            reasons=MappingProxyType(dict(self._reasons.most_common())),
            first=tuple(sorted(self._first, key=lambda rejected: rejected.row)),
        )
