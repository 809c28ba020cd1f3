"""Lines of nginx's configuration, and blocks of them."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Lines", "block", "text_of"]

Lines = Iterable[str]


def block(head: str, lines: Lines) -> tuple[str, ...]:
    """Give a block."""
    return (f"{head} {{", *(f"    {line}" for line in lines), "}")


def text_of(lines: Lines) -> str:
    """Give the file."""
    return "\n".join(lines) + "\n"
