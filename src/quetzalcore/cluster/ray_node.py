"""What a Ray head or worker node is started with: its command line and its environment, as data.

Ray's dashboard, log monitor, autoscaler, metrics and usage reports are off: membership, failure
detection and calls are all that is used. Ports are the kernel's choice except the head's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from quetzalcore.cluster.host import HostSettings
from quetzalcore.cluster.ray_access import (
    AGENT_VARIABLE,
    FOLDER_VARIABLE,
    RaySecurity,
    client_environment,
)
from quetzalcore.errors import BadParameter

__all__ = [
    "AGENT_RESOURCE",
    "REDIS_PORT",
    "RayNode",
    "RedisPlace",
    "node_environment",
    "ray_folder",
    "start_command",
]

AGENT_RESOURCE = "quetzal_agent"  # a Ray node with it gets an agent
REDIS_PORT = 6379  # Ray's default port too: a head on it would be mistaken for a Redis
_LONGEST_FOLDER = 38  # a socket's path may have 107 bytes, and Ray's own part has 67


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisPlace:
    """Where a head keeps the cluster's state so that it outlives the head."""

    address: str  # host:port
    namespace: str
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RayNode:
    """One Ray node on this host.

    ``address`` is the head's ``host:port``; ``host`` is this node's own address. A node with an
    ``agent`` takes jobs; without one it only lets a master on this host into the cluster.
    """

    name: str
    folder: Path
    address: str
    host: str
    security: RaySecurity
    head: bool = False
    agent: HostSettings | None = None
    redis: RedisPlace | None = None
    cpus: int = 0
    object_store_mib: int = 100

    def __post_init__(self) -> None:
        """Refuse Redis's port, which Ray would take for a Redis."""
        if self.address.rpartition(":")[2] == str(REDIS_PORT):
            raise BadParameter(
                f"the Ray head's port is {REDIS_PORT}, which is Redis's",
                hint="set ray_port to another one, for example 6380",
            )


def start_command(node: RayNode, *, python: str) -> tuple[str, ...]:
    """Build the command line that starts the node's daemons and returns."""
    host, _, port = node.address.rpartition(":")
    head = (
        *("--head", "--port", port, "--include-dashboard", "false", "--dashboard-port", "0"),
        *("--no-monitor", "--disable-usage-stats"),
    )
    role = head if node.head else ("--address", f"{host}:{port}")
    redis = node.redis if node.head else None
    return (
        *(python, "-m", "ray.scripts.scripts", "start", *role),
        *("--node-ip-address", node.host, "--node-name", node.name),
        *("--num-cpus", str(node.cpus), "--num-gpus", "0"),
        *("--object-store-memory", str(node.object_store_mib << 20)),
        *("--temp-dir", str(ray_folder(node.folder)), "--include-log-monitor", "false"),
        *("--min-worker-port", "0", "--max-worker-port", "0"),
        *("--dashboard-agent-listen-port", "0"),
        *(("--resources", json.dumps({AGENT_RESOURCE: 1})) if node.agent else ()),
        *(("--redis-password", redis.password) if redis and redis.password else ()),
    )


def node_environment(node: RayNode, inherited: Mapping[str, str]) -> dict[str, str]:
    """Build the environment of the node's daemons, and so of its agent."""
    environment = client_environment(node.security, inherited) | {FOLDER_VARIABLE: str(node.folder)}
    if node.agent is not None:
        environment[AGENT_VARIABLE] = node.agent.model_dump_json()
    if node.head and node.redis is not None:
        environment["RAY_REDIS_ADDRESS"] = node.redis.address
        environment["RAY_external_storage_namespace"] = node.redis.namespace
    return environment


def ray_folder(folder: Path) -> Path:
    """Give the folder that Ray keeps sessions in: the node's own, or a short one for a long path."""
    own = folder / "ray"
    if len(str(own)) <= _LONGEST_FOLDER:
        return own
    digest = hashlib.sha256(str(own).encode()).hexdigest()[:12]
    return Path("/tmp") / f"quetzal-ray-{digest}"  # noqa: S108 -- made with mode 0700 and its owner checked before use
