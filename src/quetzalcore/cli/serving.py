"""The long-running roles: gateway and master, each alone or both in one process."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI

from quetzalcore.cli.clock import now
from quetzalcore.cli.composition import Platform, open_platform
from quetzalcore.cli.engines import local_engine, open_engine
from quetzalcore.cli.host_files import HostFiles
from quetzalcore.cli.inherited import Inherited
from quetzalcore.cli.logs import configure_logs
from quetzalcore.cli.scaling import companions
from quetzalcore.cluster.addresses import own_addresses
from quetzalcore.cluster.engines.local import LocalEngine
from quetzalcore.cluster.master import Master
from quetzalcore.gateway import ServeOptions, create_app, listen, serve
from quetzalcore.gateway.master_app import create_master_app
from quetzalcore.gateway.presence import present
from quetzalcore.identity.bootstrap import bootstrap
from quetzalcore.settings import Settings

__all__ = [
    "serve_gateway",
    "serve_head",
    "serve_master",
    "serve_platform",
    "serve_worker",
    "until_told",
]

log = structlog.get_logger("quetzalcore")
_BESIDE_OTHERS = ServeOptions(signals=False)
_LOOK_S = 0.05


async def serve_platform(settings: Settings, files: HostFiles) -> None:
    """Run gateway, master and this host's agent until told to end; the agent and its VMs end as well."""
    _configure(settings)
    front = listen(settings.host, settings.port)
    back = listen(settings.master_host, settings.master_port)
    engine = local_engine(settings, files)
    async with open_platform(settings, files) as platform:
        await bootstrap(platform.identity, files.root, now=now())
        master = platform.master(engine, companions(platform, engine))
        urls = _url(front), _url(back)
        serving = asyncio.Event()
        work = (
            serve(_gateway(platform, front), front, _BESIDE_OTHERS, on_ready=serving.set),
            serve(_master_app(platform, master), back, _BESIDE_OTHERS),
            master.run(),
            _announce(files, urls, serving),
        )
        try:
            await until_told(*work)
        finally:
            files.forget()
            await engine.shut_down()
    log.info("platform.stopped")


async def serve_gateway(
    settings: Settings, files: HostFiles, inherited: Inherited | None = None
) -> None:
    """Run one gateway instance until told to end: it drains at SIGTERM, and only finishes requests at SIGINT."""
    _configure(settings)
    inherited = inherited or Inherited()
    fronts = inherited.sockets() or [listen(settings.host, settings.port)]
    options = ServeOptions(
        signals=False,
        drain_s=inherited.drain_s,
        settle_s=inherited.settle_s,
        trusted_proxies=settings.trusted_proxies or ",".join(("127.0.0.1", *own_addresses())),
    )
    hurry, serving = asyncio.Event(), asyncio.Event()
    async with open_platform(settings, files) as platform:
        await bootstrap(platform.identity, files.root, now=now())
        url = _reachable(fronts[0])
        name = f"gateway-{fronts[0].getsockname()[1]}-{secrets.token_hex(3)}"
        app = _gateway(platform, fronts[0], instance=inherited.instance or name)
        log.info("gateway.starting", url=url, instance=inherited.instance or name)
        async with present(app.state.gateway, url):
            await until_told(
                serve(app, fronts, options, on_ready=serving.set, hurry=hurry),
                _say_ready(inherited, serving, app),
                hurry=hurry,
            )


async def serve_master(
    settings: Settings, files: HostFiles, inherited: Inherited | None = None
) -> None:
    """Run one master until told to end; what runs on the nodes goes on for the next one.

    A supervised one that is told by SIGINT is the last: this host's agents end with it.
    """
    _configure(settings)
    inherited = inherited or Inherited()
    (back,) = inherited.sockets() or [listen(settings.master_host, settings.master_port)]
    hurry, serving = asyncio.Event(), asyncio.Event()
    async with open_platform(settings, files) as platform, open_engine(settings, files) as engine:
        master = platform.master(engine, companions(platform, engine))
        log.info("master.starting", url=_url(back))
        app = _master_app(platform, master)
        await until_told(
            serve(app, back, _BESIDE_OTHERS, on_ready=serving.set),
            _say_ready(inherited, serving),
            master.run(),
            hurry=hurry,
        )
        if hurry.is_set() and inherited.supervised and isinstance(engine, LocalEngine):
            await engine.shut_down()


async def serve_head(settings: Settings, files: HostFiles) -> None:
    """Run the head of a Ray cluster until told to end."""
    from quetzalcore.cli.clustering import run_head  # noqa: PLC0415 -- Ray, an extra

    _configure(settings)
    async with run_head(settings, files) as address:
        log.info("head.ready", address=address)
        await until_told(_for_ever())


async def serve_worker(settings: Settings, files: HostFiles) -> None:
    """Offer this host to a cluster until told to end."""
    from quetzalcore.cli.clustering import work_for  # noqa: PLC0415 -- Ray, an extra

    _configure(settings)
    await until_told(work_for(settings, files))


def _gateway(platform: Platform, listener: socket.socket, *, instance: str = "") -> FastAPI:
    settings = platform.settings
    instance = instance or f"gateway-{listener.getsockname()[1]}"
    join = None
    if settings.engine == "ray":
        from quetzalcore.cli.clustering import join_provider  # noqa: PLC0415 -- Ray, an extra

        join = join_provider(settings, platform.files)
    return create_app(
        platform.gateway_parts(instance=instance, public_url=settings.public_url, join=join)
    )


def _master_app(platform: Platform, master: Master) -> FastAPI:
    return create_master_app(platform.gateway_parts(instance="master", public_url=""), master)


async def _announce(files: HostFiles, urls: tuple[str, str], serving: asyncio.Event) -> None:
    """Write down where the platform answers once it does."""
    await serving.wait()
    files.note(*urls)
    log.info("platform.ready", url=urls[0], master_url=urls[1])
    await _for_ever()


async def _say_ready(
    inherited: Inherited, serving: asyncio.Event, app: FastAPI | None = None
) -> None:
    """Say so once the process listens and, for a gateway, once ``/ready`` would say so too."""
    await serving.wait()
    while app is not None and not await app.state.gateway.checkup.ready():  # noqa: ASYNC110 -- the ledger is asked
        await asyncio.sleep(_LOOK_S)
    inherited.say_ready(os.environ.get("NOTIFY_SOCKET", ""))
    await _for_ever()


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def until_told(*work: Coroutine[Any, Any, None], hurry: asyncio.Event | None = None) -> None:
    """Do several things until a signal comes or one of them ends, which none should; then end them all.

    ``hurry`` is set where the signal is SIGINT, then or while they end.
    """
    tasks = [asyncio.create_task(each) for each in work]
    stop = asyncio.Event()
    with _signals(stop, hurry or asyncio.Event()):
        told = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({told, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


@contextmanager
def _signals(stop: asyncio.Event, hurry: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def hurried() -> None:
        hurry.set()
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, hurried)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _reachable(listener: socket.socket) -> str:
    """Give the URL under which a balancer reaches a listener; one for all addresses is reached by the host's first."""
    url = urlsplit(_url(listener))
    if url.hostname not in {"0.0.0.0", "::"}:  # noqa: S104 -- compared only
        return url.geturl()
    first = own_addresses()[0]
    return f"http://{f'[{first}]' if ':' in first else first}:{url.port}"


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _configure(settings: Settings) -> None:
    configure_logs(level=settings.log_level, as_json=settings.env == "production")
