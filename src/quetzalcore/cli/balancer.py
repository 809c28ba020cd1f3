"""``quetzal balancer``: nginx before the gateway instances, following the book of who serves."""

from __future__ import annotations

import asyncio
import os
import pwd
import resource
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quetzalcore.cli.clock import now
from quetzalcore.cli.host_files import HostFiles, kept_secret
from quetzalcore.cli.inherited import Inherited
from quetzalcore.cli.logs import configure_logs
from quetzalcore.errors import BadParameter
from quetzalcore.ops.balancer.options import BalancerOptions, Limits, Tls
from quetzalcore.settings import Settings, with_options

if TYPE_CHECKING:
    from quetzalcore.ops.balancer.nginx import Nginx

__all__ = ["balancer", "balancer_options"]

_MOST_CONNECTIONS = 4096
_LOOK_S = 0.1


def balancer(
    context: typer.Context,
    *,
    listen: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS:PORT", help="Plain listener; may be given more than once."),
    ] = None,
    inside: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS:PORT", help="Plain listener that is not sent to TLS, for workers."
        ),
    ] = None,
    tls_port: Annotated[int | None, typer.Option(help="Port of TLS; 0 for none.")] = None,
    certbot: Annotated[
        str | None, typer.Option(metavar="DOMAIN", help="Serve the certificate certbot keeps.")
    ] = None,
    acme: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where certbot --webroot writes.")
    ] = None,
    ready_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run nginx before the gateway instances until stopped; it follows them as they come and go.

    Example: quetzal balancer --listen 0.0.0.0:80 --tls-port 443 --certbot survey.example.org
    """
    settings = with_options(context.obj, tls_port=tls_port)
    files = HostFiles.of(settings)
    listeners = tuple(listen or (f"{settings.host}:{settings.port}",)), tuple(inside or ())
    inherited = Inherited(ready_fd=ready_fd)
    asyncio.run(_serve(settings, files, listeners, (certbot or "", acme), inherited))


async def balancer_options(
    settings: Settings,
    files: HostFiles,
    listen: tuple[str, ...],
    *,
    inside: tuple[str, ...] = (),
    certbot: str = "",
    acme_folder: Path | None = None,
) -> BalancerOptions:
    """Give how this host's nginx serves: its version, whose rights it takes, its certificate and its secret.

    Raises
    ------
    BadParameter
        If nginx is not installed, an address is none, or TLS is asked for without a certificate.
    """
    from quetzalcore.ops.balancer.nginx import nginx_version  # noqa: PLC0415 -- structlog

    addresses = tuple(map(_numeric, listen))
    host = addresses[0].rpartition(":")[0]
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    return BalancerOptions(
        folder=files.run / "nginx",
        version=await nginx_version(),
        listen=addresses,
        inside=tuple(map(_numeric, inside)),
        tls=_tls(settings, host, certbot),
        limits=Limits(
            upload_mib=settings.max_upload_mib,
            exempt_secret=kept_secret(files.root / "balancer-exempt", ""),
        ),
        user=pwd.getpwuid(files.root.stat().st_uid).pw_name if os.geteuid() == 0 else "",
        acme_folder=acme_folder,
        connections=min(_MOST_CONNECTIONS, most_files // 2),
    )


def _tls(settings: Settings, host: str, certbot: str) -> Tls | None:
    if not settings.tls_port:
        if certbot:
            raise BadParameter("a certificate needs a port", hint="give --tls-port 443")
        return None
    listen = (f"{host}:{settings.tls_port}",)
    if certbot:
        return Tls.of_certbot(certbot, listen=listen)
    if settings.tls_certificate is None or settings.tls_key is None:
        raise BadParameter(
            "TLS needs a certificate and its key",
            hint="set tls_certificate and tls_key, or give --certbot DOMAIN",
        )
    return Tls(
        listen=listen,
        certificate=settings.tls_certificate.expanduser().absolute(),
        private_key=settings.tls_key.expanduser().absolute(),
    )


def _numeric(address: str) -> str:
    """Look a listener's name up; a number stays as it is."""
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 -- as asked for
    except (OSError, ValueError):
        raise BadParameter(
            f"{address!r} cannot be listened on", hint="write it like 0.0.0.0:80"
        ) from None
    family, number = found[0][0], found[0][4][0]
    return f"[{number}]:{port}" if family == socket.AF_INET6 else f"{number}:{port}"


async def _serve(
    settings: Settings,
    files: HostFiles,
    listeners: tuple[tuple[str, ...], tuple[str, ...]],
    certificate: tuple[str, Path | None],
    inherited: Inherited,
) -> None:
    from quetzalcore.cli.serving import until_told  # noqa: PLC0415 -- heavy
    from quetzalcore.database import open_database  # noqa: PLC0415 -- heavy
    from quetzalcore.jobs.sql import SqlInstanceBook, open_ledger  # noqa: PLC0415 -- heavy
    from quetzalcore.ops.balancer.following import Balancing  # noqa: PLC0415 -- heavy
    from quetzalcore.ops.balancer.nginx import Nginx  # noqa: PLC0415 -- heavy

    configure_logs(level=settings.log_level, as_json=settings.env == "production")
    (listen, inside), (domain, acme) = listeners, certificate
    options = await balancer_options(
        *(settings, files, listen),
        inside=inside,
        certbot=domain,
        acme_folder=acme and acme.absolute(),
    )
    nginx = Nginx(options)
    database = await open_database(settings.database_url or files.ledger_url)
    try:
        await open_ledger(database)  # its tables
        await until_told(
            Balancing(SqlInstanceBook(database), nginx, clock=now).run(),
            _say_ready(nginx, inherited),
        )
    finally:
        await nginx.stop()
        await database.close()


async def _say_ready(nginx: Nginx, inherited: Inherited) -> None:
    """Say so once nginx answers."""
    while not await nginx.serves():  # noqa: ASYNC110 -- nginx is asked
        await asyncio.sleep(_LOOK_S)
    inherited.say_ready(os.environ.get("NOTIFY_SOCKET", ""))
    await asyncio.Event().wait()
