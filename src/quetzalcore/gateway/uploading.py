"""Uploads: streamed into the store in constant memory, whole at once or in parts that survive a break."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import ClientDisconnect

from quetzalcore.errors import QuetzalError
from quetzalcore.gateway.instance import Gateway
from quetzalcore.gateway.names import safe_filename
from quetzalcore.gateway.problems import SlowBody, TooLarge
from quetzalcore.identity.model import Principal
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import Conflict, QuotaExceeded
from quetzalcore.jobs.upload_parts import (
    delete_bytes,
    delete_parts,
    final_key,
    part_key,
    part_of,
    parts_prefix,
    whole,
)
from quetzalcore.jobs.uploads import Upload

__all__ = ["WrongOffset", "append", "begin", "finish", "store_whole"]


class WrongOffset(Conflict):
    """Bytes were sent for another place than the one where the upload stands."""

    title = "The upload stands elsewhere"

    def __init__(self, received: int) -> None:
        super().__init__(
            f"the upload has {received} bytes", hint="go on from there: ask with HEAD first"
        )
        self.headers = {"Upload-Offset": str(received)}


async def begin(gateway: Gateway, who: Principal, filename: str, size: int | None) -> Upload:
    """Begin an upload of no bytes yet.

    Raises
    ------
    TooLarge
        Before anything is sent, if the declared size is beyond the limit.
    """
    _check_size(gateway, size)
    return await gateway.parts.uploads.create(
        tenant=who.tenant,
        user=who.user,
        filename=safe_filename(filename),
        declared_size=size,
        now=gateway.parts.clock(),
    )


async def store_whole(
    gateway: Gateway,
    who: Principal,
    filename: str,
    chunks: AsyncIterator[bytes],
    *,
    size: int | None = None,
) -> Upload:
    """Store a stream as a complete upload; if it breaks off, nothing of it is left."""
    parts = gateway.parts
    upload = await begin(gateway, who, filename, size)
    key = final_key(who.tenant, upload.id)
    counted = _Counted(gateway, chunks, limit=gateway.config.upload_bytes)
    try:
        received = await parts.store.put(key, counted.stream())
        await parts.uploads.advance(
            upload.id, tenant=who.tenant, offset=0, received=received, now=parts.clock()
        )
        return await parts.uploads.finish(
            upload.id, tenant=who.tenant, sha256=counted.sha256(), key=key, now=parts.clock()
        )
    except (QuetzalError, ClientDisconnect):
        await delete_bytes(parts.store, upload)  # first: without its row nobody would find them
        await parts.uploads.delete(upload.id)
        raise


async def append(
    gateway: Gateway, upload: Upload, offset: int, chunks: AsyncIterator[bytes]
) -> Upload:
    """Add bytes at the offset where the upload stands; what came before a break is kept.

    Raises
    ------
    WrongOffset
        Also when another request for the same place was faster.
    TooLarge
        If more came than was declared.
    ClientDisconnect, SlowBody
        After what came was kept.
    """
    if upload.complete or offset != upload.received:
        raise WrongOffset(upload.received)
    most = gateway.config.upload_bytes if upload.declared_size is None else upload.declared_size
    tolerant = _Tolerant(chunks)
    counted = _Counted(gateway, tolerant.stream(), limit=most - offset)
    pieces = _Pieces(counted.stream())
    while await pieces.more():
        upload = await _append_part(gateway, upload, pieces)
    if tolerant.failure is not None:
        raise tolerant.failure
    return upload


async def finish(gateway: Gateway, upload: Upload) -> Upload:
    """Make the parts into the file that jobs read; again gives the same."""
    parts = gateway.parts
    if upload.complete:
        return upload
    prefix = parts_prefix(upload.tenant, upload.id)
    found = [part_of(file) async for file in parts.store.list(prefix)]
    chain = whole((part for part in found if part is not None), upload.received)
    if chain is None:
        raise Conflict(
            "the upload is being completed by another request, or parts of it are gone",
            hint="ask how it stands; if it is not complete in a moment, upload it again",
        )
    key = final_key(upload.tenant, upload.id)
    digest = hashlib.sha256()

    async def joined() -> AsyncIterator[bytes]:
        """Give the parts one after the other, and hash them on the way."""
        for part in chain:
            async for chunk in parts.store.get(part.key):
                digest.update(chunk)
                yield chunk

    await parts.store.put(key, joined())
    done = await parts.uploads.finish(
        upload.id, tenant=upload.tenant, sha256=digest.hexdigest(), key=key, now=parts.clock()
    )
    await delete_parts(parts.store, upload)
    return done


async def _append_part(gateway: Gateway, upload: Upload, pieces: _Pieces) -> Upload:
    parts = gateway.parts
    prefix = parts_prefix(upload.tenant, upload.id)
    key = part_key(prefix, start=upload.received, tag=new_id())
    size = await parts.store.put(key, pieces.take(gateway.config.part_bytes))
    try:
        return await parts.uploads.advance(
            upload.id,
            tenant=upload.tenant,
            offset=upload.received,
            received=upload.received + size,
            now=parts.clock(),
        )
    except Conflict:
        await parts.store.delete(key)
        stands = await parts.uploads.get(upload.id, tenant=upload.tenant)
        raise WrongOffset(stands.received) from None
    except QuotaExceeded:
        await parts.store.delete(key)  # else what is refused would fill the disk all the same
        raise


def _check_size(gateway: Gateway, size: int | None) -> None:
    limit = gateway.config.upload_bytes
    if size is not None and size > limit:
        raise TooLarge(
            f"the upload has {size} bytes, {limit} are allowed",
            hint="compress it, or ask the operator to raise max_upload_mib",
        )


@dataclass(slots=True)
class _Tolerant:
    """A stream that ends where it breaks, and says afterwards how."""

    chunks: AsyncIterator[bytes]
    failure: ClientDisconnect | SlowBody | None = None

    async def stream(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self.chunks:
                yield chunk
        except (ClientDisconnect, SlowBody) as error:
            self.failure = error


class _Counted:
    """A stream that counts, hashes and refuses to grow beyond a limit."""

    def __init__(self, gateway: Gateway, chunks: AsyncIterator[bytes], *, limit: int) -> None:
        self._count = gateway.metrics.upload_bytes.inc
        self._chunks = chunks
        self._limit = limit
        self._digest = hashlib.sha256()

    async def stream(self) -> AsyncIterator[bytes]:
        left = self._limit
        async for chunk in self._chunks:
            left -= len(chunk)
            if left < 0:
                raise TooLarge(
                    f"more than {self._limit} bytes came",
                    hint="declare the true size, and keep below the limit",
                )
            self._digest.update(chunk)
            self._count(len(chunk))
            yield chunk

    def sha256(self) -> str:
        """Give the digest of what has passed."""
        return self._digest.hexdigest()


class _Pieces:
    """One stream dealt out as several, each at least so long, so that each can be stored by itself."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = aiter(chunks)
        self._next: bytes | None = None

    async def more(self) -> bool:
        """Say whether there is anything left."""
        if self._next is None:
            self._next = await anext(self._chunks, None)
        return self._next is not None

    async def take(self, size: int) -> AsyncIterator[bytes]:
        """Give the next ``size`` bytes, rounded up to a whole chunk."""
        while size > 0 and await self.more():
            chunk, self._next = self._next or b"", None
            size -= len(chunk)
            yield chunk
