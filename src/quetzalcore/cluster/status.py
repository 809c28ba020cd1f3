"""How the cluster is, as a master tells it; value objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quetzalcore.jobs.ledger import TenantLoad
from quetzalcore.jobs.model import JobState, Node, Usage

__all__ = ["MasterMetrics", "MasterStatus", "Tally", "status_of"]


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


@dataclass(slots=True)
class Tally:
    """What a master has counted since its process began."""

    terms: int = 0
    admissions: int = 0
    vm_starts: int = 0
    vm_start_s: float = 0.0

    def count_end(self, used: Usage | None) -> None:
        """Count an attempt's VM, if it had one."""
        if used is not None:
            self.vm_starts += 1
            self.vm_start_s += used.vm_start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterMetrics:
    """What ``GET /metrics`` exports of a master; counts begin with its process.

    ``vm_start_s`` is the sum over ``vm_starts``; ``queue_age_s`` is how long the oldest queued job has waited.
    """

    status: MasterStatus
    terms: int
    admissions: int
    vm_starts: int = 0
    vm_start_s: float = 0.0
    queue_age_s: float = 0.0
    jobs: Mapping[JobState, int] = field(default_factory=dict)


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
