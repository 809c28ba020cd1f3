"""How the platform is doing, asked at most once a second however many ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from quetzalcore.errors import QuetzalError
from quetzalcore.gateway.metrics import GatewayMetrics
from quetzalcore.gateway.parts import GatewayParts
from quetzalcore.jobs.model import JobState

__all__ = ["Checkup"]

_log = structlog.get_logger(__name__)
_FRESH_S = 1.0
_LONGEST_S = 2.0
_PROBE = "tenants/none/health"
_LIVE = (JobState.STARTING, JobState.RUNNING, JobState.CANCELLING)


class Checkup:
    """Looks at the ledger, the store and the nodes, and remembers what it saw for a second."""

    def __init__(
        self,
        parts: GatewayParts,
        metrics: GatewayMetrics,
        draining: Callable[[], bool],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts = parts
        self._metrics = metrics
        self._draining = draining
        self._monotonic = monotonic
        self._at = -_FRESH_S
        self._seen: dict[str, Any] = {}
        self._lock = asyncio.Lock()

    async def document(self) -> dict[str, Any]:
        """Give the health document."""
        async with self._lock:
            if self._monotonic() - self._at >= _FRESH_S or not self._seen:
                self._seen = await self._look()
                self._at = self._monotonic()
        return self._seen

    async def ready(self) -> bool:
        """Say whether requests can be served: the ledger answers and the instance is not leaving."""
        ledger = (await self.document())["components"]["ledger"]
        return not self._draining() and ledger["status"] == "ok"

    async def _look(self) -> dict[str, Any]:
        ledger, artifacts, nodes = await asyncio.gather(
            _status(self._ledger), _status(self._artifacts), _status(self._nodes)
        )
        cache = {"hit_rate": self._metrics.reuse_rate, **self._cache()}
        self._metrics.cache_ratio.set(cache["hit_rate"])
        self._metrics.ledger_up.set(ledger["status"] == "ok")
        states = {ledger["status"], artifacts["status"], nodes["status"]}
        whole = "away" if ledger["status"] == "away" else "ok" if states == {"ok"} else "degraded"
        return {
            "status": whole,
            "instance": self._parts.config.instance,
            "version": self._parts.version,
            "components": {
                "ledger": ledger,
                "artifacts": artifacts,
                "nodes": nodes,
                "cache_stats": {"status": "ok", **cache},
            },
        }

    async def _ledger(self) -> dict[str, Any]:
        parts, metrics = self._parts, self._metrics
        counts = await parts.ledger.counts()
        for state in JobState:
            metrics.jobs.labels(state.value).set(counts.by_state.get(state, 0))
        oldest = counts.oldest_queued_at
        age_s = 0.0 if oldest is None else max(0.0, (parts.clock() - oldest).total_seconds())
        metrics.queue_age.set(age_s)
        running = sum(counts.by_state.get(state, 0) for state in _LIVE)
        queued = counts.by_state.get(JobState.QUEUED, 0)
        return {"queued": queued, "running": running, "queue_age_s": round(age_s, 3)}

    async def _artifacts(self) -> dict[str, Any]:
        async for _ in self._parts.store.list(_PROBE):
            break
        return {}

    async def _nodes(self) -> dict[str, Any]:
        nodes = await self._parts.nodes.list()
        ready = sum(node.ready and not node.draining for node in nodes)
        self._metrics.nodes.labels("true").set(ready)
        self._metrics.nodes.labels("false").set(len(nodes) - ready)
        return {"status": "ok" if ready else "degraded", "ready": ready, "total": len(nodes)}

    def _cache(self) -> Mapping[str, float]:
        stats = self._parts.cache_stats
        return {} if stats is None else stats()


async def _status(look: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_LONGEST_S):
            return {"status": "ok", **await look()}
    except (QuetzalError, TimeoutError, OSError) as error:
        _log.warning("gateway.component_away", error=str(error))
        return {"status": "away"}
