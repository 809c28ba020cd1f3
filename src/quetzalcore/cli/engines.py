"""Which engine a master uses, and what a node of this host offers."""

from __future__ import annotations

import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.providers.local import SLOTS_PER_CORE, HostSize
from quetzalcore.cli.host_files import HostFiles, kernels_folder
from quetzalcore.cluster.engine import Engine
from quetzalcore.cluster.engines.local import LocalEngine
from quetzalcore.cluster.host import HostSettings, host_offer
from quetzalcore.settings import Settings

__all__ = ["LocalSizes", "local_engine", "local_sizes", "open_engine"]

_LEAST_MIB = 512


@asynccontextmanager
async def open_engine(settings: Settings, files: HostFiles) -> AsyncIterator[Engine]:
    """Give the engine that the settings name."""
    if settings.engine == "ray":
        from quetzalcore.cli.clustering import ray_engine  # noqa: PLC0415 -- Ray, an extra

        async with ray_engine(settings, files) as engine:
            yield engine
    else:
        yield local_engine(settings, files)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSizes:
    """How this host is divided: what the first worker has (None for all of it), and what one more would have."""

    first_cpus: float | None
    first_memory_mib: int | None
    slot: Shape
    host: HostSize


def local_sizes(settings: Settings) -> LocalSizes:
    """Divide this host among its workers.

    One worker alone has the whole host. Where there are to be several, or a size is set, each has that size, or
    a share of the host by the most workers that there may be; scratch space comes out of the same memory.
    """
    cores, memory_mib = host_offer()
    share = settings.scaling_max_workers
    several = settings.scaling_min_workers > 1
    slot = Shape(
        name="slot",
        cpus=settings.worker_cpus or max(1.0, float(SLOTS_PER_CORE * cores // share)),
        memory_mib=settings.worker_memory_mib or max(_LEAST_MIB, memory_mib // share),
    )
    first_cpus = slot.cpus if several else settings.worker_cpus
    first_memory_mib = slot.memory_mib if several else settings.worker_memory_mib
    return LocalSizes(
        first_cpus=first_cpus,
        first_memory_mib=first_memory_mib,
        slot=slot,
        host=HostSize(
            cpus=cores,
            memory_mib=memory_mib,
            first_cpus=first_cpus or cores,
            first_memory_mib=first_memory_mib or memory_mib,
        ),
    )


def local_engine(settings: Settings, files: HostFiles) -> LocalEngine:
    """Give the engine of this host."""
    sizes = local_sizes(settings)
    return LocalEngine(
        HostSettings(
            node_id=settings.node_id or platform.node() or "local",
            folder=files.vms,
            runtime=settings.runtime,
            cpus=sizes.first_cpus,
            memory_mib=sizes.first_memory_mib,
            kernels=kernels_folder(settings),
            warm_bare=settings.warm_bare,
            warm_numeric=settings.warm_numeric,
        ),
        log_file=files.log("agent"),
    )
