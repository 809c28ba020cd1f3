"""How a host joins a Ray cluster: the ticket that a gateway gives it, and what it does with it.

Whoever holds a ticket may run code on every node of the cluster, because Ray lets every member do so:
give join keys only to hosts of your own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from quetzalcore.cluster.addresses import address_towards, own_addresses
from quetzalcore.cluster.certificates import Certified, write_secret, write_tls_files
from quetzalcore.cluster.host import HostSettings
from quetzalcore.cluster.ray_access import RaySecurity
from quetzalcore.cluster.ray_node import RayNode
from quetzalcore.cluster.ray_process import running_node
from quetzalcore.errors import BadParameter, Permanent, Retryable

__all__ = [
    "AUTHORITY",
    "CERTIFICATE",
    "KEY",
    "CannotJoin",
    "GatewayUnreachable",
    "JoinTicket",
    "gateway_url",
    "join",
    "run_worker",
]

_GATEWAY_PORT = 8000
_ANSWER_LIMIT_S = 30.0
CERTIFICATE, KEY, AUTHORITY = "node.crt", "node.key", "ca.crt"  # in a ticket's certificates

log = logging.getLogger(__name__)


class GatewayUnreachable(Retryable):
    """The gateway does not answer."""

    code = "gateway_unreachable"
    title = "The gateway cannot be reached"


class CannotJoin(Permanent):
    """The gateway lets this host in nowhere."""

    code = "cannot_join"
    title = "This host cannot join the cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinTicket:
    """What a worker needs; the same names as the answer of ``POST /api/cluster/join``."""

    engine: str
    address: str  # host:port of the Ray head
    token: str = field(default="", repr=False)
    certificates: Mapping[str, str] = field(default_factory=dict, repr=False)  # name -> PEM text
    settings: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Give it as JSON."""
        return asdict(self)


def gateway_url(place: str) -> str:
    """Read HOST, HOST:PORT or a URL; a bare host means its gateway's own port."""
    if "://" in place:
        return place.rstrip("/")
    parts = urlsplit(f"//{place}")
    if not parts.hostname:
        raise BadParameter(
            f"{place!r} is no host", hint="give HOST, HOST:PORT or a URL of the gateway"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"http://{host}:{parts.port or _GATEWAY_PORT}"


async def join(
    place: str, key: str, *, addresses: tuple[str, ...] = (), name: str = ""
) -> JoinTicket:
    """Ask a gateway for a ticket; ``CannotJoin`` if it refuses, ``GatewayUnreachable`` if it is silent."""
    url = gateway_url(place)
    if _is_open_road(url):
        log.warning("%s is not encrypted: the cluster's keys travel readable", url)
    body = {
        "name": name or platform.node(),
        "addresses": list(addresses or await asyncio.to_thread(own_addresses)),
    }
    try:
        async with httpx.AsyncClient(timeout=_ANSWER_LIMIT_S) as client:
            answer = await client.post(
                f"{url}/api/cluster/join", json=body, headers={"Authorization": f"Bearer {key}"}
            )
    except httpx.HTTPError as error:
        raise GatewayUnreachable(
            f"{url} does not answer: {type(error).__name__} {error}",
            hint="check --join and that the gateway runs",
        ) from error
    return _ticket(url, answer)


def _ticket(url: str, answer: httpx.Response) -> JoinTicket:
    try:
        document = answer.json()
    except ValueError:
        document = {}
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR and not document:
        raise GatewayUnreachable(f"{url} answers {answer.status_code}", hint="try again later")
    if answer.status_code != httpx.codes.OK:
        raise CannotJoin(
            document.get("detail") or f"{url} answers {answer.status_code}",
            hint=document.get("hint") or "check the key, made with quetzal key create --join",
        )
    ticket = JoinTicket(**{name: document.get(name) for name in JoinTicket.__slots__})
    missing = {CERTIFICATE, KEY, AUTHORITY} - set(ticket.certificates or {})
    if ticket.engine != "ray" or not ticket.token or missing:
        raise CannotJoin(
            f"{url} gave an incomplete ticket (engine {ticket.engine!r},"
            f" without {', '.join(sorted(missing)) or 'nothing'})",
            hint="run the same version on gateway and worker",
        )
    return ticket


async def run_worker(
    ticket: JoinTicket,
    folder: Path,
    *,
    node: Mapping[str, Any] | None = None,
    inherited: Mapping[str, str] | None = None,
) -> None:
    """Offer this host to the cluster until cancelled; nothing of it is left then.

    ``node`` has fields of ``HostSettings`` (cores, memory, runtime, warm VMs). After the loss of the
    head the worker joins again by itself.
    """
    host, _, port = ticket.address.rpartition(":")
    here = address_towards(host, int(port))
    settings = HostSettings.model_validate(
        {"node_id": platform.node(), "folder": folder / "agent", "address": here, **(node or {})}
    )
    ray_node = RayNode(
        name=settings.node_id,
        folder=folder,
        address=ticket.address,
        host=here,
        security=_keep_ticket(ticket, folder),
        agent=settings,
    )
    environment = os.environ if inherited is None else inherited  # noqa: TID251 -- handed on as it is
    async with running_node(ray_node, environment, said=_log_event):
        await asyncio.Event().wait()


def _keep_ticket(ticket: JoinTicket, folder: Path) -> RaySecurity:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_secret(folder / "token", ticket.token)
    mine = Certified(certificate=ticket.certificates[CERTIFICATE], key=ticket.certificates[KEY])
    tls = write_tls_files(folder / "tls", mine, authority=ticket.certificates[AUTHORITY])
    return RaySecurity(token_file=folder / "token", tls=tls)


def _is_open_road(url: str) -> bool:
    """Say whether others may read what is sent: plain HTTP beyond this host."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}


def _log_event(event: str, fields: Mapping[str, object]) -> None:
    log.info("%s %s", event, " ".join(f"{name}={value}" for name, value in fields.items()))
