"""Column types that mean the same in SQLite and in PostgreSQL."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

from sqlalchemy import BigInteger, Dialect, Text, TypeDecorator

__all__ = ["Document", "Instant", "Name"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


class Instant(TypeDecorator[dt.datetime]):
    """A moment in UTC, kept as microseconds since 1970: exact, ordered and small in both databases."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 -- SQLAlchemy's signature
        """Turn an aware datetime into microseconds."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002 -- SQLAlchemy's signature
        """Turn microseconds into an aware datetime."""
        return None if value is None else _EPOCH + dt.timedelta(microseconds=value)


class Name(TypeDecorator[str]):
    """Text that both databases can hold: NUL and lone surrogates become the replacement character.

    So that hostile text neither stops a write of other jobs' rows nor fails a question: it is just not found.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 -- SQLAlchemy's signature
        """Replace what cannot be kept."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\0", "\ufffd")


class Document(TypeDecorator[Any]):
    """A JSON value, kept as ASCII text: PostgreSQL's own JSON types refuse the character NUL.

    Numbers that JSON does not have (NaN, infinities) become null.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002 -- any JSON value; SQLAlchemy's signature
        """Write a value as JSON."""
        if value is None:
            return None
        try:
            return json.dumps(value, separators=(",", ":"), allow_nan=False)
        except ValueError:
            return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 -- any JSON value; SQLAlchemy's signature
        """Read a value from JSON."""
        return None if value is None else json.loads(value)


def _finite(value: Any) -> Any:  # noqa: ANN401 -- any JSON value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
