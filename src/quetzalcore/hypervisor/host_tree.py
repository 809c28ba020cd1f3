"""Reading what a machine may see of this host: the system's folders and Python's own."""

from __future__ import annotations

import os
import sys
from pathlib import Path, PurePosixPath

import quetzalcore
from quetzalcore.hypervisor.plan.view import HostTree

__all__ = ["read_host_tree"]

_TOP = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_EXTRA = ("/etc/alternatives",)  # where Debian's libraries are chosen
_COPIED = ("/etc/ld.so.cache",)


def read_host_tree() -> HostTree:
    """Look at the host once; no file outside the system's and Python's own folders is opened."""
    links = {name: str(Path(name).readlink()) for name in _TOP if Path(name).is_symlink()}
    folders = tuple(
        PurePosixPath(name)
        for name in (*_TOP, *_EXTRA)
        if name not in links and Path(name).is_dir()
    )
    return HostTree(
        links=links,
        folders=folders,
        python=_python(),
        files={
            name.lstrip("/"): Path(name).read_bytes() for name in _COPIED if Path(name).is_file()
        },
    )


def _python() -> tuple[PurePosixPath, ...]:
    """Name the interpreter's prefixes, the folder of the real binary's prefix, and this package."""
    binary = Path(os.path.realpath(sys.executable))
    package = Path(quetzalcore.__file__).resolve().parent
    found = {sys.prefix, sys.base_prefix, str(binary.parent.parent), str(package)}
    return tuple(sorted(PurePosixPath(path) for path in found))
