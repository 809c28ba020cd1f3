"""What a node is: its size, its walls and its hypervisor, as its operator and its kernel allow."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from quetzalcore.cluster.fakes import FakeVMs
from quetzalcore.cluster.vms import VMs
from quetzalcore.jobs.model import Node, Resources

__all__ = ["HostSettings", "open_host"]

_MEMORY_SHARE = 0.8  # the rest is for the platform and the system
_MIB = 1 << 20


class HostSettings(BaseModel):
    """What an operator may say of a node.

    ``silence_s`` is how long an agent with nothing to run waits for a master before it leaves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    node_id: str
    folder: Path
    runtime: str = "auto"
    cpus: float | None = None
    memory_mib: int | None = None
    vgpus: int = 0
    warm_bare: int = 1
    warm_numeric: int = 1
    silence_s: float = 60.0
    address: str = "local"


@asynccontextmanager
async def open_host(settings: HostSettings) -> AsyncIterator[tuple[Node, VMs]]:
    """Open the node's hypervisor and describe the node."""
    total = Resources(
        cpus=settings.cpus or float(len(os.sched_getaffinity(0))),
        memory_mib=settings.memory_mib or int(_physical_memory_mib() * _MEMORY_SHARE),
        vgpus=settings.vgpus,
        scratch_mib=_free_disk_mib(settings.folder) // 2,
    )
    node = Node(id=settings.node_id, address=settings.address, total=total, free=total)
    yield node, FakeVMs(settings.folder)


def _physical_memory_mib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB


def _free_disk_mib(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize // _MIB
