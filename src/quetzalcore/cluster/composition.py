"""Put a master together; what ``quetzal master`` and ``quetzal up`` run."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import socket
from collections.abc import Callable, Sequence

from quetzalcore.cluster.engine import Engine
from quetzalcore.cluster.janitor import Janitor, JanitorConfig
from quetzalcore.cluster.master import Companion, Master, Workplace
from quetzalcore.cluster.term import MasterConfig, Seams
from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.ledger import JobLedger, Leadership, NodeBook
from quetzalcore.jobs.uploads import UploadBook

__all__ = ["make_master"]


def make_master(  # noqa: PLR0913 -- each is one seam, chosen by the command that starts it
    *,
    ledger: JobLedger,
    nodes: NodeBook,
    leadership: Leadership,
    store: ArtifactStore,
    engine: Engine,
    clock: Callable[[], dt.datetime],
    config: MasterConfig | None = None,
    uploads: UploadBook | None = None,
    cleaning: JanitorConfig | None = None,
    companions: Sequence[Companion] = (),
) -> Master:
    """Make a master under a name of its own; ``Master.run`` runs it until cancelled."""
    janitor = Janitor(ledger, store, cleaning or JanitorConfig(), clock=clock, uploads=uploads)
    return Master(
        Seams(ledger=ledger, nodes=nodes, store=store, engine=engine, clock=clock),
        leadership,
        config or MasterConfig(),
        holder=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        companions=(_cleaning(janitor), *companions),
    )


def _cleaning(janitor: Janitor) -> Companion:
    """Let a janitor work beside a term."""

    async def work(epoch: int, _workplace: Workplace) -> None:
        await janitor.run(epoch)

    return work
