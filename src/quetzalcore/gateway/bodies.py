"""Request bodies, held to a size and a pace while they come in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.types import Message, Receive

from quetzalcore.gateway.config import GatewayConfig
from quetzalcore.gateway.problems import BadRequest, SlowBody, TooLarge

__all__ = ["body_chunks", "declared_length", "held_to"]


def declared_length(request: Request) -> int | None:
    """Give the Content-Length, or None where the body comes in chunks.

    Raises
    ------
    BadRequest
        If it is no number.
    """
    given = request.headers.get("content-length")
    if given is None:
        return None
    if not given.isascii() or not given.isdigit():
        raise BadRequest("Content-Length is not a number", hint="send the body's size in bytes")
    return int(given)


def held_to(request: Request, *, limit: int, config: GatewayConfig) -> Request:
    """Give the same request with a body of at most ``limit`` bytes that must keep coming.

    Raises
    ------
    TooLarge
        At once if the declared length is more, else as soon as too much has come.
    SlowBody
        While reading, when nothing comes for a while or the average is too slow.
    """
    declared = declared_length(request)
    if declared is not None and declared > limit:
        raise _too_large(limit)
    return Request(request.scope, _Paced(request.receive, limit, config).receive)


async def body_chunks(request: Request) -> AsyncIterator[bytes]:
    """Give the body as it comes, without empty chunks; ``ClientDisconnect`` if it breaks off."""
    async for chunk in request.stream():
        if chunk:
            yield chunk


class _Paced:
    def __init__(
        self,
        receive: Receive,
        limit: int,
        config: GatewayConfig,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._receive = receive
        self._limit = limit
        self._config = config
        self._monotonic = monotonic
        self._began: float | None = None
        self._got = 0
        self._ended = False

    async def receive(self) -> Message:
        if self._ended:  # waiting for a disconnect may take as long as it takes
            return await self._receive()
        if self._began is None:
            self._began = self._monotonic()
        message = await self._next(self._began)
        if message["type"] != "http.request":
            return message
        self._got += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        if self._got > self._limit:
            raise _too_large(self._limit)
        return message

    async def _next(self, began: float) -> Message:
        idle_s = self._config.body_idle_s
        allowed_s = self._config.body_grace_s + self._got / self._config.body_bytes_per_s
        left_s = began + allowed_s - self._monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(idle_s, left_s))):
                return await self._receive()
        except TimeoutError:
            raise SlowBody(
                f"{self._got} bytes of the body came and then too little",
                hint="send it again over a faster connection, or in parts as a resumable upload",
            ) from None


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"the body is larger than {limit} bytes",
        hint="send less, or upload a file at /api/uploads and name it",
    )
