"""Serving an application on a socket: alone with signals, or as a task beside others."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import structlog
import uvicorn
from starlette.applications import Starlette

from quetzalcore.errors import BadParameter
from quetzalcore.gateway.instance import Gateway
from quetzalcore.gateway.protocol import patient_protocol

__all__ = ["ServeOptions", "listen", "serve"]

_log = structlog.get_logger(__name__)
_BACKLOG = 2048
_SOCKET_MESSAGE = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How an application is served.

    Parameters
    ----------
    signals : bool
        Whether SIGTERM and SIGINT end it; False for a task beside others, which is cancelled instead.
    header_s : float
        Connections that have not sent a request's headers by then are closed.
    drain_s : float
        How long it still takes requests after it was asked to end, while ``/ready`` says no.
    settle_s : float
        How long connections that were taken last may still send their request, once no more are taken.
    shutdown_s : float
        How long requests that run may take to end after that.
    certificate, private_key : str
        Files for TLS; empty: plain HTTP.
    trusted_proxies : str
        Whose ``X-Forwarded-*`` headers count.
    """

    signals: bool = True
    header_s: float = 10.0
    drain_s: float = 0.0
    settle_s: float = 0.0
    shutdown_s: int = 20
    certificate: str = ""
    private_key: str = ""
    trusted_proxies: str = "127.0.0.1"


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 takes a free one.

    Raises
    ------
    BadParameter
        If the address cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _taken(host, port, error) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _taken(host, port, error) from None
    return listener


async def serve(
    app: Starlette,
    listener: socket.socket | Sequence[socket.socket],
    options: ServeOptions | None = None,
    *,
    on_ready: Callable[[], None] | None = None,
    hurry: asyncio.Event | None = None,
) -> None:
    """Serve until a signal comes or the task is cancelled; requests that run end first.

    The sockets are closed at the end. Once ``hurry`` is set nobody waits for draining; a second cancellation does
    not wait for requests either.
    """
    options = options or ServeOptions()
    server = _Server(_config(app, options), on_ready)
    listeners = [listener] if isinstance(listener, socket.socket) else list(listener)
    running = asyncio.create_task(server.serve(sockets=listeners), name="http-server")
    ending = _Ending(app, server, running, options, hurry or asyncio.Event())
    stop = asyncio.Event()
    try:
        with _signals(stop, wanted=options.signals):
            stopped = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
            await ending.run()
    except asyncio.CancelledError:
        await ending.run()
        raise


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a server ends: it turns away, takes no more connections, lets requests end, and stops."""

    app: Starlette
    server: uvicorn.Server
    running: asyncio.Task[None]
    options: ServeOptions
    hurry: asyncio.Event

    async def run(self) -> None:
        gateway: Gateway | None = getattr(self.app.state, "gateway", None)
        if gateway is not None and not self.running.done():
            gateway.leaving.set()
            _log.info("gateway.draining", instance=gateway.config.instance)
            await self._wait(self.options.drain_s)
            if self.options.settle_s and self.server.started:
                for each in self.server.servers:
                    each.close()
                await self._wait(self.options.settle_s)
            await gateway.close()
        self.server.should_exit = True
        await self.running

    async def _wait(self, longest_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.hurry.wait(), longest_s)


def _config(app: Starlette, options: ServeOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=patient_protocol(options.header_s),
        ws="websockets-sansio",
        ws_max_size=_SOCKET_MESSAGE,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        reset_contextvars=True,  # no request logs the ids of the one before it on the connection
        forwarded_allow_ips=options.trusted_proxies,
        timeout_keep_alive=75,  # longer than a balancer keeps idle connections
        timeout_graceful_shutdown=options.shutdown_s,
        ssl_certfile=options.certificate or None,
        ssl_keyfile=options.private_key or None,
    )


class _Server(uvicorn.Server):
    """Leaves the process's signals alone, and says when it listens."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self._on_ready is not None:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@contextlib.contextmanager
def _signals(stop: asyncio.Event, *, wanted: bool) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT) if wanted else ()
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _taken(host: str, port: int, error: OSError) -> BadParameter:
    return BadParameter(
        f"{host}:{port} cannot be listened on ({error.strerror})",
        hint="stop what listens there, or choose another address or port",
    )
