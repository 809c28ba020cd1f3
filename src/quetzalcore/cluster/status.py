"""How the cluster is, as a master tells it; value objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quetzalcore.jobs.ledger import TenantLoad
from quetzalcore.jobs.model import Node

__all__ = ["MasterMetrics", "MasterStatus", "status_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterStatus:
    """The answer to ``GET /status``."""

    leads: bool
    epoch: int
    workers: int
    draining: int
    active_vms: int
    warm_vms: int
    queue_depth: int
    running: int
    total_cores: float
    total_memory_gb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterMetrics:
    """What ``GET /metrics`` exports of a master; counts begin with its process."""

    status: MasterStatus
    terms: int
    admissions: int


def status_of(
    nodes: Sequence[Node], loads: Sequence[TenantLoad], *, leads: bool, epoch: int
) -> MasterStatus:
    """Sum up nodes and loads."""
    return MasterStatus(
        leads=leads,
        epoch=epoch,
        workers=len(nodes),
        draining=sum(node.draining for node in nodes),
        active_vms=sum(node.active_vms for node in nodes),
        warm_vms=sum(node.warm_vms for node in nodes),
        queue_depth=sum(load.queued for load in loads),
        running=sum(load.running for load in loads),
        total_cores=sum(node.total.cpus for node in nodes),
        total_memory_gb=round(sum(node.total.memory_mib for node in nodes) / 1024, 1),
    )
