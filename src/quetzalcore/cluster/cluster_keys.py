"""What the head's side of a Ray cluster keeps, and the tickets that it writes for hosts that join."""

from __future__ import annotations

import datetime as dt
import platform
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quetzalcore.cluster.addresses import own_addresses
from quetzalcore.cluster.certificates import (
    Certified,
    issue,
    new_authority,
    read_certified,
    still_good,
    tls_files,
    write_secret,
    write_tls_files,
)
from quetzalcore.cluster.joining import AUTHORITY, CERTIFICATE, KEY, JoinTicket
from quetzalcore.cluster.ray_access import RaySecurity
from quetzalcore.errors import BadParameter

__all__ = ["ClusterKeys", "invite", "keep_cluster_keys", "security_here"]

_SHORTEST_TOKEN = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterKeys:
    """What the head's side keeps: Ray's token and the authority that certifies hosts."""

    folder: Path
    token: str = field(repr=False)
    authority: Certified


def keep_cluster_keys(folder: Path, *, now: dt.datetime, token: str = "") -> ClusterKeys:
    """Read the cluster's keys from a folder, or make them once; every gateway and master needs the same.

    Raises
    ------
    BadParameter
        If the token is too short for Ray's only wall.
    """
    if token and len(token) < _SHORTEST_TOKEN:
        raise BadParameter(
            f"ray_token has {len(token)} characters",
            hint=f"give at least {_SHORTEST_TOKEN}, or none to have one made",
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = folder / "token"
    if token or not kept.exists():
        write_secret(kept, token or secrets.token_hex(32))
    certificate, key = folder / "ca.crt", folder / "ca.key"
    if not (certificate.exists() and key.exists()):
        made = new_authority("cluster", now=now)
        write_secret(key, made.key)
        write_secret(certificate, made.certificate)
    return ClusterKeys(
        folder=folder,
        token=kept.read_text(encoding="ascii"),
        authority=read_certified(certificate, key),
    )


def security_here(
    keys: ClusterKeys, *, now: dt.datetime, names: tuple[str, ...] = ()
) -> RaySecurity:
    """Certify this host, for a head or master on the keys' own host; anew only where it must be.

    ``names`` are those by which others reach it, beside its addresses.
    """
    hosts, authority = (*own_addresses(), *names), keys.authority
    tls = tls_files(keys.folder / "host")
    if not still_good(tls, hosts=hosts, authority=authority.certificate, now=now):
        mine = issue(authority, name=platform.node(), hosts=hosts, now=now)
        write_tls_files(keys.folder / "host", mine, authority=authority.certificate)
    return RaySecurity(token_file=keys.folder / "token", tls=tls)


def invite(  # noqa: PLR0913 -- each is one fact of the invitation
    keys: ClusterKeys,
    *,
    address: str,
    name: str,
    addresses: tuple[str, ...],
    now: dt.datetime,
    settings: Mapping[str, Any] | None = None,
) -> JoinTicket:
    """Write a ticket for a host with these addresses; ``BadParameter`` if it gives none."""
    if not addresses:
        raise BadParameter(
            "the worker did not say its addresses, so it cannot be certified",
            hint="update the worker",
        )
    host = issue(keys.authority, name=name, hosts=addresses, now=now)
    return JoinTicket(
        engine="ray",
        address=address,
        token=keys.token,
        certificates={
            CERTIFICATE: host.certificate,
            KEY: host.key,
            AUTHORITY: keys.authority.certificate,
        },
        settings=dict(settings or {}),
    )
