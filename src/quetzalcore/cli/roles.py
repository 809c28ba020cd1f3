"""``quetzal gateway``, ``master`` and ``worker``: one role each, as units and containers run them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from quetzalcore.cli.host_files import HostFiles
from quetzalcore.cli.inherited import Inherited
from quetzalcore.errors import BadParameter
from quetzalcore.settings import with_options

__all__ = ["gateway", "master", "worker"]

_HIDDEN = typer.Option(hidden=True)  # what a supervisor hands to its children


def gateway(
    context: typer.Context,
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    drain: Annotated[
        float, typer.Option(help="Seconds for which it still serves after being told to end.")
    ] = 0.0,
    instance: Annotated[str, _HIDDEN] = "",
    fd: Annotated[int | None, _HIDDEN] = None,
    shared_fd: Annotated[int | None, _HIDDEN] = None,
    ready_fd: Annotated[int | None, _HIDDEN] = None,
) -> None:
    """Run one gateway instance until stopped; any number may share a database and an artifact store.

    Example: quetzal gateway --port 8001
    """
    from quetzalcore.cli.serving import serve_gateway  # noqa: PLC0415 -- heavy

    settings = with_options(context.obj, host=host, port=port)
    inherited = Inherited(
        instance=instance, fd=fd, shared_fd=shared_fd, ready_fd=ready_fd, drain_s=drain
    )
    with asyncio.Runner(loop_factory=_quick_loop()) as runner:
        runner.run(serve_gateway(settings, HostFiles.of(settings), inherited))


def master(
    context: typer.Context,
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    engine: Annotated[str | None, typer.Option(help="local or ray.")] = None,
    head_only: Annotated[
        bool, typer.Option("--head-only", help="Run only the Ray head; masters run elsewhere.")
    ] = False,
    fd: Annotated[int | None, _HIDDEN] = None,
    ready_fd: Annotated[int | None, _HIDDEN] = None,
) -> None:
    """Run one master until stopped; of several one leads and the others stand by.

    Example: quetzal master --engine ray
    """
    from quetzalcore.cli.serving import serve_head, serve_master  # noqa: PLC0415 -- heavy

    settings = with_options(context.obj, master_host=host, master_port=port, engine=engine)
    files = HostFiles.of(settings)
    inherited = Inherited(fd=fd, ready_fd=ready_fd)
    asyncio.run(
        serve_head(settings, files) if head_only else serve_master(settings, files, inherited)
    )


def worker(
    context: typer.Context,
    *,
    join: Annotated[
        str | None, typer.Option(metavar="HOST", help="The gateway: HOST, HOST:PORT or a URL.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="A key made with quetzal key create --join.")
    ] = None,
) -> None:
    """Offer this host to a cluster until stopped.

    Example: quetzal worker --join https://gateway.example.org --key qz_...
    """
    from quetzalcore.cli.serving import serve_worker  # noqa: PLC0415 -- heavy

    settings = with_options(context.obj, join_url=join, join_key=key)
    if not (settings.join_url and settings.join_key.get_secret_value()):
        raise BadParameter(
            "a worker needs a gateway and a key to join with",
            hint="give --join HOST and --key, or set HIVE_ORCHESTRATOR_URL and QUETZAL_JOIN_KEY",
        )
    asyncio.run(serve_worker(settings, HostFiles.of(settings)))


def _quick_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give what makes the quickest event loop of this system; not for roles with agents, which wait for children."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 -- not on every system

    return uvloop.new_event_loop
