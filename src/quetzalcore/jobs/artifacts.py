"""The seam through which files are kept: a folder, or a bucket that speaks S3."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["ArtifactStore", "StoredFile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file in the store."""

    key: str
    size: int


class ArtifactStore(Protocol):
    """Files by key. A key is a relative path of safe segments; a put is visible whole or not at all."""

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Store a stream in constant memory; give its size. A failed put leaves nothing."""
        ...

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Give the bytes from ``start`` to ``stop`` (exclusive) as a stream; ``NotFound``."""
        ...

    async def stat(self, key: str) -> StoredFile:
        """Give a file's size; ``NotFound``."""
        ...

    def list(self, prefix: str) -> AsyncIterator[StoredFile]:
        """Give the files under a prefix."""
        ...

    async def delete(self, key: str) -> None:
        """Remove a file; nothing happens if it is not there."""
        ...

    async def clear(self, prefix: str) -> None:
        """Remove every file under a prefix of whole path parts, also what agents left half-written there."""
        ...

    async def link(self, key: str, *, method: Literal["GET", "PUT"], expires_s: float) -> str:
        """Give a URL (``https:``, ``http:`` or ``file:``) under which an agent may move just this file."""
        ...
