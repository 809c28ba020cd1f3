"""The folders of a node's VMs: one owner at a time, and nothing of a dead one stays."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quetzalcore.errors import BadOutput

__all__ = ["Folders"]


class Folders:
    """Where VMs live, by id, and where a finished one's products wait."""

    def __init__(self, root: Path, kernels: Path | None = None) -> None:
        self._vms = root / "vms"
        self.kernels = (
            kernels or root / "kernels"
        )  # compiled ahead, kept from one start to the next
        self._of: dict[str, Path] = {}

    @classmethod
    @contextmanager
    def take(cls, root: Path, kernels: Path | None = None) -> Iterator[Folders]:
        """Own ``root`` while the block runs, beginning with empty folders."""
        root.mkdir(parents=True, exist_ok=True)
        with (root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BadOutput(
                    f"{root} belongs to another hypervisor that is running",
                    hint="give every agent a folder of its own",
                ) from error
            folders = cls(root, kernels)
            folders.sweep()
            yield folders
            folders.sweep()

    def make(self, vm_id: str) -> Path:
        """Make the folder of a new VM."""
        folder = self.path(vm_id)
        folder.mkdir(parents=True)
        return folder

    def path(self, vm_id: str) -> Path:
        """Give the folder of an id, whether it exists or not."""
        return self._vms / vm_id

    def adopt(self, vm_id: str, folder: Path) -> None:
        """Keep a folder under another id: a warm VM's under its taker's."""
        self._of[vm_id] = folder

    def discard(self, vm_id: str) -> None:
        """Remove what is kept under an id. Idempotent."""
        folder = self._of.pop(vm_id, None)
        if folder is not None:
            _remove(folder)

    def sweep(self) -> None:
        """Remove every VM's folder; none of them runs."""
        shutil.rmtree(self._vms, ignore_errors=True)
        self._vms.mkdir(parents=True, exist_ok=True)


def _remove(folder: Path) -> None:
    """Remove a VM's folder; most hold nothing, which takes no walk."""
    try:
        for name in ("in", "out"):
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(f"{folder}/{name}")  # noqa: PTH106 -- a Path for each costs more than the call
        os.rmdir(folder)  # noqa: PTH106 -- likewise
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
