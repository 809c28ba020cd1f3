"""Move a job's files between a node and the artifact store, by links that name just that file."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from quetzalcore.cluster.messages import InputLink
from quetzalcore.cluster.moving import TransferFailed, check_digest

__all__ = ["Mover", "Transfer"]

_CHUNK = 1 << 20


class Mover(Protocol):
    """Moves files of one URL scheme."""

    async def fetch(self, link: InputLink, target: Path) -> None:
        """Bring a file here whole and checked, or raise ``TransferFailed`` or ``DamagedInput``."""
        ...

    async def put(self, source: Path, url: str) -> None:
        """Store a file; it is visible whole or not at all."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Transfer:
    """Moves files by ``file:`` and ``http(s):`` links; HTTP is loaded when first needed."""

    def __init__(self) -> None:
        self._http: Mover | None = None

    async def fetch(self, link: InputLink, target: Path) -> None:
        """Bring an input file here whole and checked."""
        if urlsplit(link.url).scheme == "file":
            await asyncio.to_thread(_link_or_copy, link, target)
        else:
            await self._over_http().fetch(link, target)

    async def put(self, source: Path, url: str) -> None:
        """Store a product under its link."""
        if urlsplit(url).scheme == "file":
            await asyncio.to_thread(_place, source, _local_path(url))
        else:
            await self._over_http().put(source, url)

    async def close(self) -> None:
        """Let go of connections."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    def _over_http(self) -> Mover:
        if self._http is None:
            from quetzalcore.cluster.http_transfer import (  # noqa: PLC0415 -- 0.1 s that a host with a local store never pays
                HttpMover,
            )

            self._http = HttpMover()
        return self._http


def _local_path(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def _link_or_copy(link: InputLink, target: Path) -> None:
    source = _local_path(link.url)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        try:
            target.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, target)
    except OSError as error:
        raise TransferFailed(
            f"the input {link.name!r} cannot be read: {error.strerror}",
            hint="look at the disk that holds the artifacts",
        ) from error
    check_digest(link, target)


def _place(source: Path, target: Path) -> None:
    """Copy beside the target, flush to disk, and rename into place."""
    half = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _make_folder(target.parent)
        with source.open("rb") as reader, half.open("wb") as writer:
            shutil.copyfileobj(reader, writer, _CHUNK)
            writer.flush()
            os.fsync(writer.fileno())
        half.replace(target)
        _flush_folder(target.parent)
    except OSError as error:
        with suppress(OSError):
            half.unlink()
        raise TransferFailed(
            f"the product {target.name!r} cannot be stored: {error.strerror}",
            hint="free space on the disk that holds the artifacts",
        ) from error


def _make_folder(folder: Path) -> None:
    """Make a folder, and those above it, under names that survive a power cut."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
