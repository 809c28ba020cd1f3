"""What an instance measures of itself: recent requests, and a Prometheus registry of its own."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["GatewayMetrics", "RecentRequests", "RequestFigures"]

_BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
)
_RECENT = 2048
_WINDOW_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFigures:
    """How the requests of the last minute went; times in milliseconds, 0 where there were none."""

    per_s: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


class RecentRequests:
    """The last 2,048 requests' times, of which those of the last minute count."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ring: deque[tuple[float, float]] = deque(maxlen=_RECENT)

    def add(self, duration_s: float) -> None:
        """Remember a request that ended now."""
        self._ring.append((self._monotonic(), duration_s))

    def figures(self) -> RequestFigures:
        """Say how the last minute went; where the ring is too short for a minute, how its span went."""
        now = self._monotonic()
        recent = [(at, took) for at, took in self._ring if now - at <= _WINDOW_S]
        if not recent:
            return RequestFigures(per_s=0.0, mean_ms=0.0, p50_ms=0.0, p95_ms=0.0, p99_ms=0.0)
        span_s = _WINDOW_S if len(recent) < _RECENT else max(now - recent[0][0], 1e-3)
        times = sorted(took for _, took in recent)
        return RequestFigures(
            per_s=round(len(recent) / span_s, 2),
            mean_ms=round(1000 * sum(times) / len(times), 3),
            p50_ms=_quantile_ms(times, 0.5),
            p95_ms=_quantile_ms(times, 0.95),
            p99_ms=_quantile_ms(times, 0.99),
        )


class GatewayMetrics:
    """Counters and gauges; labels are route templates, methods and states, never ids."""

    def __init__(self, instance: str, *, streams: Callable[[], int] = lambda: 0) -> None:
        self.registry = CollectorRegistry()
        self.recent = RecentRequests()
        self.instance = instance
        self.open_requests = 0
        self.submitted = 0
        self.reused = 0
        self._times = Histogram(
            "quetzal_http_request_seconds",
            "Time to answer, by route template",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._timers: dict[tuple[str, str, int], Histogram] = {}
        self._transfers = Counter(
            "quetzal_http_transfers",
            "Uploads, downloads and streams that ended",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._submitted = Counter(
            "quetzal_jobs_submitted", "Jobs taken", ("kind",), registry=self.registry
        )
        self.upload_bytes = Counter(
            "quetzal_upload_bytes", "Bytes of uploads taken", registry=self.registry
        )
        self.jobs = Gauge("quetzal_jobs", "Jobs by state", ("state",), registry=self.registry)
        self.queue_age = Gauge(
            "quetzal_queue_age_seconds", "Age of the oldest waiting job", registry=self.registry
        )
        self.cache_ratio = Gauge(
            "cache_hit_rate",
            "Answers taken from the cache, of those asked for",
            registry=self.registry,
        )
        self.nodes = Gauge("quetzal_nodes", "Worker nodes", ("ready",), registry=self.registry)
        self.ledger_up = Gauge(
            "quetzal_ledger_up", "Whether the ledger answers", registry=self.registry
        )
        Gauge(
            "quetzal_http_open_requests", "Requests being answered", registry=self.registry
        ).set_function(lambda: self.open_requests)
        Gauge(
            "quetzal_http_streams", "Open event streams and sockets", registry=self.registry
        ).set_function(streams)

    def request(self, method: str, route: str, status: int, own_s: float | None) -> None:
        """Count a request by its own time: without waiting for a job; None where a client sets the pace."""
        if own_s is None:
            self._transfers.labels(method, route, f"{status // 100}xx").inc()
            return
        self._timer(method, route, status // 100).observe(own_s)
        self.recent.add(own_s)

    def _timer(self, method: str, route: str, hundred: int) -> Histogram:
        """Give the histogram of these labels; finding it costs more than counting in it."""
        known = self._timers.get((method, route, hundred))
        if known is None:
            known = self._times.labels(method, route, f"{hundred}xx")
            self._timers[method, route, hundred] = known
        return known

    def job(self, kind: str, *, reused: bool, reusable: bool) -> None:
        """Count a job that was taken."""
        self._submitted.labels(kind).inc()
        self.submitted += reusable
        self.reused += reused

    @property
    def reuse_rate(self) -> float:
        """Of the jobs taken here whose result could have been reused, how many were."""
        return self.reused / self.submitted if self.submitted else 0.0


def _quantile_ms(ordered: Sequence[float], share: float) -> float:
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
