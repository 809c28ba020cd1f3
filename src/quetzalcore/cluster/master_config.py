"""How a master works, and the world as it sees it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from quetzalcore.cluster.admission import AdmissionConfig
from quetzalcore.cluster.engine import Engine
from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.ledger import JobLedger, NodeBook

__all__ = ["MasterConfig", "Seams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterConfig:
    """How a master works; times in seconds.

    Parameters
    ----------
    admission : AdmissionConfig
        Who goes first and who goes where.
    lease_s : float
        How long an attempt lives unrenewed. Longer than the engine takes to notice a dead node.
    leader_lease_s, leader_renew_s : float
        How long a leader leads unrenewed, and how often it renews.
    nodes_s : float
        How often the nodes are looked at.
    settle_s : float
        How long the nodes must be unchanged before what fits none of them is rejected.
    cancel_s : float
        The least time between two looks for jobs to cancel.
    link_s : float
        How long links to files work.
    batch : int
        Jobs that one decision looks at, at most; fewer where there is room for few.
    artifact_bytes : int or None
        What the products of one tenant may take; None for no limit.
    settings : mapping
        The operator's settings that concern the science, handed to every task.
    """

    admission: AdmissionConfig = field(default_factory=AdmissionConfig)
    lease_s: float = 30.0
    leader_lease_s: float = 5.0
    leader_renew_s: float = 1.5
    nodes_s: float = 2.0
    settle_s: float = 15.0
    cancel_s: float = 0.2
    link_s: float = 3600.0
    batch: int = 500
    artifact_bytes: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """The world as a master sees it."""

    ledger: JobLedger
    nodes: NodeBook
    store: ArtifactStore
    engine: Engine
    clock: Callable[[], dt.datetime]
