"""Which engine a master uses, and what a node of this host offers."""

from __future__ import annotations

import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from quetzalcore.cli.host_files import HostFiles, kernels_folder
from quetzalcore.cluster.engine import Engine
from quetzalcore.cluster.engines.local import LocalEngine
from quetzalcore.cluster.host import HostSettings
from quetzalcore.settings import Settings

__all__ = ["local_engine", "open_engine"]


@asynccontextmanager
async def open_engine(settings: Settings, files: HostFiles) -> AsyncIterator[Engine]:
    """Give the engine that the settings name."""
    if settings.engine == "ray":
        from quetzalcore.cli.clustering import ray_engine  # noqa: PLC0415 -- Ray, an extra

        async with ray_engine(settings, files) as engine:
            yield engine
    else:
        yield local_engine(settings, files)


def local_engine(settings: Settings, files: HostFiles) -> LocalEngine:
    """Give the engine of this host."""
    return LocalEngine(
        HostSettings(
            node_id=platform.node() or "local",
            folder=files.vms,
            runtime=settings.runtime,
            cpus=settings.worker_cpus,
            memory_mib=settings.worker_memory_mib,
            kernels=kernels_folder(settings),
            warm_bare=settings.warm_bare,
            warm_numeric=settings.warm_numeric,
        ),
        log_file=files.log("agent"),
    )
