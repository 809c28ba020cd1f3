"""How this host takes part in a Ray cluster: as its head, as a master's foothold, as a worker."""

from __future__ import annotations

import os
import platform
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from quetzalcore.cli.clock import now
from quetzalcore.cli.host_files import HostFiles, kernels_folder
from quetzalcore.cluster.addresses import own_addresses
from quetzalcore.cluster.cluster_keys import (
    ClusterKeys,
    invite,
    keep_cluster_keys,
    security_here,
)
from quetzalcore.cluster.engines.ray import RayEngine
from quetzalcore.cluster.joining import join, run_worker
from quetzalcore.cluster.ray_access import RayPlace
from quetzalcore.cluster.ray_node import RayNode, RedisPlace
from quetzalcore.cluster.ray_process import running_node
from quetzalcore.gateway import JoinInfo
from quetzalcore.gateway.parts import Joining, JoinProvider
from quetzalcore.identity.model import Principal
from quetzalcore.settings import Settings

__all__ = ["join_provider", "ray_engine", "run_head", "work_for"]

_REDIS_PORT = 6379
log = structlog.get_logger("quetzalcore.cluster")


@asynccontextmanager
async def ray_engine(settings: Settings, files: HostFiles) -> AsyncIterator[RayEngine]:
    """Give the engine of a master; beside it this host runs the head, or a node that takes no jobs."""
    node = _node(settings, files, head=not settings.ray_address)
    async with running_node(node, os.environ, said=_say):
        place = RayPlace(address=node.address, security=node.security)
        yield RayEngine(place, folder=files.run / "ray-engine", inherited=os.environ)


@asynccontextmanager
async def run_head(settings: Settings, files: HostFiles) -> AsyncIterator[str]:
    """Run the cluster's head alone, so that masters may come and go; give its address."""
    node = _node(settings, files, head=True)
    async with running_node(node, os.environ, said=_say):
        yield node.address


async def work_for(settings: Settings, files: HostFiles) -> None:
    """Join a cluster and take its jobs until cancelled."""
    ticket = await join(settings.join_url, settings.join_key.get_secret_value())
    given = {
        "node_id": settings.node_id or platform.node(),
        "runtime": settings.runtime,
        "cpus": settings.worker_cpus,
        "memory_mib": settings.worker_memory_mib,
        "kernels": kernels_folder(settings),
        "warm_bare": settings.warm_bare,
        "warm_numeric": settings.warm_numeric,
    }
    await run_worker(ticket, files.root / "ray", node=given)


def join_provider(settings: Settings, files: HostFiles) -> JoinProvider | None:
    """Give what a gateway answers to hosts that join; None where the engine is local."""
    if settings.engine != "ray":
        return None
    keys = _keys(settings, files)

    async def provide(_who: Principal, host: Joining) -> JoinInfo:
        ticket = invite(
            keys,
            address=settings.ray_address or _own_address(settings),
            name=host.name,
            addresses=host.addresses,
            now=now(),
        )
        return JoinInfo(
            engine=ticket.engine,
            address=ticket.address,
            token=ticket.token,
            certificates=ticket.certificates,
            settings=ticket.settings,
        )

    return provide


def _node(settings: Settings, files: HostFiles, *, head: bool) -> RayNode:
    role = "head" if head else f"master-{os.getpid()}"
    known_as = urlsplit(f"//{settings.ray_address}").hostname if head else None
    names = (known_as,) if known_as else ()  # where the head is told what others call it
    return RayNode(
        name=f"{platform.node()}-{role}",
        folder=_short(files, role),
        address=_own_address(settings) if head else settings.ray_address,
        host=_host(settings),
        security=security_here(_keys(settings, files), now=now(), names=names),
        head=head,
        redis=_redis(settings) if head else None,
    )


def _keys(settings: Settings, files: HostFiles) -> ClusterKeys:
    folder = files.root / "cluster"
    return keep_cluster_keys(folder, now=now(), token=settings.ray_token.get_secret_value())


def _own_address(settings: Settings) -> str:
    return f"{_host(settings)}:{settings.ray_port}"


def _host(settings: Settings) -> str:
    return settings.ray_host or own_addresses()[0]


def _redis(settings: Settings) -> RedisPlace | None:
    """Let the cluster's state outlive the head where there is a Redis."""
    if not settings.redis_url:
        return None
    parts = urlsplit(settings.redis_url)
    return RedisPlace(
        address=f"{parts.hostname}:{parts.port or _REDIS_PORT}",
        namespace="quetzalcore",
        password=parts.password or "",
    )


def _short(files: HostFiles, role: str) -> Path:
    return files.root / "ray" / role


def _say(event: str, fields: Mapping[str, object]) -> None:
    log.info(event, **{name: value for name, value in fields.items() if name != "event"})
