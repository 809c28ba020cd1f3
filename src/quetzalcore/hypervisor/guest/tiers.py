"""What a VM imports before its task comes, by tier."""

from __future__ import annotations

import os
import sys

from quetzalcore.hypervisor.guest.kernels import link_kernels

__all__ = ["preload", "seed"]


def preload(tier: str, kernels: str) -> None:
    """Import what nearly every task of the tier imports; ``kernels`` are the host's, compiled."""
    scratch = os.environ.get("TMPDIR", "/tmp")  # noqa: S108, TID251 -- the VM's own; a process's edge
    if tier != "numeric":
        os.environ["NUMBA_CACHE_DIR"] = f"{scratch}/kernels"  # noqa: TID251 -- likewise
        return
    link_kernels(kernels, f"{scratch}/kernels")
    import numba  # noqa: F401, PLC0415 -- only this tier pays for it
    import numpy  # noqa: F401, ICN001, PLC0415
    import scipy.fft  # noqa: F401, PLC0415

    import quetzalcore.vgpu  # noqa: PLC0415
    import quetzalcore.workloads.task  # noqa: F401, PLC0415


def seed(number: int) -> None:
    """Seed the random generators that have been imported, so that no two VMs draw the same."""
    if random := sys.modules.get("random"):
        random.seed(number)
    if (numpy := sys.modules.get("numpy")) and "numpy.random" in sys.modules:
        numpy.random.seed(number & 0xFFFFFFFF)
