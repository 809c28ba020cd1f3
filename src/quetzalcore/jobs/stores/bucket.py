"""Artifacts in a bucket of a server that speaks S3."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Literal, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from quetzalcore.jobs.artifacts import StoredFile
from quetzalcore.jobs.stores import streams
from quetzalcore.jobs.stores.faults import as_ours, translated
from quetzalcore.jobs.stores.keys import checked_key

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

__all__ = ["BucketStore"]

_PART_BYTES = 8 * 1024 * 1024  # S3 allows 10,000 parts: files up to 80 GB
_PARTS_AT_ONCE = 3
_PATIENCE: RetryConfig = {"max_retries": 4, "retry_timeout": dt.timedelta(seconds=20)}


class BucketStore:
    """An ``ArtifactStore`` in an S3 bucket, below a prefix.

    A file of more than one part becomes visible when its multipart upload is completed. A writer
    that is killed leaves an upload that is never listed; a lifecycle rule of the bucket removes it.
    """

    def __init__(  # noqa: PLR0913 -- where the bucket is and who we are
        self,
        bucket: str,
        *,
        prefix: str = "",
        endpoint: str = "",
        region: str = "us-east-1",
        access_key_id: str = "",
        secret_access_key: str = "",
    ) -> None:
        given = {
            "endpoint": endpoint,
            "region": region,
            "access_key_id": access_key_id,
            "secret_access_key": secret_access_key,
        }
        config = cast("S3Config", {name: value for name, value in given.items() if value})
        options: ClientConfig = {
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": dt.timedelta(seconds=5),
            "timeout": dt.timedelta(seconds=120),  # for one piece or part, never for a whole file
        }
        self._place = f"the bucket {bucket}" + (f" at {endpoint}" if endpoint else "")
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            client_options=options,
            retry_config=_PATIENCE,
            config=config,
        )

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Store a stream; a failed or cancelled put leaves nothing."""
        size, received = 0, False
        writer = obstore.open_writer_async(
            self._store, checked_key(key), buffer_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE
        )
        try:
            async with writer:  # it completes the upload, or aborts it when an error passes
                async for piece in streams.gathered(chunks, _PART_BYTES):
                    with translated(self._place):
                        await writer.write(piece)
                    size += len(piece)
                received = True
        except (OSError, BaseError) as error:
            if isinstance(error, BaseError) or received:
                raise as_ours(error, self._place) from error
            raise  # the source's own error
        return size

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
        """Remove a file."""
        with translated(self._place, checked_key(key)), contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(self._store, key)

    async def clear(self, prefix: str) -> None:
        """Remove the files below a prefix."""
        for key in [file.key async for file in self.list(checked_key(prefix))]:
            await self.delete(key)

    async def link(self, key: str, *, method: Literal["GET", "PUT"], expires_s: float) -> str:
        """Give a presigned URL."""
        lifetime = dt.timedelta(seconds=expires_s)
        with translated(self._place):
            return await obstore.sign_async(self._store, method, checked_key(key), lifetime)
