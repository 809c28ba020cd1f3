"""Streams of bytes in constant memory: gathered on the way in, read in ranges on the way out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import obstore

from quetzalcore.errors import BadParameter
from quetzalcore.jobs.artifacts import StoredFile
from quetzalcore.jobs.stores.faults import translated
from quetzalcore.jobs.stores.keys import checked_key, checked_prefix

if TYPE_CHECKING:
    from obstore.store import LocalStore, S3Store

__all__ = ["PIECE_BYTES", "gathered", "listed", "ranged", "span", "stat"]

PIECE_BYTES = 4 * 1024 * 1024  # two of them are held at a time


async def gathered(chunks: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """Give the same bytes in pieces of at least ``size``, the last one excepted."""
    held: list[bytes] = []
    length = 0
    async for chunk in chunks:
        held.append(chunk)
        length += len(chunk)
        if length >= size:
            yield b"".join(held)
            held, length = [], 0
    if length:
        yield b"".join(held)


def span(start: int, stop: int | None, size: int) -> range:
    """Give the bytes that exist of those asked for.

    Raises
    ------
    BadParameter
        If a bound is negative.
    """
    if start < 0 or (stop is not None and stop < 0):
        raise BadParameter(
            f"the range {start} to {stop} is negative", hint="count bytes from the start"
        )
    return range(start, max(start, min(size, size if stop is None else stop)))


async def stat(store: LocalStore | S3Store, key: str, place: str) -> StoredFile:
    """Give a file's size; ``NotFound``."""
    with translated(place, checked_key(key)):
        meta = await obstore.head_async(store, key)
    return StoredFile(key=key, size=meta["size"])


async def ranged(
    store: LocalStore | S3Store, key: str, place: str, *, start: int, stop: int | None
) -> AsyncIterator[bytes]:
    """Read a file piece by piece, one ahead of the reader; each piece is a request of its own.

    So a slow reader holds no connection, a lost one costs one piece, and a file that is replaced
    meanwhile ends the stream with an error and never mixes two versions.
    """
    with translated(place, checked_key(key)):
        meta = await obstore.head_async(store, key)
    wanted = span(start, stop, meta["size"])
    etag = meta["e_tag"]

    async def piece(begin: int) -> bytes:
        """Read one piece of the version that was there at first."""
        end = min(begin + PIECE_BYTES, wanted.stop)
        with translated(place, key):
            result = await obstore.get_async(
                store, key, options={"range": (begin, end), "if_match": etag}
            )
            return bytes(await result.bytes_async())

    ahead: asyncio.Task[bytes] | None = None
    try:
        for begin in wanted[::PIECE_BYTES]:
            current = await (ahead or piece(begin))
            following = begin + PIECE_BYTES
            ahead = asyncio.ensure_future(piece(following)) if following in wanted else None
            yield current
    finally:
        if ahead is not None:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)


async def listed(store: LocalStore | S3Store, prefix: str, place: str) -> AsyncIterator[StoredFile]:
    """Give the files below a prefix; names that no key may have are not ours and are left out."""
    below = checked_prefix(prefix)
    with translated(place):
        async for page in obstore.list(store, below or None, chunk_size=1000):
            for meta in page:
                if not _reserved(meta["path"]):
                    yield StoredFile(key=meta["path"], size=meta["size"])


def _reserved(path: str) -> bool:
    """Whether a path belongs to a file that is still being written."""
    return any(part.startswith(".") for part in path.split("/"))
