"""An instance says of itself in the book of instances that it is there, how it does, and when it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psutil
import structlog

from quetzalcore.errors import Retryable
from quetzalcore.gateway.instance import Gateway
from quetzalcore.jobs.scaling import InstanceReport

__all__ = ["present"]

_log = structlog.get_logger(__name__)
_EVERY_S = 2.0
_MIB = 2**20


@asynccontextmanager
async def present(gateway: Gateway, url: str) -> AsyncIterator[None]:
    """Keep the instance in the book while the block runs; balancers find it there at ``url``."""
    process = psutil.Process()
    process.cpu_percent()
    started_at = gateway.parts.clock()

    async def report() -> None:
        figures = gateway.metrics.recent.figures()
        await gateway.parts.instances.report(
            InstanceReport(
                id=gateway.config.instance,
                url=url,
                version=gateway.parts.version,
                started_at=started_at,
                seen_at=gateway.parts.clock(),
                draining=gateway.draining,
                cpu_percent=process.cpu_percent(),
                memory_mib=round(process.memory_info().rss / _MIB, 1),
                requests_per_s=figures.per_s,
                mean_ms=figures.mean_ms,
                p50_ms=figures.p50_ms,
                p95_ms=figures.p95_ms,
                p99_ms=figures.p99_ms,
                open_requests=gateway.metrics.open_requests,
                streams=gateway.streams.count,
            )
        )

    async def go_on() -> None:
        while True:
            try:
                await report()
            except Retryable as error:
                _log.warning("gateway.not_in_the_book", error=str(error))
            if gateway.leaving.is_set():
                await asyncio.sleep(_EVERY_S)
            else:
                with suppress(TimeoutError):  # that it leaves is said at once
                    await asyncio.wait_for(gateway.leaving.wait(), _EVERY_S)

    reporting = asyncio.create_task(go_on(), name="presence")
    try:
        yield
    finally:
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)
        with suppress(Retryable):
            await gateway.parts.instances.leave(gateway.config.instance)
