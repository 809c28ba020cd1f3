"""The beginning of a file, for recognising and describing it."""

from __future__ import annotations

from quetzalcore.formats.source import Source

__all__ = ["read_head"]

_HEAD_BYTES = 1 << 18


def read_head(source: Source) -> bytes:
    """Read the beginning of a file, cut after its last whole row where there is more."""
    with source.open() as stream:
        head = stream.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES:
        return head
    return head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1] or head
