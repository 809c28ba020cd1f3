"""What a load balancer is told: where instances answer, and how it serves them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from quetzalcore.errors import BadParameter

KEEPALIVE_MIN = (1, 27, 4)
"""The first nginx with ``keepalive_min_timeout``."""

__all__ = ["KEEPALIVE_MIN", "BalancerOptions", "Limits", "Tls", "Upstream", "listening_address"]

_ADDRESS = re.compile(r"(\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]):\d{1,5}")
_PATH = re.compile(r"/[\w./@+-]*")
_WORD = re.compile(r"[A-Za-z0-9._-]*")
_NETWORK = re.compile(r"[0-9A-Fa-f:.]+(/\d{1,3})?")
_LONGEST_SOCKET = 100
_PRIVATE = (
    "127.0.0.0/8",
    "::1",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Upstream:
    """Where one instance answers: ``IP:PORT``, for names would be looked up only when nginx starts."""

    address: str

    def __post_init__(self) -> None:
        """Let nothing but an address into the balancer's configuration."""
        listening_address(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """A certificate and where it is served.

    Parameters
    ----------
    listen : tuple of str
        ``IP:PORT`` of each listener.
    certificate, private_key : Path
        PEM files; the certificate with its chain.
    stamp : str
        Changes when the files do, so that a renewed certificate is taken.
    redirect : bool
        Whether plain requests are sent to the first TLS listener.
    hsts_s : int
        How long browsers are to use TLS only; 0 for not saying so.
    """

    listen: tuple[str, ...]
    certificate: Path
    private_key: Path
    stamp: str = ""
    redirect: bool = True
    hsts_s: int = 31_536_000

    @classmethod
    def of_certbot(cls, domain: str, *, listen: tuple[str, ...]) -> Tls:
        """Take the certificate that certbot keeps for a domain."""
        live = Path("/etc/letsencrypt/live") / domain
        return cls(
            listen=listen, certificate=live / "fullchain.pem", private_key=live / "privkey.pem"
        )

    def __post_init__(self) -> None:
        """Check what goes into the configuration."""
        for each in self.listen:
            listening_address(each)
        for path in (self.certificate, self.private_key):
            _checked(str(path), _PATH, "a certificate's path", "use a plain absolute path")
        _checked(self.stamp, _WORD, "a certificate's stamp", "use letters and digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client address may do, and how patient the balancer is.

    Parameters
    ----------
    requests_per_s, burst : int
        Requests of one address a second, and how many may come at once beyond that.
    connections : int
        Connections (with HTTP/2: requests) of one address at once, event streams among them.
    exempt_secret : str
        Requests that show it as ``X-Balancer-Exempt`` are not limited: for load tests. Empty: none.
    header_s, body_s : int
        How long a request's headers may take, and a pause within its body.
    body_mib, upload_mib : int
        Largest body of an ordinary request, and of an upload.
    """

    requests_per_s: int = 200
    burst: int = 400
    connections: int = 512
    exempt_secret: str = field(default="", repr=False)
    header_s: int = 10
    body_s: int = 20
    body_mib: int = 33
    upload_mib: int = 4096

    def __post_init__(self) -> None:
        """Check what goes into the configuration."""
        _checked(self.exempt_secret, _WORD, "the exempt secret", "use letters and digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerOptions:
    """How instances are served.

    Parameters
    ----------
    folder : Path
        Where nginx keeps its configuration, pid, logs and temporary files.
    version : tuple of int
        Of nginx: newer ones spell some things differently.
    listen : tuple of str
        ``IP:PORT`` of each plain listener; with TLS, users are sent there.
    inside : tuple of str
        ``IP:PORT`` of plain listeners that stay so beside TLS: for the platform's own network only.
    user : str
        Whose rights the workers take where nginx is started as root; empty elsewhere.
    acme_folder : Path or None
        Where certbot (``--webroot``) puts the answers to its challenges.
    metrics_from : tuple of str
        Networks that may read ``/metrics``.
    connections : int
        Open connections of each worker; it needs twice as many open files.
    shutdown_s : int
        How long a worker of an older configuration may go on with its open streams.
    """

    folder: Path
    version: tuple[int, ...]
    listen: tuple[str, ...]
    inside: tuple[str, ...] = ()
    tls: Tls | None = None
    limits: Limits = field(default_factory=Limits)
    user: str = ""
    acme_folder: Path | None = None
    metrics_from: tuple[str, ...] = _PRIVATE
    connections: int = 4096
    shutdown_s: int = 3600

    def __post_init__(self) -> None:
        """Check what goes into the configuration."""
        for each in (*self.listen, *self.inside):
            listening_address(each)
        for path in filter(None, (self.folder, self.acme_folder)):
            _checked(str(path), _PATH, "the balancer's folder", "use a plain absolute path")
        for network in self.metrics_from:
            _checked(network, _NETWORK, "a network", "write it like 10.0.0.0/8")
        _checked(self.user, _WORD, "the balancer's user", "give a user of this host")
        if len(str(self.control)) > _LONGEST_SOCKET:
            raise BadParameter(
                f"the path {self.control} is too long for a socket",
                hint="set QUETZAL_DATA_DIR to a shorter one",
            )

    @property
    def control(self) -> Path:
        """The socket on which nginx tells which configuration it serves."""
        return self.folder / "control.sock"

    @property
    def parting(self) -> Path:
        """The file that is there while a change comes: answers then say ``Connection: close``."""
        return self.folder / "parting"

    @property
    def parts_abruptly(self) -> bool:
        """Whether this nginx closes idle connections at a reload, without regard to requests on their way."""
        return self.version < KEEPALIVE_MIN


def listening_address(text: str) -> str:
    """Give an address back that is one.

    Raises
    ------
    BadParameter
        If it is not ``IP:PORT``.
    """
    return _checked(text, _ADDRESS, "an address", "write it like 127.0.0.1:8080 or [::1]:8080")


def _checked(text: str, pattern: re.Pattern[str], what: str, hint: str) -> str:
    if pattern.fullmatch(text) is None:
        raise BadParameter(f"{what} is {text!r}", hint=hint)
    return text
