"""Files come and go whole: written under a lock, renamed into place, swept if their writer died."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from quetzalcore.jobs.ids import new_id

__all__ = ["Draft", "clear", "remove", "sweep"]

_TRIES = 100  # only a race with a sweeper or with the removal of an empty folder costs one


class Draft:
    """One file being written outside of what is listed; ``close`` removes it unless it was published."""

    def __init__(self, folder: Path) -> None:
        self._path, self._file = _locked(folder)
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Append bytes."""
        self.size += self._file.write(piece)

    def publish(self, target: Path) -> None:
        """Make the file durable and then visible under its name, whole; an older one is replaced."""
        self._file.flush()
        os.fsync(self._file.fileno())
        _moved(self._path, target)
        _sync_folder(target.parent)

    def close(self) -> None:
        """Let go of the file."""
        try:
            self._file.close()
        finally:
            self._path.unlink(missing_ok=True)


def sweep(folder: Path) -> int:
    """Remove the drafts whose writer is dead, on whatever host it ran; give their number.

    A writer holds a lock on its draft that ends with the process, so no clock and no age is needed.
    """
    swept = 0
    for path in folder.iterdir():
        with contextlib.suppress(OSError), path.open("rb") as file:  # published or swept meanwhile
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            swept += 1
    return swept


def remove(path: Path, *, below: Path) -> None:
    """Delete a file, if it is one, and the folders that it leaves empty, up to ``below``."""
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return
    _prune(path.parent, below=below)


def clear(folder: Path, *, below: Path) -> None:
    """Delete a folder with all that is in it, if it is one, and the folders that it leaves empty, up to ``below``."""
    for place, _, names in os.walk(folder, topdown=False, onerror=_unless_gone):
        for name in names:
            Path(place, name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # gone, or filled meanwhile
            Path(place).rmdir()
    _prune(folder.parent, below=below)


def _prune(folder: Path, *, below: Path) -> None:
    """Remove empty folders upwards."""
    with contextlib.suppress(OSError):  # not empty, or gone already
        while folder != below:
            folder.rmdir()
            folder = folder.parent


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _locked(folder: Path) -> tuple[Path, BinaryIO]:
    """Make a new draft that no sweeper can take from us any more."""
    for _ in range(_TRIES):
        path = folder / new_id()
        file = path.open("xb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # a sweeper was faster
            file.close()
            continue
        if os.fstat(file.fileno()).st_nlink:
            return path, file
        file.close()
    raise OSError(f"no draft could be locked in {folder}")


def _moved(draft: Path, target: Path) -> None:
    """Rename into place; folders are made, also when a deletion removes an empty one meanwhile."""
    for attempt in range(_TRIES):
        try:
            _make_folders(target.parent)
            draft.replace(target)
        except FileNotFoundError:
            if attempt == _TRIES - 1:
                raise
        else:
            return


def _make_folders(folder: Path) -> None:
    """Make folders whose names survive a power cut."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make names in a folder durable; a folder that is gone needs none."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
