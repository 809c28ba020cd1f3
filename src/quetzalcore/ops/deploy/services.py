"""Which services a role has on a host, made from the systemd units: one source for both ways to run them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from quetzalcore.errors import BadParameter
from quetzalcore.ops.deploy.model import Layout, Service

__all__ = ["UNITS", "GatewayShape", "gateway_services", "worker_services"]

UNITS = (
    "quetzalcore-balancer.service",
    "quetzalcore-gateway.target",
    "quetzalcore-gateway@.service",
    "quetzalcore-hv.service",
    "quetzalcore-master.service",
)
_INSTALLED = "/opt/quetzalcore"
_LOOPBACK = "--host 127.0.0.1"
_EVERYWHERE = "--listen 0.0.0.0:80"
_ALL = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}  # noqa: S104 -- compared only
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]+|\[[0-9A-Fa-f:]+\]")
_LISTENER = re.compile(r"(?P<host>[0-9.]+|\[[0-9A-Fa-f:]+\]):(?P<port>[0-9]{1,5})")
_WORKER_LEAVES_S = 660.0
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayShape:
    """How gateway hosts serve: their instances' ports and address, and where nginx listens before them."""

    ports: range
    bind: str = "127.0.0.1"
    listen: str = "0.0.0.0:80"  # empty: no nginx
    master: bool = False


def gateway_services(
    units: Mapping[str, str], layout: Layout, shape: GatewayShape
) -> tuple[Service, ...]:
    """Give a gateway host's services, in the order in which they are restarted.

    Raises
    ------
    BadParameter
        If an address or a port is none.
    """
    ports, bind = shape.ports, shape.bind
    if not _ADDRESS.fullmatch(bind):
        raise BadParameter(f"{bind!r} is no address to listen on", hint="give one like 0.0.0.0")
    if not ports or ports[-1] > _LAST_PORT or ports[0] < 1:
        raise BadParameter(
            f"there are no ports {ports.start} to {ports.stop - 1}",
            hint="give other --instances or --first-port",
        )
    found = []
    if shape.master:
        found.append(_service(units, layout, "quetzalcore-master.service"))
    for port in ports:
        name, swap = "quetzalcore-gateway@.service", (_LOOPBACK, f"--host {bind}")
        service = _service(units, layout, name, instance=str(port), swap=swap)
        found.append(replace(service, ready_url=f"http://{_reached(bind)}:{port}/ready"))
    target = "quetzalcore-gateway.target"
    found.append(Service(name=target, template=target, content=units[target]))
    if shape.listen:
        found.append(_balancer(units, layout, shape.listen))
    return tuple(found)


def worker_services(
    units: Mapping[str, str], layout: Layout, *, settle_s: float
) -> tuple[Service, ...]:
    """Give a worker host's services; a worker is well when it has lived for so long without a restart."""
    service = _service(units, layout, "quetzalcore-hv.service")
    return (replace(service, stop_s=_WORKER_LEAVES_S, settle_s=settle_s),)


def _balancer(units: Mapping[str, str], layout: Layout, listen: str) -> Service:
    parts = _LISTENER.fullmatch(listen)
    if parts is None or not 0 < int(parts["port"]) <= _LAST_PORT:
        raise BadParameter(f"{listen!r} cannot be listened on", hint="write it like 0.0.0.0:80")
    swap = (_EVERYWHERE, f"--listen {listen}")
    service = _service(units, layout, "quetzalcore-balancer.service", swap=swap)
    url = f"http://{_reached(parts['host'])}:{parts['port']}/ready"
    return replace(service, ready_url=url)


def _service(
    units: Mapping[str, str],
    layout: Layout,
    template: str,
    *,
    instance: str = "",
    swap: tuple[str, str] = ("", ""),
) -> Service:
    content = units[template].replace(*swap) if swap[0] else units[template]
    values = dict(line.split("=", 1) for line in content.splitlines() if "=" in line)
    _, _, data_folder = values["Environment"].partition("=")
    command = values["ExecStart"].replace("%i", instance).replace(_INSTALLED, layout.opt)
    return Service(
        name=template.removesuffix(".service").replace("@", f"@{instance}"),
        template=template,
        content=content,
        command=tuple(command.split()),
        data_folder=f"{layout.prefix}{data_folder}",
    )


def _reached(bind: str) -> str:
    host = _ALL.get(bind, bind)
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
