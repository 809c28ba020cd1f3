"""The host's end of a VM's channel on an event loop: reads no faster than a task may speak."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from quetzalcore.hypervisor.flow import Flow, Said, admit
from quetzalcore.hypervisor.protocol import (
    BranchEnded,
    Failed,
    Logged,
    Malformed,
    Parser,
    Progressed,
    Ready,
    Result,
    encode_line,
)

__all__ = ["Channel", "End", "Listener"]

_BREATH_S = 0.02  # how long a task that says too much is not listened to

End = Result | Failed | Malformed | None
"""How a task ended in its own words; None: the channel was closed without any."""

Listener = Callable[[Said], None]


def _deaf(_said: Said) -> None:
    """Listen to nothing."""


def _no_branch(_ended: BranchEnded) -> None:
    """Expect no forked job."""


class Channel(asyncio.Protocol):
    """One VM's messages: ``ready``, ``serving`` (ready to fork) and ``end`` are futures."""

    def __init__(self, end: socket.socket, clock: Callable[[], float]) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[bool] = loop.create_future()
        self.serving: asyncio.Future[bool] = loop.create_future()
        self.end: asyncio.Future[End] = loop.create_future()
        self.listener: Listener = _deaf
        self.on_branch: Callable[[BranchEnded], None] = _no_branch
        self._socket = end
        self._clock = clock
        self._flow = Flow(at_s=clock())
        self._parser = Parser()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def over(cls, end: socket.socket, clock: Callable[[], float]) -> Channel:
        """Listen on a socket, which is then the channel's own."""
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_unix_connection(lambda: cls(end, clock), sock=end)
        return channel

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message; what a closed channel is told is lost."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode_line(message))

    def send_descriptors(self, message: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        """Send one short message with a few open files; ``OSError`` if it cannot be sent now."""
        socket.send_fds(self._socket, [encode_line(message)], list(descriptors))

    def close(self) -> None:
        """Hang up. Idempotent."""
        if self._transport is not None:
            self._transport.abort()

    def flush(self) -> None:
        """Tell the newest progress that came too fast."""
        if self._flow.waiting is not None:
            self.listener(self._flow.waiting)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """Tell whoever waits that nothing more will come."""
        for coming in (self.ready, self.serving):
            if not coming.done():
                coming.set_result(False)
        if not self.end.done():
            self.end.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Hear what the VM says; pause where it says too much."""
        unheard = False
        for message in self._parser.feed(data):
            if isinstance(message, Progressed | Logged):
                unheard = not self._tell(message) or unheard
            else:
                self._note(message)
        if unheard and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(_BREATH_S, self._resume)

    def _tell(self, said: Said) -> bool:
        self._flow, heard = admit(self._flow, said, self._clock())
        for one in heard:
            self.listener(one)
        return bool(heard)

    def _note(self, message: Ready | Result | Failed | BranchEnded | Malformed) -> None:
        if isinstance(message, Ready):
            coming = self.serving if self.ready.done() else self.ready
            if not coming.done():
                coming.set_result(True)
        elif isinstance(message, BranchEnded):
            self.on_branch(message)
        elif not self.end.done():
            self.end.set_result(message)

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
