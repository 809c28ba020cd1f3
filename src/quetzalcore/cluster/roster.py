"""The workers that were added to a host, on disk: one file each, so that whoever leads next knows them."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from pydantic import ValidationError

from quetzalcore.cluster.host import HostSettings
from quetzalcore.errors import BadParameter

__all__ = ["Roster"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ENTRY = "worker.json"
_CLOCK = ".clock"  # a file's time tells the time as the disk counts it
_SETTLED_S = 60.0


class Roster:
    """A folder with one folder a worker, which holds its settings and its agent's files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder_of(self, name: str) -> Path:
        """Give a worker's folder.

        Raises
        ------
        BadParameter
            If the name is no name of a worker: lower-case letters, digits and hyphens.
        """
        if not _NAME.fullmatch(name):
            raise BadParameter(
                f"{name!r} is no name for a worker",
                hint="use up to 63 lower-case letters, digits and hyphens",
            )
        return self._folder / name

    def read(self) -> tuple[HostSettings, ...]:
        """Give every worker's settings, by name."""
        entries = sorted(self._folder.glob(f"*/{_ENTRY}"))
        return tuple(found for entry in entries if (found := _read(entry)) is not None)

    def get(self, name: str) -> HostSettings | None:
        """Give a worker's settings if it is there."""
        return _read(self.folder_of(name) / _ENTRY)

    def add(self, settings: HostSettings) -> HostSettings:
        """Write a worker down, unless one of its name is there; give what stands."""
        folder = self.folder_of(settings.node_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = folder / f"{_ENTRY}.{os.getpid()}"
        draft.write_text(settings.model_dump_json(), encoding="utf-8")
        try:
            os.link(draft, folder / _ENTRY)  # whoever is first wins, and nobody reads half of it
        except FileExistsError:
            return _read(folder / _ENTRY) or settings
        finally:
            draft.unlink()
        return settings

    def strike(self, name: str) -> None:
        """Forget a worker, so that nobody starts it again."""
        (self.folder_of(name) / _ENTRY).unlink(missing_ok=True)

    def struck(self) -> tuple[str, ...]:
        """Give those of whom files are left, but not the folders of a moment ago: somebody may be adding there."""
        if not self._folder.is_dir():
            return ()
        clock = self._folder / _CLOCK
        clock.touch()
        now = clock.stat().st_mtime
        return tuple(
            folder.name
            for folder in sorted(self._folder.glob("*/"))
            if _NAME.fullmatch(folder.name)
            and not (folder / _ENTRY).exists()
            and now - folder.stat().st_mtime > _SETTLED_S
        )

    def clear(self, name: str) -> None:
        """Delete a worker's files."""
        shutil.rmtree(self.folder_of(name), ignore_errors=True)


def _read(entry: Path) -> HostSettings | None:
    try:
        return HostSettings.model_validate_json(entry.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
