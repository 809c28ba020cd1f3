"""Puts a task's input files where its VM sees them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from quetzalcore.errors import BadParameter

__all__ = ["place"]

_READABLE_BY_ALL = 0o444


def place(inputs: Mapping[str, Path], folder: Path, *, share: bool) -> None:
    """Put the files into ``folder`` under their names; ``share`` allows hard links.

    Only where the VM cannot write to its inputs may a link be shared with the host.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in inputs.items():
        target = folder / _checked(name)
        if not (share and _link(path, target)):
            shutil.copyfile(path, target)
            target.chmod(_READABLE_BY_ALL)


def _checked(name: str) -> str:
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise BadParameter(
            f"{name!r} cannot be the name of an input file", hint="use a name without a slash"
        )
    return name


def _link(path: Path, target: Path) -> bool:
    try:
        if path.stat().st_mode & _READABLE_BY_ALL != _READABLE_BY_ALL:
            return False
        os.link(path.resolve(), target)
    except OSError:
        return False  # another file system, or one without links
    return True
