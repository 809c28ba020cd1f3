"""The file of settings that hosts are given: read strictly, and written so that systemd and a shell read the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

from quetzalcore.errors import BadParameter, Where

__all__ = ["environment_text", "read_environment"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTES = "'\""


def read_environment(text: str, *, source: str) -> dict[str, str]:
    """Read lines like ``NAME=VALUE``; quotes around a value are taken off, nothing is expanded.

    Raises
    ------
    BadParameter
        Naming the line that is none, is there twice, or cannot be carried to a host as it is.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.strip()
        if not words or words[0] in "#;":
            continue
        name, equals, value = words.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise _wrong(
                "it is not NAME=VALUE", "write it like QUETZAL_ENV=production", number, source
            )
        if name in found:
            raise _wrong(f"{name} is given twice", "give it once", number, source)
        found[name] = _value(value.strip(), number, source)
    return found


def environment_text(values: Mapping[str, str]) -> bytes:
    """Write settings; in single quotes neither systemd nor a shell looks into a value."""
    return "".join(f"{name}='{values[name]}'\n" for name in sorted(values)).encode()


def _value(text: str, number: int, source: str) -> str:
    if len(text) > 1 and text[0] in _QUOTES and text[-1] == text[0]:
        text = text[1:-1]
    if "'" in text or "\\" in text or not text.isprintable():  # never shown: it may be a secret
        raise _wrong(
            "the value has a quote, a backslash or a control character",
            "choose another value, or let a setting ending in _FILE name a file on the hosts",
            number,
            source,
        )
    return text


def _wrong(detail: str, hint: str, number: int, source: str) -> BadParameter:
    return BadParameter(detail, hint=hint, where=Where(file=source, row=number))
