"""Artifacts in a folder: written beside, made durable, then renamed into place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

from obstore.store import LocalStore

from quetzalcore.jobs.artifacts import StoredFile
from quetzalcore.jobs.links import FileLinks, SignedLinks
from quetzalcore.jobs.stores import streams
from quetzalcore.jobs.stores.drafts import Draft, clear, remove, sweep
from quetzalcore.jobs.stores.faults import translated
from quetzalcore.jobs.stores.keys import checked_key

__all__ = ["FolderStore"]

P = ParamSpec("P")
R = TypeVar("R")


class FolderStore:
    """An ``ArtifactStore`` in a folder that any number of processes may share.

    ``files`` below it holds what is visible, ``drafts`` what is being written. Opening it removes
    the drafts of writers that died.
    """

    def __init__(self, folder: Path, *, links: FileLinks | SignedLinks | None = None) -> None:
        self._files = folder / "files"
        self._drafts = folder / "drafts"
        self._links = links or FileLinks()
        self._place = f"the folder {folder}"
        with translated(self._place):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._files.mkdir(exist_ok=True)
            self._drafts.mkdir(exist_ok=True)
            sweep(self._drafts)
            self._store = LocalStore(prefix=self._files)

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Store a stream; it is on the disk when this returns. A failed put leaves nothing."""
        target = self._files / checked_key(key)
        with translated(self._place, key):
            draft = Draft(self._drafts)
        try:
            async for piece in streams.gathered(chunks, streams.PIECE_BYTES):
                await self._do(key, draft.write, piece)
            await self._do(key, draft.publish, target)
        finally:
            await self._do(key, draft.close)
        return draft.size

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Give a range of a file's bytes."""
        return streams.ranged(self._store, key, self._place, start=start, stop=stop)

    async def stat(self, key: str) -> StoredFile:
        """Give a file's size."""
        return await streams.stat(self._store, key, self._place)

    def list(self, prefix: str) -> AsyncIterator[StoredFile]:
        """Give the files below a prefix of whole path parts."""
        return streams.listed(self._store, prefix, self._place)

    async def delete(self, key: str) -> None:
        """Remove a file and the folders that it leaves empty."""
        await self._do(key, remove, self._files / checked_key(key), below=self._files)

    async def clear(self, prefix: str) -> None:
        """Remove a folder with everything in it, and the folders that it leaves empty."""
        await self._do(prefix, clear, self._files / checked_key(prefix), below=self._files)

    async def link(self, key: str, *, method: Literal["GET", "PUT"], expires_s: float) -> str:
        """Give a ``file:`` URL, or the gateway's signed link, as the store was opened."""
        path = self._files / checked_key(key)
        return self._links.link(key, path=path, method=method, expires_s=expires_s)

    async def _do(self, key: str, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Work in a thread, and do not leave before the thread has: it may hold the draft."""
        with translated(self._place, key):
            running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                await asyncio.wait({running})
                raise
