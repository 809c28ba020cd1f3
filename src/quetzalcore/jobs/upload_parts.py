"""Where an upload's bytes lie in the store: under one key at the end, until then in parts that cannot be confused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from quetzalcore.jobs.artifacts import ArtifactStore, StoredFile
from quetzalcore.jobs.uploads import Upload

__all__ = [
    "Part",
    "delete_bytes",
    "delete_parts",
    "final_key",
    "part_key",
    "part_of",
    "parts_prefix",
    "whole",
]

_NAME = re.compile(r"(\d{20})-[0-9a-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Bytes from ``start`` to ``stop`` (exclusive) of an upload."""

    key: str
    start: int
    stop: int


def final_key(tenant: str, upload_id: str) -> str:
    """Give the key of a complete upload."""
    return f"tenants/{tenant}/uploads/{upload_id}"


def parts_prefix(tenant: str, upload_id: str) -> str:
    """Give the prefix of an upload's parts; nothing but this module makes keys below it."""
    return f"tenants/{tenant}/uploads/{upload_id}.parts"


def part_key(prefix: str, *, start: int, tag: str) -> str:
    """Give a part's key; ``tag`` makes those of two racing requests differ."""
    return f"{prefix}/{start:020d}-{tag}"


def part_of(file: StoredFile) -> Part | None:
    """Say which bytes a stored file holds; None if it is no part."""
    named = _NAME.fullmatch(file.key.rpartition("/")[2])
    if named is None:
        return None
    start = int(named.group(1))
    return Part(key=file.key, start=start, stop=start + file.size)


def whole(parts: Iterable[Part], size: int) -> tuple[Part, ...] | None:
    """Choose parts that make up exactly ``size`` bytes without gap or overlap, or None.

    There may be others: what a crashed request stored before it could say so.
    """
    reached = {0}
    last: dict[int, Part] = {}
    for part in sorted(parts, key=lambda each: (each.start, each.stop, each.key)):
        if part.start in reached and part.stop > part.start and part.stop not in reached:
            reached.add(part.stop)
            last[part.stop] = part
    if size not in reached:
        return None
    chain: list[Part] = []
    while size > 0:
        chain.append(last[size])
        size = chain[-1].start
    return tuple(reversed(chain))


async def delete_parts(store: ArtifactStore, upload: Upload) -> None:
    """Delete the parts of an upload, those that count and those that a crash left behind."""
    await store.clear(parts_prefix(upload.tenant, upload.id))


async def delete_bytes(store: ArtifactStore, upload: Upload) -> None:
    """Delete everything of an upload, complete or not."""
    await delete_parts(store, upload)
    await store.delete(final_key(upload.tenant, upload.id))
