"""Compiled kernels for a VM: the host's, to be read, under a folder of its own, to be written.

Numba takes a cache folder only if it can write into it. So the VM's own holds links to the host's
files; what Numba replaces, it replaces by a file of the VM's own.
"""

from __future__ import annotations

import os

__all__ = ["link_kernels"]


def link_kernels(host: str, own: str) -> int:
    """Make ``own`` Numba's cache, beginning with links to the files of ``host``; count them."""
    os.environ["NUMBA_CACHE_DIR"] = own  # noqa: TID251 -- the guest is a process's edge
    count = 0
    for folder, _, names in os.walk(host):
        below = own + folder[len(host) :]
        os.makedirs(below, exist_ok=True)  # noqa: PTH103 -- pathlib costs 5 ms
        for name in names:
            if name.endswith((".nbi", ".nbc")):
                os.symlink(f"{folder}/{name}", f"{below}/{name}")  # noqa: PTH211 -- likewise
                count += 1
    return count
