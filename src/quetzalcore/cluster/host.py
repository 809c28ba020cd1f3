"""What a node is: its size, its walls and its hypervisor, as its operator and its kernel allow."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from quetzalcore.cluster.vms import VMs
from quetzalcore.hypervisor.choosing import pick
from quetzalcore.hypervisor.hypervisor import Hypervisor
from quetzalcore.hypervisor.opening import open_runtimes
from quetzalcore.hypervisor.runtime import CannotEnforce, Capabilities, Runtime
from quetzalcore.hypervisor.runtimes.process import ProcessRuntime
from quetzalcore.hypervisor.spec import Limit, Tier, Trust
from quetzalcore.jobs.model import Node, Resources

__all__ = ["HostSettings", "describe", "find_runtimes", "host_offer", "open_host", "trust_of"]

_MEMORY_SHARE = 0.8  # the rest is for the platform and the system
_SCRATCH_PART = 3  # of a node's memory, this many parts are memory to one of scratch space
_MIB = 1 << 20


class HostSettings(BaseModel):
    """What an operator may say of a node.

    ``memory_mib`` is what jobs may be given as memory; behind walls a third as much again is their scratch
    space, which is memory too. ``silence_s`` is how long an agent with nothing to run waits for a master before it leaves.
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
    kernels: Path | None = None
    silence_s: float = 60.0
    address: str = "local"


@asynccontextmanager
async def open_host(settings: HostSettings) -> AsyncIterator[tuple[Node, VMs]]:
    """Open the node's hypervisor and describe the node.

    Raises
    ------
    CannotEnforce
        If the runtime that the settings name does not work here.
    """
    with find_runtimes(settings) as runtimes:
        trust = trust_of(runtimes)
        warm = {Tier.BARE: settings.warm_bare, Tier.NUMERIC: settings.warm_numeric}
        async with Hypervisor.open(
            folder=settings.folder / "vms",
            runtimes=runtimes,
            warm={tier: count for tier, count in warm.items() if count},
            trust=trust,
            kernels=settings.kernels,
        ) as vms:
            yield describe(settings, pick(runtimes, trust).probe(), trust), vms


@contextmanager
def find_runtimes(settings: HostSettings) -> Iterator[tuple[Runtime, ...]]:
    """Open the runtime of a name, or for ``auto`` all that are here; none is tried yet."""
    if settings.runtime == "process":  # needs nothing that would have to be opened
        yield (ProcessRuntime(),)
        return
    with open_runtimes(settings.node_id) as opened:
        if settings.runtime == "auto":
            yield opened.in_order()
            return
        if settings.runtime not in opened.by_name:
            raise CannotEnforce(
                f"the runtime {settings.runtime} is not installed here",
                hint=f"install it, or choose one of auto, {', '.join(opened.by_name)}",
            )
        yield (opened.by_name[settings.runtime],)


def describe(settings: HostSettings, walls: Capabilities, trust: Trust) -> Node:
    """Say what the node has and what its runtime enforces."""
    memory_mib, scratch_mib = _rooms(settings, walls)
    total = Resources(
        cpus=settings.cpus or float(_cores()),
        memory_mib=memory_mib,
        vgpus=settings.vgpus,
        scratch_mib=scratch_mib,
    )
    return Node(
        id=settings.node_id,
        address=settings.address,
        total=total,
        free=total,
        trust=str(trust),
        runtime=walls.name,
        enforces=tuple(sorted(walls.enforces)),
    )


def _rooms(settings: HostSettings, walls: Capabilities) -> tuple[int, int]:
    """Give memory and scratch space; behind walls scratch is memory too, so both come out of one."""
    memory_mib = int(_physical_memory_mib() * _MEMORY_SHARE)
    if Limit.SCRATCH not in walls.enforces:
        return settings.memory_mib or memory_mib, _free_disk_mib(settings.folder) // 2
    if settings.memory_mib:
        return settings.memory_mib, settings.memory_mib // _SCRATCH_PART
    scratch_mib = memory_mib // (_SCRATCH_PART + 1)
    return memory_mib - scratch_mib, scratch_mib


def host_offer() -> tuple[float, int]:
    """Give the cores of this host and the memory that jobs may have of it, their scratch space already taken off."""
    memory_mib = int(_physical_memory_mib() * _MEMORY_SHARE)
    return float(_cores()), memory_mib - memory_mib // (_SCRATCH_PART + 1)


def trust_of(runtimes: Sequence[Runtime]) -> Trust:
    """Say whose work a node may run: a tenant's if a runtime enforces every limit, else its owner's."""
    try:
        pick(runtimes, Trust.TENANT)
    except CannotEnforce:
        return Trust.OWNER
    return Trust.TENANT


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _physical_memory_mib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB


def _free_disk_mib(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize // _MIB
