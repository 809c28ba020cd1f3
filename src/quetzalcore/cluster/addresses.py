"""Addresses of this host, as other hosts of the cluster know it."""

from __future__ import annotations

import ipaddress
import socket

import psutil

__all__ = ["address_towards", "own_addresses"]


def own_addresses() -> tuple[str, ...]:
    """Give this host's addresses, without those that only it can reach."""
    found = [
        entry.address.partition("%")[0]
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in {socket.AF_INET, socket.AF_INET6}
    ]
    kept = [a for a in found if not ipaddress.ip_address(a).is_link_local]
    return tuple(a for a in kept if not ipaddress.ip_address(a).is_loopback) or tuple(kept)


def address_towards(host: str, port: int) -> str:
    """Give the address under which another host sees this one; nothing is sent."""
    family, _, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(target)
        return str(probe.getsockname()[0])
