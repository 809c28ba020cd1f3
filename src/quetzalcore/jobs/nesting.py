"""How deep a JSON document may nest, so that every reader on its way can read it."""

from __future__ import annotations

__all__ = ["MOST_LEVELS", "is_too_deep"]

MOST_LEVELS = 100
"""What is nested in messages between processes may reach 200 levels with these around it, and no more."""


def is_too_deep(document: object, *, levels: int = MOST_LEVELS) -> bool:
    """Say whether lists and objects lie in one another more often than ``levels`` times; never recurses."""
    level = [document] if isinstance(document, dict | list | tuple) else []
    while level and levels > 0:
        levels -= 1
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list | tuple)
        ]
    return bool(level)
