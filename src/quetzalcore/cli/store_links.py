"""Whether agents, which may run on other hosts, can reach the artifact store as it is set up."""

from __future__ import annotations

import ipaddress
from urllib.parse import parse_qs, urlsplit

from quetzalcore.cluster.addresses import own_addresses
from quetzalcore.errors import BadParameter
from quetzalcore.jobs.links import FileLinks, SignedLinks
from quetzalcore.settings import Settings

__all__ = ["links_for"]


def links_for(settings: Settings, url: str, *, secret: bytes) -> FileLinks | SignedLinks:
    """Give how agents reach the files of the store at ``url``, if it is a folder.

    Raises
    ------
    BadParameter
        If workers join from other hosts and the links would lead each of them to itself.
    """
    if settings.engine == "local":
        return FileLinks()
    folder = urlsplit(url).scheme == "file"
    base = settings.public_url or _own_url(settings)
    target = base if folder else _endpoint(url)
    if target and _leads_home(urlsplit(target).hostname or "") and not _cluster_is_here(settings):
        name, remedy = (
            ("public_url", "set QUETZAL_PUBLIC_URL to the gateway's URL as workers reach it")
            if folder
            else ("artifacts_url", "give an S3 endpoint that every worker reaches")
        )
        raise BadParameter(
            f"workers on other hosts cannot fetch or put files at {target} ({name})", hint=remedy
        )
    return SignedLinks(base_url=base, secret=secret)


def _own_url(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def _endpoint(url: str) -> str:
    return parse_qs(urlsplit(url).query).get("endpoint", [""])[-1]


def _cluster_is_here(settings: Settings) -> bool:
    """Say whether the Ray cluster can have no other host, because its address is this host's alone."""
    head = urlsplit(f"//{settings.ray_address}").hostname
    return _leads_home(settings.ray_host or head or own_addresses()[0])


def _leads_home(host: str) -> bool:
    """Say whether a name or address means, on every host, that host itself."""
    if not host or host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
