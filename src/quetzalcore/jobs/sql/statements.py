"""What SQLAlchemy Core says differently to SQLite and to PostgreSQL, and how long lists are cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["chunks", "upsert"]

T = TypeVar("T")

_CHUNK = 500  # values in one IN (...): both databases limit a statement's parameters


def upsert(dialect: str, table: Table) -> Any:  # noqa: ANN401 -- either dialect's Insert
    """Begin an INSERT that may go on with ``on_conflict_...``."""
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut a long sequence into pieces that fit into one statement."""
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
