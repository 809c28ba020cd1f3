"""What a VM is asked to be, what it is asked to do, and what comes back; value objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from quetzalcore.jobs.model import Failure, Usage

__all__ = ["Limit", "Outcome", "Product", "Task", "Tier", "Trust", "VMSpec"]


class Trust(StrEnum):
    """Whose work a VM runs."""

    OWNER = "owner"  # one's own data on one's own machine: weaker runtimes are allowed, said aloud
    TENANT = "tenant"  # someone else's data or code: every limit and wall must be enforced


class Tier(StrEnum):
    """What a VM has imported before a job comes."""

    BARE = "bare"  # Python and the guest
    NUMERIC = "numeric"  # NumPy, SciPy and Numba as well


class Limit(StrEnum):
    """A wall or a limit that a runtime may or may not enforce on this host."""

    CPU = "cpu"
    MEMORY = "memory"
    PIDS = "pids"
    WALL = "wall"
    SCRATCH = "scratch"
    NETWORK = "network"
    FILESYSTEM = "filesystem"
    SYSCALLS = "syscalls"
    PRIVILEGES = "privileges"


@dataclass(frozen=True, slots=True, kw_only=True)
class VMSpec:
    """The size and the walls of a VM. ``tenant`` is whom it serves; it never serves another."""

    cpus: float = 4.0
    memory_mib: int = 8192
    vgpu: int = 0
    wall_s: float = 3600.0
    pids: int = 256
    scratch_mib: int = 1024
    tenant: str = ""
    trust: Trust = Trust.TENANT
    tier: Tier = Tier.BARE


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece of work: ``run`` is ``module:function``, ``inputs`` maps names to files on the host.

    In the VM the inputs lie in ``/in`` under their names. ``seed`` seeds the guest's randomness.
    """

    run: str
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    kind: str = ""
    stage: str = ""
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A regular file that a task left in its output folder; ``path`` is on the host, outside the VM's reach."""

    name: str
    path: Path
    size: int
    sha256: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended: exactly one of ``result`` and ``failure`` is given."""

    result: Mapping[str, Any] | None
    failure: Failure | None
    products: tuple[Product, ...]
    used: Usage
