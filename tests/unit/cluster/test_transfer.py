"""Products put into a local folder: durable before they are visible, whole or not at all."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from quetzalcore.cluster.moving import TransferFailed
from quetzalcore.cluster.transfer import Transfer


@pytest.fixture
def flushed(monkeypatch) -> list[str]:
    """Give the paths that were flushed to the disk, in order."""
    paths: list[str] = []

    def note(descriptor: int) -> None:
        status = os.fstat(descriptor)
        paths.append(f"{status.st_dev}:{status.st_ino}")

    monkeypatch.setattr(os, "fsync", note)
    return paths


def _id(path: Path) -> str:
    status = path.stat()
    return f"{status.st_dev}:{status.st_ino}"


def test_a_product_and_every_folder_made_for_it_are_on_the_disk(tmp_path, flushed) -> None:
    source = tmp_path / "map.tif"
    source.write_bytes(b"grid")
    target = tmp_path / "store" / "jobs" / "j" / "a" / "grids" / "map.tif"
    (tmp_path / "store").mkdir()
    asyncio.run(Transfer().put(source, target.as_uri()))
    assert target.read_bytes() == b"grid"
    # Names of new folders lie in the folders above them, up to the one that was there.
    above = [*target.parents[: target.parents.index(tmp_path / "store") + 1]]
    assert {_id(folder) for folder in above} | {_id(target)} == set(flushed)
    assert flushed.index(_id(target)) < len(flushed) - 1, "the file before its name"


def test_a_full_disk_leaves_nothing_of_a_product(tmp_path, monkeypatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    source = tmp_path / "map.tif"
    source.write_bytes(b"grid")
    monkeypatch.setattr(os, "fsync", full)
    target = tmp_path / "store" / "map.tif"
    target.parent.mkdir()
    with pytest.raises(TransferFailed, match="No space"):
        asyncio.run(Transfer().put(source, target.as_uri()))
    assert list(target.parent.iterdir()) == []
