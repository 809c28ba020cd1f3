"""One gateway instance at work: its parts, what it remembers for a moment, and whether it is leaving."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import cast

from starlette.requests import HTTPConnection

from quetzalcore.gateway.authentication import Authenticator
from quetzalcore.gateway.health import Checkup
from quetzalcore.gateway.metering import Meter
from quetzalcore.gateway.metrics import GatewayMetrics
from quetzalcore.gateway.parts import GatewayParts
from quetzalcore.gateway.streams import Streams
from quetzalcore.gateway.watching import Watcher
from quetzalcore.identity.model import Principal
from quetzalcore.jobs.ids import new_id

__all__ = ["Gateway", "caller", "gateway_of"]


class Gateway:
    """Holds no truth: losing an instance loses nothing."""

    def __init__(self, parts: GatewayParts) -> None:
        self.parts = parts
        self.config = parts.config
        self.authenticator = Authenticator(
            parts.identity, parts.clock, ttl_s=parts.config.key_cache_s
        )
        self.meter = Meter(parts.limiter)
        self.watcher = Watcher(parts.ledger)
        self.streams = Streams(parts.config.streams, parts.config.tenant_streams)
        self.metrics = GatewayMetrics(parts.config.instance, streams=lambda: self.streams.count)
        self.checkup = Checkup(parts, self.metrics, lambda: self.draining)
        self.began = time.monotonic()
        self.run_id = new_id()  # request ids are this and a number: unique, and cheaper than random
        self.numbers = itertools.count(1)
        self.leaving = asyncio.Event()

    @property
    def draining(self) -> bool:
        """Whether it turns new requests away."""
        return self.leaving.is_set()

    async def close(self) -> None:
        """End event streams and the task that feeds them."""
        self.leaving.set()
        await self.watcher.close()


def gateway_of(connection: HTTPConnection) -> Gateway:
    """Give the instance that serves a request."""
    return cast("Gateway", connection.app.state.gateway)


def caller(connection: HTTPConnection) -> Principal:
    """Give who makes a request; the route's guard has checked."""
    return cast("Principal", connection.state.principal)
