"""Artifacts in memory, for tests; as strict as a folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal
from urllib.parse import quote

from quetzalcore.errors import BadParameter
from quetzalcore.jobs.artifacts import StoredFile
from quetzalcore.jobs.stores.faults import missing
from quetzalcore.jobs.stores.keys import checked_key, checked_prefix
from quetzalcore.jobs.stores.streams import span

__all__ = ["MemoryStore"]

_PIECE = 64 * 1024


class MemoryStore:
    """An ``ArtifactStore`` that forgets everything; its links name files but open nothing."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Store a stream whole."""
        checked_key(key)
        data = b"".join([chunk async for chunk in chunks])
        clash = any(other.startswith(f"{key}/") for other in self._files)
        if clash or any(key.startswith(f"{other}/") for other in self._files):
            raise BadParameter(
                f"the file name {key!r} is, or goes through, a name used otherwise",
                hint="choose a name that is not the folder of another file, nor inside another file",
            )
        self._files[key] = data
        return len(data)

    async def get(
        self, key: str, *, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[bytes]:
        """Give a range of a file's bytes."""
        data = self._data(key)
        wanted = span(start, stop, len(data))
        for begin in wanted[::_PIECE]:
            yield data[begin : min(begin + _PIECE, wanted.stop)]

    async def stat(self, key: str) -> StoredFile:
        """Give a file's size."""
        return StoredFile(key=key, size=len(self._data(key)))

    async def list(self, prefix: str) -> AsyncIterator[StoredFile]:
        """Give the files below a prefix of whole path parts."""
        below = checked_prefix(prefix)
        for key, data in list(self._files.items()):
            if not below or key.startswith(f"{below}/"):
                yield StoredFile(key=key, size=len(data))

    async def delete(self, key: str) -> None:
        """Remove a file."""
        self._files.pop(checked_key(key), None)

    async def clear(self, prefix: str) -> None:
        """Remove the files below a prefix."""
        for file in [file async for file in self.list(checked_key(prefix))]:
            del self._files[file.key]

    async def link(self, key: str, *, method: Literal["GET", "PUT"], expires_s: float) -> str:  # noqa: ARG002 -- nobody follows it
        """Give a URL that only names the file."""
        return f"memory:///{quote(checked_key(key))}"

    def _data(self, key: str) -> bytes:
        """Give a file's bytes or say that there is none."""
        try:
            return self._files[checked_key(key)]
        except KeyError:
            raise missing(key) from None
