"""What a deployment is about: the wish, what a host is like, and the steps from the one to the other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from quetzalcore.errors import Permanent, Retryable, UserMistake

__all__ = [
    "DeployFailed",
    "Facts",
    "HostBusy",
    "HostPlan",
    "HostUnfit",
    "Layout",
    "Package",
    "Role",
    "Service",
    "Step",
    "Wish",
    "digest",
]

Role = Literal["gateway", "workers"]


class HostUnfit(UserMistake):
    """A host that lacks something we do not install, or has something that we do not touch."""

    code = "host_unfit"
    title = "The host cannot be deployed to"


class HostBusy(Retryable):
    """Another deployment works on the host."""

    code = "host_busy"
    title = "Another deployment works on the host"


class DeployFailed(Permanent):
    """A host did not become what was asked for; which hosts did and what was taken back is in the detail."""

    code = "deploy_failed"
    title = "The deployment stopped"


def digest(*parts: str | bytes) -> str:
    """Give a short mark of contents; where one part ends and the next begins counts."""
    made = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        made.update(len(data).to_bytes(8, "big") + data)
    return made.hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where things lie on a host; with a prefix all of it lies below that folder, and systemd is left alone."""

    prefix: str = ""

    @property
    def opt(self) -> str:
        """Releases, and the link to the current one."""
        return f"{self.prefix}/opt/quetzalcore"

    @property
    def etc(self) -> str:
        """The folder of settings."""
        return f"{self.prefix}/etc/quetzalcore"

    @property
    def environment(self) -> str:
        """The file of settings, which only root (or whoever owns the prefix) reads."""
        return f"{self.etc}/quetzal.env"

    @property
    def constraints(self) -> str:
        """What versions of other packages releases take."""
        return f"{self.etc}/constraints.txt"

    @property
    def units(self) -> str:
        """The folder of systemd's units."""
        return "/etc/systemd/system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What is installed: a wheel, and how its requirements are met."""

    name: str  # the wheel's file name
    version: str
    wheel: bytes = field(repr=False)
    constraints: bytes = field(default=b"", repr=False)
    wheelhouse: str = ""
    packages: str = ""
    python: str = "python3"
    extra: str = "cluster"

    @property
    def release(self) -> str:
        """Name what this makes: the same name, the same content."""
        how = (self.wheelhouse, self.packages, self.python, self.extra)
        return f"{self.version}-{digest(self.wheel, self.constraints, *how)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A process that runs on a host: its unit, its command, and how to see that it is well."""

    name: str  # the unit's name, without .service
    template: str  # the unit's file
    content: str = field(repr=False)  # the unit's text, for this deployment
    command: tuple[str, ...] = ()
    data_folder: str = ""
    ready_url: str = ""
    settle_s: float = 0.3  # for so long it has to live on
    start_s: float = 90.0
    stop_s: float = 40.0

    @property
    def is_group(self) -> bool:
        """Say whether it only holds others together."""
        return not self.command


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What hosts shall be like afterwards."""

    role: Role
    package: Package
    services: tuple[Service, ...]
    layout: Layout
    environment: Mapping[str, str] | None = field(default=None, repr=False)  # None: as it is there
    keep: int = 3
    ready_s: float = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a host is like."""

    host: str
    system: str = ""
    machine: str = ""
    python: tuple[int, ...] = ()
    programs: frozenset[str] = frozenset()
    systemd: bool = False
    system_nginx: bool = False
    has_user: bool = False
    current: str = ""
    releases: tuple[str, ...] = ()  # complete ones, the newest first
    foreign: str = ""
    interrupted: bool = False
    files: Mapping[str, str] = field(default_factory=dict)  # path -> SHA-256 and mode
    active: frozenset[str] = frozenset()
    enabled: frozenset[str] = frozenset()
    marks: Mapping[str, str] = field(default_factory=dict)  # service -> what it runs with


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command on a host, and what it is for; nothing secret is in either."""

    what: str
    command: tuple[str, ...] = field(repr=False)
    stdin: bytes = field(default=b"", repr=False)
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlan:
    """What is still to be done on a host.

    Nothing that runs notices ``prepare``; where ``change`` fails, ``undo`` takes it back; ``finish`` clears up.
    """

    host: str
    prepare: tuple[Step, ...] = ()
    change: tuple[Step, ...] = ()
    undo: tuple[Step, ...] = ()
    finish: tuple[Step, ...] = ()

    @property
    def steps(self) -> Sequence[Step]:
        """All of it, as it goes where nothing fails."""
        return (*self.prepare, *self.change, *self.finish)
