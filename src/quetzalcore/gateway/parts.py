"""What a gateway is made of; everything it needs is handed to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from quetzalcore.gateway.config import GatewayConfig
from quetzalcore.identity.limits import Verdict
from quetzalcore.identity.model import Principal
from quetzalcore.identity.store import IdentityStore
from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.ledger import JobLedger, NodeBook
from quetzalcore.jobs.scaling import InstanceBook, ScalingBook
from quetzalcore.jobs.uploads import UploadBook
from quetzalcore.workloads.kind import Kind
from quetzalcore.workloads.reuse import data_versions

__all__ = ["Clock", "GatewayParts", "JoinInfo", "JoinProvider", "Joining", "Limiter"]

Clock = Callable[[], dt.datetime]


class Limiter(Protocol):
    """Counts requests by rule and caller."""

    async def hit(self, rule: str, who: str, *, cost: int = 1) -> Verdict:
        """Count requests of somebody under a rule, ``requests`` or ``login``: all of ``cost`` or none."""
        ...

    def exempts(self, who: str) -> bool:
        """Say whether somebody is never refused."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinInfo:
    """What a new worker needs to join the cluster."""

    engine: str
    address: str
    token: str = ""
    certificates: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """The host that wants to join: its name, and the addresses that its certificate will name."""

    name: str
    addresses: tuple[str, ...]


# Raises ``Unavailable`` where the engine is local and nothing can join.
JoinProvider = Callable[[Principal, Joining], Awaitable[JoinInfo]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayParts:
    """The seams and values that a gateway instance works with.

    Parameters
    ----------
    secret : bytes
        Signs blob links; the same on every instance.
    data_versions : mapping
        Digests of the data that results rest on, for reuse.
    join : callable or None
        Gives what a worker needs; None where the engine is local.
    cache_stats : callable or None
        ``hit_rate`` and other figures of the shared cache for health; None: of reused results.
    """

    ledger: JobLedger
    uploads: UploadBook
    nodes: NodeBook
    instances: InstanceBook
    scaling: ScalingBook
    store: ArtifactStore
    identity: IdentityStore
    limiter: Limiter
    kinds: Mapping[str, Kind]
    secret: bytes
    clock: Clock
    version: str
    config: GatewayConfig = field(default_factory=GatewayConfig)
    data_versions: Mapping[str, str] = field(default_factory=data_versions)
    join: JoinProvider | None = None
    cache_stats: Callable[[], Mapping[str, float]] | None = None
